/**
 * What the documents show to authors of tools works: blocks that say so are run, blocks that are quoted are there, and
 * every other block of JavaScript is at least JavaScript.
 */
import { createTestTask } from '@taskstream/worker/testing';
import type { Tool } from '@taskstream/worker';
import { execFile } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import * as z from 'zod';

const ROOT = new URL('../../', import.meta.url);
/** Inside the repository, so that its packages are found. */
const SCRATCH = new URL('.tsbuild/doc-snippets/', ROOT);

const Run = z.strictObject({
  tool: z.string(),
  input: z.record(z.string(), z.unknown()),
  /** By the names of the questions. */
  answers: z.record(z.string(), z.unknown()).optional(),
  text: z.string().optional(),
  structuredContent: z.unknown().optional(),
  /** How many events of a type. */
  events: z.record(z.string(), z.int()).optional(),
});

interface Snippet {
  readonly document: string;
  readonly line: number;
  readonly language: string;
  readonly code: string;
  /** What the comment before it says. */
  readonly note: string;
}

async function snippetsOf(document: string): Promise<Snippet[]> {
  const text = await readFile(new URL(document, ROOT), 'utf8');
  const found = text.matchAll(/(?:<!-- (?<note>[^\n]*?) -->\n\n)?```(?<language>js|ts)\n(?<code>.*?)\n```/gs);
  return [...found].map((match) => ({
    document,
    line: text.slice(0, match.index).split('\n').length,
    language: String(match.groups?.['language']),
    code: String(match.groups?.['code']),
    note: match.groups?.['note'] ?? '',
  }));
}

const snippets = (await Promise.all(['README.md', 'docs/tools.md'].map(snippetsOf))).flat();
const named = (some: ReadonlyArray<Snippet>) =>
  some.map((snippet) => [`${snippet.document}:${snippet.line}`, snippet] as const);
const toRun = snippets.filter((s) => s.note.startsWith('run: '));
const quoted = snippets.filter((s) => s.note.startsWith('same as: '));

describe('snippets', () => {
  it('are there', () => {
    expect(toRun.map((s) => s.document)).toEqual(expect.arrayContaining(['README.md', 'docs/tools.md']));
    expect(toRun.length).toBeGreaterThanOrEqual(4);
    expect(quoted.length).toBeGreaterThan(0);
  });

  it.each(named(toRun))('%s does what it says', async (where, { code, note }) => {
    const run = Run.parse(JSON.parse(note.slice('run: '.length)));
    const file = await scratchFile(where, code);
    const module = (await import(/* @vite-ignore */ pathToFileURL(file).href)) as { default: Tool[] };
    const tool = module.default.find((t) => t.definition.name === run.tool);
    if (tool === undefined) throw new Error(`it has no tool ${run.tool}`);
    const { status, result, events } = await createTestTask(tool, run.input, { answers: run.answers ?? {} }).run();
    expect(status).toBe('completed');
    expect(result?.isError ?? false).toBe(false);
    if (run.text !== undefined) expect(result?.content).toEqual([{ type: 'text', text: run.text }]);
    if (run.structuredContent !== undefined) expect(result?.structuredContent).toEqual(run.structuredContent);
    for (const [type, count] of Object.entries(run.events ?? {})) {
      expect(events.filter((e) => e.type === type)).toHaveLength(count);
    }
  });

  it.each(named(quoted))('%s is quoted as it is', async (_where, { code, note }) => {
    const file = new URL(note.slice('same as: '.length), ROOT);
    expect(await readFile(file, 'utf8')).toContain(code);
  });

  it.each(named(snippets.filter((s) => s.language === 'js')))('%s is JavaScript', async (where, { code }) => {
    // A fragment may be the inside of a function.
    const faults: unknown[] = [];
    for (const [i, text] of [code, `async () => {\n${code}\n};`].entries()) {
      await promisify(execFile)(process.execPath, ['--check', await scratchFile(`${where}-${i}`, text)]).catch(
        (error: unknown) => faults.push(error),
      );
    }
    expect(faults.length, String(faults[0])).toBeLessThan(2);
  });
});

async function scratchFile(name: string, text: string): Promise<string> {
  await mkdir(SCRATCH, { recursive: true });
  const file = join(SCRATCH.pathname, `${name.replaceAll(/[^A-Za-z0-9]/g, '-')}.mjs`);
  await writeFile(file, text);
  return file;
}
