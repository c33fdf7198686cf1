import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import type { CommandContext } from '../src/commands/context.js';
import { importExport, verify } from '../src/commands/exports.js';
import { UsageError } from '../src/exit-codes.js';
import { capture, event, temporaryDirectory } from './support.js';

const events = [
  event(0, 'dev.taskstream.task.status', { status: 'working' }),
  event(1, 'com.example.note.taken', { text: '\u001b[2Jhello' }),
  event(2, 'dev.taskstream.task.status', { status: 'completed' }),
];
const related = { _meta: { 'io.modelcontextprotocol/related-task': { taskId: 't' } } };
const lines = events.map((one) => `${JSON.stringify({ ...one, ...related })}\n`);

function context(text: string, terminal = false) {
  const out = capture();
  const notes: string[] = [];
  async function* input() {
    yield Buffer.from(text);
  }
  const parts = { out, terminal, note: (note: string) => void notes.push(note), input: input() };
  return { context: parts as unknown as CommandContext, out, notes };
}

describe('verify', () => {
  it.each([
    ['the whole log', lines.join(''), {}, 0],
    ['a log without its end', lines.slice(0, 2).join(''), {}, 5],
    ['a log that goes on from a cursor', lines.slice(1).join(''), { after: 0 }, 5],
    ['a log without its beginning', lines.slice(1).join(''), {}, 1],
    ['a log with a gap', lines.toSpliced(1, 1).join(''), {}, 1],
    ['a log with a repetition', [...lines, lines[2]].join(''), {}, 1],
    ['a log that is cut off', lines.join('').slice(0, -5), {}, 1],
    ['nothing', '', {}, 1],
  ])('of %s has its own exit code', async (_, text, options, exitCode) => {
    const { context: parts, out } = context(text);
    expect(await verify(parts, '-', options)).toBe(exitCode);
    expect(JSON.parse(out.text())).toMatchObject({ complete: exitCode === 0, gapFree: exitCode !== 1 });
  });

  it('tells people what it found', async () => {
    const whole = context(lines.join(''), true);
    await verify(whole.context, '-', {});
    expect(whole.out.text()).toBe('complete: 3 events, 0 to 2; the task completed\n');
    const cut = context(lines.toSpliced(1, 1).join(''), true);
    await verify(cut.context, '-', {});
    expect(cut.out.lines()[1]).toBe('  line 2: gap: Events 1 to 1 are missing');
  });

  it('refuses what it cannot read', async () => {
    const nowhere = verify(context('').context, path.join(await temporaryDirectory(), 'nothing'), {});
    await expect(nowhere).rejects.toBeInstanceOf(UsageError);
  });
});

describe('import', () => {
  it('shows events one a line, and leaves out what is none', async () => {
    const { context: parts, out, notes } = context(`${lines.join('')}nothing\n`);
    expect(await importExport(parts, '-', { transcript: false, json: false })).toBe(1);
    expect(out.lines()[1]).toBe('1 com.example.note.taken {"text":"\\u001b[2Jhello"}');
    expect(out.lines()).toHaveLength(3);
    expect(notes).toEqual(['1 lines are not events and were left out: see taskstream verify']);
  });

  it('reads files, as a transcript for programs too', async () => {
    const file = path.join(await temporaryDirectory(), 'task.ndjson');
    await writeFile(file, lines.join(''));
    const { context: parts, out } = context('');
    expect(await importExport(parts, file, { transcript: true, json: true })).toBe(0);
    expect(JSON.parse(out.text())).toMatchObject({ taskId: 't', status: 'completed', lastSeq: 2, notes: [{ seq: 1 }] });
  });
});
