/** Every program in the documents of the clients runs, and prints what the document says. */
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startNats, type TestNats } from '../../support/nats.js';
import { startFrontEnd, startWorker, stopAll, type FrontEnd, type TestProcess } from '../../support/system.js';
import { PYTHON_CLIENT, whyNoPython } from '../client-python/python.js';

// Below the repository, so that packages are found.
const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const DOCUMENTS = [
  { path: 'docs/client.md', language: 'js', command: process.execPath, ending: 'mjs' },
  { path: 'libs/client-python/README.md', language: 'python', command: 'python3', ending: 'py' },
];
const FENCE = /((?:<!-- prints: .* -->\n+)*)```(\w+)\n([^]*?)```/g;
const why = whyNoPython();
if (why !== undefined) process.stderr.write(`NOT TESTED: the programs of the Python client, because ${why}\n`);

const programsOf = async (path: string, language: string) => {
  const fences = [...(await readFile(join(ROOT, path), 'utf8')).matchAll(FENCE)];
  return fences
    .filter(([, , found]) => found === language)
    .map(([, prints = '', , code = ''], i) => {
      const said = [...prints.matchAll(/prints: (.*) -->/g)].map(([, text]) => text ?? '');
      return { code, i, prints: said, title: said.join(', ') };
    });
};
const documents = await Promise.all(
  DOCUMENTS.map(async (document) => ({ ...document, programs: await programsOf(document.path, document.language) })),
);

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

describe.each(documents)('$path', ({ path, command, ending, programs }) => {
  it('has programs, and each says what it prints', () => {
    expect(programs.length).toBeGreaterThanOrEqual(5);
    expect(programs.filter(({ prints }) => prints.length === 0)).toEqual([]);
  });

  it.runIf(ending === 'mjs' || why === undefined).each(programs)(
    'program $i prints: $title',
    async ({ code, prints, i }) => {
      const file = join(folder, `snippet-${i}.${ending}`);
      const urls = frontEnds.map(({ endpoint }) => endpoint);
      await writeFile(
        file,
        code
          .replaceAll('http://127.0.0.1:3000/mcp', urls[0] ?? '')
          .replaceAll('http://127.0.0.1:3001/mcp', urls[1] ?? ''),
      );
      const env = {
        PATH: process.env['PATH'],
        PYTHONPATH: join(PYTHON_CLIENT, 'src'),
        PYTHONDONTWRITEBYTECODE: '1',
        CURSORS: join(folder, `cursors-${basename(path)}.json`),
      };
      const { stdout } = await promisify(execFile)(command, [file], { env, timeout: 50_000 });
      const lines = stdout.split('\n');
      for (const text of prints) expect(lines).toContain(text);
    },
  );
});
