/**
 * What is done to the system while it works, one fault after the other, until told to stop.
 *
 * Invariant: which worker or server is hit, and when, comes from the seed alone.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Ground } from './ground.js';

/** Numbers in [0, 1). */
export type Random = () => number;

export function randomOf(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

export function pick<T>(from: ReadonlyArray<T>, random: Random): T | undefined {
  return from[Math.floor(random() * from.length)];
}

/** Does its worst until the signal aborts, then makes everything whole; resolves with the number of faults. */
export type Fault = (ground: Ground, random: Random, everyMs: number, signal: AbortSignal) => Promise<number>;

async function repeat(everyMs: number, signal: AbortSignal, hit: () => Promise<boolean> | boolean): Promise<number> {
  let hits = 0;
  while (!signal.aborted) {
    await delay(everyMs, undefined, { signal }).catch(() => undefined);
    if (!signal.aborted && (await hit())) hits++;
  }
  return hits;
}

/** SIGKILL to one worker at a time. */
const kill: Fault = (ground, random, everyMs, signal) =>
  repeat(everyMs, signal, () => {
    const victim = pick(ground.workers.live, random);
    if (victim !== undefined) ground.workers.kill(victim);
    return victim !== undefined;
  });

/** SIGSTOP to one worker at a time, SIGCONT when its leases have long run out. */
const stop: Fault = async (ground, random, everyMs, signal) => {
  const stopped = new Set<Promise<void>>();
  const held = new Set<number>();
  const hits = await repeat(everyMs, signal, () => {
    // One stays, so that there is somebody to take over.
    if (held.size >= ground.workers.live.length - 1) return false;
    const victim = pick(
      ground.workers.live.filter((worker) => !held.has(worker.pid)),
      random,
    );
    if (victim === undefined) return false;
    victim.kill('SIGSTOP');
    held.add(victim.pid);
    const again = delay(ground.leaseMs * 2).then(() => {
      held.delete(victim.pid);
      stopped.delete(again);
      victim.kill('SIGCONT');
    });
    stopped.add(again);
    return true;
  });
  await Promise.all(stopped);
  return hits;
};

/** A nats-server dies and comes back, one at a time. */
const nats: Fault = (ground, random, everyMs, signal) =>
  repeat(everyMs, signal, async () => {
    const server = pick(ground.servers, random);
    if (server === undefined) return false;
    server.kill('SIGKILL');
    await server.exited;
    await delay(300);
    await server.restart();
    return true;
  });

/** All workers go, and as many come again. */
const scale: Fault = (ground, _random, everyMs, signal) =>
  repeat(everyMs, signal, async () => {
    const { length } = ground.workers.live;
    await ground.workers.scale(0);
    await delay(500);
    await ground.workers.scale(Math.max(length, 1));
    return true;
  });

export const FAULTS = { kill, stop, nats, scale } as const;
export type FaultName = keyof typeof FAULTS;
