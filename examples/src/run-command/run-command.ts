/**
 * Runs a build, a test run or any other command that the operator allows, and streams its output line by line.
 *
 * Invariants: a caller names a command, never its arguments; each output stream keeps its order, and both come in the
 * order of arrival; a slow log slows the command down; what a command may say is bounded; a cancel ends its whole
 * process group.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { defineTool, ToolError, type Task, type Tool } from '@taskstream/worker';
import * as z from 'zod';
import { LineSplitter } from './line-splitter.js';

export const RunCommandOptions = z.strictObject({
  /** What may be run: program and arguments, by the name that a caller gives. */
  commands: z.record(z.string().min(1), z.array(z.string()).min(1)),
  workingDirectory: z.string().min(1).default('.'),
  /** More output is dropped, and the task says so. */
  outputBytesMax: z.int().positive().default(10_000_000),
  /** A longer line is given in pieces, in characters. */
  lineLengthMax: z.int().positive().default(10_000),
  /** Lines that wait for the log before the command is slowed down. */
  linesWaitingMax: z.int().positive().default(1_000),
  /** From SIGTERM to SIGKILL. */
  killGraceMs: z.int().positive().default(3_000),
});
type Options = z.output<typeof RunCommandOptions>;

const events = {
  'com.example.command.started': z.object({ command: z.string(), argv: z.array(z.string()) }),
  'com.example.command.line': z.object({ stream: z.enum(['stdout', 'stderr']), text: z.string() }),
  /** From here on output is dropped. */
  'com.example.command.truncated': z.object({ outputBytesMax: z.int() }),
};
type Line = { stream: 'stdout' | 'stderr'; text: string };

/** @throws ZodError when the options are not valid */
export function runCommandTool(given: z.input<typeof RunCommandOptions>): Tool {
  const options = RunCommandOptions.parse(given);
  const names = Object.keys(options.commands);
  return defineTool({
    name: 'run_command',
    description: `Runs a command and streams its output line by line. Commands: ${names.join(', ')}`,
    inputSchema: z.object({ command: z.enum(names) }),
    outputSchema: z.object({
      exitCode: z.int().nullable(),
      signal: z.string().nullable(),
      lines: z.int(),
      truncated: z.boolean(),
    }),
    events,
    async run({ command }, task) {
      const argv = options.commands[command] as string[];
      await task.emit('com.example.command.started', { command, argv });
      const { exitCode, signal, lines, truncated } = await runOne(argv, options, task);
      const how = exitCode === null ? `was ended by ${String(signal)}` : `ended with exit code ${exitCode}`;
      return {
        content: [{ type: 'text', text: `${command} ${how} after ${lines} lines` }],
        structuredContent: { exitCode, signal, lines, truncated },
        isError: exitCode !== 0,
      };
    },
  });
}

async function runOne([program = '', ...args]: string[], options: Options, task: Task<typeof events>) {
  const child = spawn(program, args, {
    cwd: options.workingDirectory,
    stdio: ['ignore', 'pipe', 'pipe'],
    // A group of its own, so that what it starts ends with it.
    detached: true,
  });
  try {
    await once(child, 'spawn');
  } catch (error) {
    throw new ToolError(`${program} cannot be started: ${error instanceof Error ? error.message : String(error)}`);
  }
  const ended = once(child, 'close') as Promise<[number | null, NodeJS.Signals | null]>;
  const stop = (): void => void endGroup(child, options.killGraceMs, ended);
  task.signal.addEventListener('abort', stop, { once: true });
  if (task.signal.aborted) stop();
  try {
    const told = await tellLines(child, options, task);
    const [exitCode, signal] = await ended;
    task.signal.throwIfAborted();
    return { exitCode, signal, ...told };
  } catch (error) {
    await endGroup(child, options.killGraceMs, ended).catch(() => undefined);
    throw error;
  } finally {
    task.signal.removeEventListener('abort', stop);
  }
}

/** Emits lines as they come, many at a time when there are many. */
async function tellLines(child: ChildProcess, options: Options, task: Task<typeof events>) {
  const waiting: Line[] = [];
  let open = 0;
  let wake: () => void = () => undefined;
  const sources = [child.stdout, child.stderr];
  for (const [i, source] of sources.entries()) {
    if (source === null) continue;
    open++;
    const stream = i === 0 ? 'stdout' : 'stderr';
    const splitter = new LineSplitter(options.lineLengthMax);
    const take = (lines: string[]): void => {
      for (const text of lines) waiting.push({ stream, text });
      if (waiting.length > options.linesWaitingMax) for (const one of sources) one?.pause();
      wake();
    };
    source.on('data', (chunk: Buffer) => take(splitter.push(chunk)));
    source.once('close', () => {
      open--;
      take(splitter.end());
    });
  }
  let bytes = 0;
  let lines = 0;
  let truncated = false;
  while (open > 0 || waiting.length > 0) {
    if (waiting.length === 0) await new Promise<void>((resolve) => (wake = resolve));
    const durable: Promise<void>[] = [];
    for (const line of waiting.splice(0)) {
      bytes += Buffer.byteLength(line.text) + 1;
      if (bytes <= options.outputBytesMax) {
        lines++;
        durable.push(task.emit('com.example.command.line', line));
      } else if (!truncated) {
        truncated = true;
        durable.push(task.emit('com.example.command.truncated', { outputBytesMax: options.outputBytesMax }));
      }
    }
    await Promise.all(durable);
    for (const one of sources) one?.resume();
  }
  return { lines, truncated };
}

async function endGroup(child: ChildProcess, killGraceMs: number, ended: Promise<unknown>): Promise<void> {
  const { pid } = child;
  if (pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  kill(pid, 'SIGTERM');
  const gone = await Promise.race([ended.then(() => true), sleep(killGraceMs, false, { ref: false })]);
  if (!gone) kill(pid, 'SIGKILL');
}

function kill(group: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-group, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
