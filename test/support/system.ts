/**
 * The whole system as real processes: front ends and workers against a nats-server, started and killed by tests.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const FRONT_END = fileURLToPath(new URL('../../services/front-end/dist/main.js', import.meta.url));
const WORKER = fileURLToPath(new URL('../../services/worker/dist/main.js', import.meta.url));
export const FIXTURE_TOOLS = fileURLToPath(new URL('./fixture-tools.mjs', import.meta.url));

export interface TestProcess {
  readonly child: ChildProcess;
  readonly pid: number;
  /** What the process said when it was ready. */
  readonly ready: Readonly<Record<string, unknown>>;
  /** Everything that it has written so far. */
  log(): string;
  kill(signal: NodeJS.Signals): void;
  readonly exited: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
}

async function launch(file: string, env: Readonly<Record<string, string>>): Promise<TestProcess> {
  const child = spawn(process.execPath, [file], {
    env: { PATH: process.env['PATH'], NODE_EXTRA_CA_CERTS: process.env['NODE_EXTRA_CA_CERTS'], ...env },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  let text = '';
  child.stdout?.on('data', (chunk: Buffer) => (text += chunk.toString()));
  child.stderr?.on('data', (chunk: Buffer) => (text += chunk.toString()));
  const exited = once(child, 'exit').then(([code, signal]) => ({
    code: code as number | null,
    signal: signal as NodeJS.Signals | null,
  }));
  const ready = await Promise.race([
    once(child, 'message').then(([message]) => message as Record<string, unknown>),
    exited.then(() => {
      throw new Error(`${file} ended before it was ready:\n${text}`);
    }),
  ]);
  return { child, pid: child.pid as number, ready, log: () => text, kill: (signal) => void child.kill(signal), exited };
}

export interface FrontEnd extends TestProcess {
  /** URL of /mcp. */
  readonly endpoint: string;
}

export async function startFrontEnd(natsUrl: string | string[], env: Record<string, string> = {}): Promise<FrontEnd> {
  const process_ = await launch(FRONT_END, {
    TASKSTREAM_NATS_URL: [natsUrl].flat().join(','),
    TASKSTREAM_PORT: '0',
    ...env,
  });
  return { ...process_, endpoint: String(process_.ready['endpoint']) };
}

/** A worker with the fixture tools, unless `TASKSTREAM_TOOLS` says otherwise. Its lease is short. */
export async function startWorker(natsUrl: string | string[], env: Record<string, string> = {}): Promise<TestProcess> {
  return launch(WORKER, {
    TASKSTREAM_NATS_URL: [natsUrl].flat().join(','),
    TASKSTREAM_TOOLS: FIXTURE_TOOLS,
    TASKSTREAM_LEASE_MS: '2000',
    ...env,
  });
}

/** Ends processes that are still there, as gently as `signal` is. */
export async function stopAll(
  processes: ReadonlyArray<TestProcess>,
  signal: NodeJS.Signals = 'SIGTERM',
): Promise<void> {
  for (const p of processes) {
    if (p.child.exitCode !== null || p.child.signalCode !== null) continue;
    p.kill('SIGCONT');
    p.kill(signal);
  }
  await Promise.all(processes.map((p) => p.exited));
}
