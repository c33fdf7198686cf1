/**
 * The thread that keeps leases while the event loop of its process is blocked.
 *
 * Invariants: it extends only what has been extended within the lease, by the process or by itself, so a process that
 * stood still as a whole, or that was cut off, extends nothing before the process itself has confirmed its attempts;
 * it sends nothing while disconnected; it keeps nothing beyond `blockedMsMax`.
 */
import { writeSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import { connectBroker } from './broker.js';
import type { KeeperData, KeeperMessage } from './lease-keeper.js';
import { EXTEND } from './leased-message.js';

const NANOS_PER_MS = 1_000_000n;
const STDERR = 2;

const data = workerData as KeeperData;
const { leaseMs, blockedMsMax } = data;
const beat = new BigInt64Array(data.beat);
/** Task ids by ack subject. */
const leases = new Map<string, string>();
const nowMs = () => Number(process.hrtime.bigint() / NANOS_PER_MS);
let sentAtMs = 0;

parentPort?.on('message', (message: KeeperMessage) => {
  if (message.type === 'keep') leases.set(message.ackSubject, message.taskId);
  else leases.delete(message.ackSubject);
});

const broker = await connectBroker(data.connection);
// A port of a thread has no origin.
// oxlint-disable-next-line unicorn/require-post-message-target-origin
parentPort?.postMessage('ready');
setInterval(look, leaseMs / 12);

function look(): void {
  const beatAtMs = Number(Atomics.load(beat, 0) / NANOS_PER_MS);
  const blockedMs = nowMs() - beatAtMs;
  if (blockedMs < leaseMs / 6 || leases.size === 0) return;
  // Too late to be sure whose the leases are.
  if (nowMs() - Math.max(beatAtMs, sentAtMs) > (leaseMs * 2) / 3) return;
  if (blockedMs > blockedMsMax) return giveUp(blockedMs);
  if (!broker.connected) return;
  for (const ackSubject of leases.keys()) broker.nc.publish(ackSubject, EXTEND);
  sentAtMs = nowMs();
}

/** Nothing else in the process can say or do anything any more. */
function giveUp(blockedMs: number): void {
  const line = {
    level: 60,
    time: Date.now(),
    pid: process.pid,
    blockedMs,
    blockedMsMax,
    taskIds: [...leases.values()],
    msg:
      'The event loop has been blocked for longer than blockedMsMax: a tool computes without a pause. ' +
      'Ending this process; its tasks are taken over when their leases run out.',
  };
  writeSync(STDERR, `${JSON.stringify(line)}\n`);
  process.kill(process.pid, 'SIGKILL');
}
