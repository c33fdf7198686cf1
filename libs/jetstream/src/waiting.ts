/**
 * Waiting: sleeping, trying again while JetStream has no leader, and a bound on concurrent reads.
 *
 * Invariant: nothing here waits without a bound or a signal.
 */
import { TaskstreamError } from '@taskstream/core';
import { setTimeout as delay } from 'node:timers/promises';
import { classifyNatsError } from './nats-errors.js';

export async function sleep(ms: number): Promise<void> {
  await delay(ms);
}

/** Resolves after `ms` or when the signal aborts, whichever is first. Never rejects. */
export async function sleepOrAbort(ms: number, signal: AbortSignal): Promise<void> {
  await delay(ms, undefined, { signal }).catch(() => undefined);
}

/**
 * Calls `attempt` again while it fails with a fault that may pass, for at most `msMax`.
 * @throws TaskstreamError log_unavailable after that; any other error at once
 */
export async function whileUnavailable<T>(what: string, msMax: number, attempt: () => Promise<T>): Promise<T> {
  const deadline = Date.now() + msMax;
  for (let waitMs = 20; ; waitMs = Math.min(waitMs * 2, 500)) {
    try {
      return await attempt();
    } catch (error) {
      const fault = classifyNatsError(error);
      if (fault !== 'unavailable' && fault !== 'transient') throw error;
      if (Date.now() + waitMs > deadline) {
        throw new TaskstreamError('log_unavailable', `${what}: JetStream did not answer for ${msMax} ms`, {
          cause: error,
        });
      }
      await sleep(waitMs);
    }
  }
}

/** At most `max` holders at a time; the others wait in order. */
export class Semaphore {
  #free: number;
  readonly #onWait: () => void;
  readonly #waiting: Array<() => void> = [];

  /** `onWait` is told of each that finds no place free. */
  constructor(max: number, onWait: () => void) {
    this.#free = max;
    this.#onWait = onWait;
  }

  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free--;
    else {
      this.#onWait();
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#free++;
      else next();
    }
  }
}
