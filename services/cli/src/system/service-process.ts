/**
 * A front end or worker as a child process with an IPC channel.
 *
 * Invariants: `launchService` resolves only after a valid `ready` message; a failed launch leaves no process; the
 * child is in a process group of its own, so that a Ctrl-C reaches us first, and it ends when our channel closes.
 */
import { fork } from 'node:child_process';
import * as z from 'zod';
import { SystemError } from '../exit-codes.js';
import { splitLines } from './line-splitter.js';
import type { RunningProcess } from './supervisor.js';

/** How many of the last lines are told when a child does not start. */
const LAST_LINES_MAX = 5;

export interface ServiceSpec<Ready> {
  readonly name: string;
  readonly modulePath: string;
  readonly env: Readonly<Record<string, string>>;
  readonly readySchema: z.ZodType<Ready>;
  readonly startMsMax: number;
  readonly onLine: (line: string) => void;
}

const AnyReady = z.looseObject({ type: z.literal('ready') });

/** Starts the child. Throws `SystemError` when it ends, stays silent, or says something else than agreed. */
export async function launchService<Ready>(
  spec: ServiceSpec<Ready>,
  signal: AbortSignal,
): Promise<RunningProcess & { readonly ready: Ready }> {
  const { name } = spec;
  signal.throwIfAborted();
  const child = fork(spec.modulePath, [], {
    env: { ...spec.env },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    execArgv: [],
    detached: true,
  });
  const lastLines: string[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    if (stream === null) continue;
    splitLines(stream, (line) => {
      lastLines.push(line);
      if (lastLines.length > LAST_LINES_MAX) lastLines.shift();
      spec.onLine(line);
    });
  }

  const ended = new Promise<string>((resolve) => {
    child.once('exit', (code, by) => resolve(by === null ? `exit code ${code}` : by));
    child.once('error', (error) => resolve(error.message));
  });
  let timer: NodeJS.Timeout | undefined;
  const onAbort = (): void => void child.kill('SIGKILL');
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    const ready = await new Promise<Ready>((resolve, reject) => {
      timer = setTimeout(
        () => reject(new SystemError(`${name} was not ready within ${spec.startMsMax} ms`)),
        spec.startMsMax,
      );
      child.on('message', (message) => {
        if (!AnyReady.safeParse(message).success) return;
        const parsed = spec.readySchema.safeParse(message);
        if (parsed.success) resolve(parsed.data);
        else reject(new SystemError(`${name} sent a ready message of another shape: ${z.prettifyError(parsed.error)}`));
      });
      void ended.then((how) => {
        const tail = lastLines.length === 0 ? '' : `. Its last lines:\n  ${lastLines.join('\n  ')}`;
        reject(new SystemError(`${name} did not start: ${how}${tail}`));
      });
    });
    if (child.pid === undefined) throw new SystemError(`${name} has no pid`);
    return { ready, pid: child.pid, ended, kill: (by) => void child.kill(by) };
  } catch (error) {
    child.kill('SIGKILL');
    await ended;
    throw error;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', onAbort);
  }
}
