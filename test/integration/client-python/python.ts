/** Runs the Python client of `libs/client-python` as others do: as a command of its own. */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

export const PYTHON_CLIENT = fileURLToPath(new URL('../../../libs/client-python', import.meta.url));
const PYTHON = 'python3';
const ENV = { PATH: process.env['PATH'], PYTHONPATH: `${PYTHON_CLIENT}/src`, PYTHONDONTWRITEBYTECODE: '1' };

/** Why the Python client cannot run here; undefined when it can. */
export function whyNoPython(): string | undefined {
  const found = spawnSync(PYTHON, ['-c', 'import sys; print(sys.version_info >= (3, 10))'], { encoding: 'utf8' });
  if (found.error !== undefined) return 'there is no python3 on the PATH';
  return found.stdout.trim() === 'True' ? undefined : 'python3 is older than 3.10';
}

export function runPython(args: readonly string[], command = PYTHON): { code: number | null; output: string } {
  const run = spawnSync(command, args, { cwd: PYTHON_CLIENT, env: ENV, encoding: 'utf8' });
  return { code: run.status, output: run.stdout + run.stderr };
}

export interface PythonFollow {
  readonly child: ChildProcess;
  /** The lines of standard output: the JSON text of each event's params, then the outcome. */
  readonly lines: readonly string[];
  /** What it told on standard error, one object a line. */
  readonly notices: ReadonlyArray<Readonly<Record<string, unknown>>>;
  /** Resolves with the exit code. */
  readonly ended: Promise<number | null>;
  /** Resolves when so many lines have come. */
  reached(count: number): Promise<void>;
}

export function followWithPython(
  endpoints: readonly string[],
  taskId: string,
  more: readonly string[] = [],
): PythonFollow {
  const urls = endpoints.flatMap((url) => ['--url', url]);
  const args = ['-m', 'taskstream_client', 'follow', taskId, ...urls, '--ndjson', '-v', ...more];
  const child = spawn(PYTHON, args, { cwd: PYTHON_CLIENT, env: ENV, stdio: ['ignore', 'pipe', 'pipe'] });
  const lines: string[] = [];
  const notices: Array<Readonly<Record<string, unknown>>> = [];
  const waiting = new Set<() => void>();
  const out = createInterface(child.stdout);
  out.on('line', (line) => {
    lines.push(line);
    for (const look of waiting) look();
  });
  const err = createInterface(child.stderr);
  err.on('line', (line) => notices.push(JSON.parse(line) as Readonly<Record<string, unknown>>));
  const ended = Promise.all([once(child, 'exit'), once(out, 'close'), once(err, 'close')]).then(([[code]]) => {
    for (const look of waiting) look();
    return code as number | null;
  });
  const reached = async (count: number): Promise<void> => {
    const enough = new Promise<void>((resolve) => {
      const look = () => {
        if (lines.length >= count) resolve();
      };
      waiting.add(look);
      look();
    });
    await Promise.race([
      enough,
      ended.then((code) => {
        if (lines.length < count)
          throw new Error(`ended with ${code} after ${lines.length} lines: ${JSON.stringify(notices)}`);
      }),
    ]);
  };
  return { child, lines, notices, ended, reached };
}
