/**
 * Keeps leases while the event loop is blocked, by a thread with a connection of its own.
 *
 * Invariant: the process itself extends its leases; the thread steps in only when the beat of the event loop stops.
 */
import { Worker } from 'node:worker_threads';
import type { BrokerOptions } from './broker.js';

export interface LeaseKeeperOptions {
  /** Of the thread's own connection. What it holds is copied to the thread. */
  readonly connection: Omit<BrokerOptions, 'onStatus'>;
  readonly leaseMs: number;
  /** Longest block through which leases are kept; then the process ends by SIGKILL. */
  readonly blockedMsMax: number;
  /** The thread has ended by a fault: from now on a blocked event loop loses its leases. */
  readonly onFault: (error: Error) => void;
}

export interface LeaseKeeper {
  keep(ackSubject: string, taskId: string): void;
  release(ackSubject: string): void;
  close(): Promise<void>;
}

/** What the thread starts with. */
export interface KeeperData {
  readonly connection: LeaseKeeperOptions['connection'];
  readonly leaseMs: number;
  readonly blockedMsMax: number;
  /** One 64-bit integer: when the event loop last ran, on the clock that all threads share, in nanoseconds. */
  readonly beat: SharedArrayBuffer;
}

export type KeeperMessage =
  | { readonly type: 'keep'; readonly ackSubject: string; readonly taskId: string }
  | { readonly type: 'release'; readonly ackSubject: string };

const BEATS_PER_LEASE = 24;

/** Resolves when the thread is connected. @throws Error when it cannot start */
export async function startLeaseKeeper(options: LeaseKeeperOptions): Promise<LeaseKeeper> {
  const { connection, leaseMs, blockedMsMax, onFault } = options;
  const data: KeeperData = { connection, leaseMs, blockedMsMax, beat: new SharedArrayBuffer(8) };
  const beat = new BigInt64Array(data.beat);
  const tick = () => Atomics.store(beat, 0, process.hrtime.bigint());
  tick();
  const ticking = setInterval(tick, leaseMs / BEATS_PER_LEASE);
  const thread = new Worker(new URL('./lease-keeper-thread.js', import.meta.url), {
    workerData: data,
    name: 'lease-keeper',
    resourceLimits: { maxOldGenerationSizeMb: 64 },
  });
  let closing = false;
  const tell = (message: KeeperMessage) => {
    // A thread has no origin.
    // oxlint-disable-next-line unicorn/require-post-message-target-origin
    if (!closing) thread.postMessage(message);
  };
  try {
    await new Promise<void>((resolve, reject) => {
      thread.once('message', () => resolve());
      thread.once('error', reject);
      thread.once('exit', (code) => reject(new Error(`the lease keeper ended with code ${code}`)));
    });
  } catch (error) {
    clearInterval(ticking);
    throw error;
  }
  thread.removeAllListeners();
  thread.on('error', onFault);
  thread.unref();
  return {
    keep: (ackSubject, taskId) => tell({ type: 'keep', ackSubject, taskId }),
    release: (ackSubject) => tell({ type: 'release', ackSubject }),
    async close() {
      closing = true;
      clearInterval(ticking);
      thread.removeAllListeners();
      await thread.terminate();
    },
  };
}
