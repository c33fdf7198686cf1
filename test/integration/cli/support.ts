/** Runs the built command line as a user would: as processes, over pipes. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { onTestFinished } from 'vitest';

export const BIN = path.resolve(import.meta.dirname, '../../../services/cli/bin/taskstream.js');

export interface Command {
  readonly child: ChildProcess;
  readonly exit: Promise<number | null>;
  out(): string;
  err(): string;
  lines(): string[];
}

/** Starts a command with an environment without taskstream's own keys; with `input`, standard input is a pipe. */
export function taskstream(
  argv: readonly string[],
  options: { cwd?: string; env?: Record<string, string>; input?: boolean } = {},
): Command {
  const clean = Object.entries(process.env).filter(([name]) => !/^(TASKSTREAM_|NATS_URL$)/.test(name));
  const child: ChildProcess = spawn(process.execPath, [BIN, ...argv], {
    stdio: [options.input === true ? 'pipe' : 'ignore', 'pipe', 'pipe'],
    env: { ...Object.fromEntries(clean), ...options.env },
    ...(options.cwd !== undefined && { cwd: options.cwd }),
  });
  let out = '';
  let err = '';
  child.stdout?.on('data', (chunk: Buffer) => (out += chunk.toString()));
  child.stderr?.on('data', (chunk: Buffer) => (err += chunk.toString()));
  onTestFinished(() => void child.kill('SIGKILL'));
  return {
    child,
    exit: once(child, 'close').then(([code]) => code as number | null),
    out: () => out,
    err: () => err,
    lines: () => out.split('\n').filter((line) => line !== ''),
  };
}

/** Runs a command to its end. */
export async function run(argv: readonly string[], options: { cwd?: string; env?: Record<string, string> } = {}) {
  const command = taskstream(argv, options);
  const exitCode = await command.exit;
  return { exitCode, out: command.out(), err: command.err(), lines: command.lines() };
}

export interface Ready {
  readonly endpoints: readonly string[];
  readonly nats: string;
  readonly pids: { readonly frontEnds: number[]; readonly workers: number[]; readonly nats: number[] };
}

/** `up --json` in a directory of its own, on free ports. */
export async function startUp(
  argv: readonly string[],
  env: Record<string, string> = {},
): Promise<{ readonly command: Command; readonly ready: Ready; readonly cwd: string }> {
  const cwd = await mkdtemp(path.join(tmpdir(), 'taskstream-up-'));
  const command = taskstream(['up', '--json', '--port', '0', ...argv], { cwd, env });
  onTestFinished(async () => {
    command.child.kill('SIGTERM');
    await command.exit;
    await rm(cwd, { recursive: true, force: true, maxRetries: 5 });
  }, 45_000);
  await until(() => command.lines().length > 0 || command.child.exitCode !== null, 'up is ready', 45_000);
  const [line] = command.lines();
  if (line === undefined) throw new Error(`up did not become ready: ${command.err()}`);
  return { command, ready: JSON.parse(line) as Ready, cwd };
}

export async function until(condition: () => boolean | Promise<boolean>, what: string, msMax = 20_000): Promise<void> {
  const deadline = performance.now() + msMax;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`Not within ${msMax} ms: ${what}`);
    await sleep(20);
  }
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** The seqs of event lines. */
export function seqsOf(lines: readonly string[]): readonly number[] {
  return lines.flatMap((line) => {
    const value = JSON.parse(line) as { seq?: number };
    return value.seq === undefined ? [] : [value.seq];
  });
}

export function outcomeOf(lines: readonly string[]): Record<string, unknown> {
  return (JSON.parse(lines.at(-1) ?? '{}') as { outcome: Record<string, unknown> }).outcome;
}
