/**
 * A service as a bare process: unlike test/support/system.ts it does not wait for it to be ready.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

export const SERVICES = ['front-end', 'worker'] as const;
export type Service = (typeof SERVICES)[number];

export interface SpawnedService {
  output(): string;
  kill(signal: NodeJS.Signals): void;
  readonly exited: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
  /** Ends it if it is still there. */
  end(): Promise<void>;
}

export function spawnService(
  service: Service,
  env: Readonly<Record<string, string>>,
  args: readonly string[],
): SpawnedService {
  const main = fileURLToPath(new URL(`../../../services/${service}/dist/main.js`, import.meta.url));
  const child = spawn(process.execPath, [main, ...args], {
    env: { PATH: process.env['PATH'], ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let text = '';
  child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (text += chunk.toString()));
  // `close`, not `exit`: what it has written is complete then.
  const exited = once(child, 'close').then(([code, signal]) => ({
    code: code as number | null,
    signal: signal as NodeJS.Signals | null,
  }));
  return {
    output: () => text,
    kill: (signal) => void child.kill(signal),
    exited,
    async end() {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
      await exited;
    },
  };
}
