/** Every program in docs/client.md runs, and prints what the document says. */
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startNats, type TestNats } from '../../support/nats.js';
import { startFrontEnd, startWorker, stopAll, type FrontEnd, type TestProcess } from '../../support/system.js';

// Below the repository, so that packages are found.
const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const FENCE = /((?:<!-- prints: .* -->\n)*)```js\n([^]*?)```/g;
const document = await readFile(join(ROOT, 'docs/client.md'), 'utf8');
const snippets = [...document.matchAll(FENCE)].map(([, prints = '', code = '']) => ({
  code,
  prints: [...prints.matchAll(/prints: (.*) -->/g)].map(([, text]) => text ?? ''),
}));

let nats: TestNats;
let processes: TestProcess[];
let frontEnds: FrontEnd[];
let folder: string;

beforeAll(async () => {
  nats = await startNats();
  const env = { TASKSTREAM_SESSION_KEY: 'a-key-of-thirty-two-characters-at-least' };
  const worker = await startWorker(nats.url);
  frontEnds = [await startFrontEnd(nats.url, env), await startFrontEnd(nats.url, env)];
  processes = [worker, ...frontEnds];
  await mkdir(join(ROOT, 'test-results'), { recursive: true });
  folder = await mkdtemp(join(ROOT, 'test-results/docs-'));
});

afterAll(async () => {
  await rm(folder, { recursive: true });
  await stopAll(processes);
  await nats[Symbol.asyncDispose]();
});

describe('docs/client.md', () => {
  it('has programs, and each says what it prints', () => {
    expect(snippets.length).toBeGreaterThanOrEqual(7);
    expect(snippets.filter(({ prints }) => prints.length === 0)).toEqual([]);
  });

  it.each(snippets.map((snippet, i) => ({ ...snippet, i, title: snippet.prints.join(', ') })))(
    'program $i prints: $title',
    async ({ code, prints, i }) => {
      const file = join(folder, `snippet-${i}.mjs`);
      const urls = frontEnds.map(({ endpoint }) => endpoint);
      await writeFile(
        file,
        code
          .replaceAll('http://127.0.0.1:3000/mcp', urls[0] ?? '')
          .replaceAll('http://127.0.0.1:3001/mcp', urls[1] ?? ''),
      );
      const env = { PATH: process.env['PATH'], CURSORS: join(folder, 'cursors.json') };
      const { stdout } = await promisify(execFile)(process.execPath, [file], { env, timeout: 50_000 });
      const lines = stdout.split('\n');
      for (const text of prints) expect(lines).toContain(text);
    },
  );
});
