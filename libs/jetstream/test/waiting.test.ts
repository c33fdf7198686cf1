/** Waiting: bounded retries of what may pass, and a bound on what runs at a time. */
import { errors } from '@nats-io/transport-node';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { Semaphore, sleepOrAbort, whileUnavailable } from '../src/waiting.js';

describe('whileUnavailable', () => {
  it('gives the first answer that there is', async () => {
    let calls = 0;
    const answer = await whileUnavailable('reading', 10_000, async () => {
      if (++calls < 4) throw new errors.TimeoutError();
      return calls;
    });
    expect(answer).toBe(4);
  });

  it('gives up at its bound with what it was doing, and keeps the cause', async () => {
    let calls = 0;
    const cause = new errors.TimeoutError();
    const answer = whileUnavailable('reading TASKS_d_0', 300, async () => {
      calls++;
      throw cause;
    });
    await expect(answer).rejects.toMatchObject({
      code: 'log_unavailable',
      message: expect.stringContaining('reading TASKS_d_0: JetStream did not answer for 300 ms') as string,
      cause,
    });
    // It waits longer and longer in between.
    expect(calls).toBeGreaterThan(1);
    expect(calls).toBeLessThan(6);
  });

  it('does not try again what will not pass', async () => {
    let calls = 0;
    const fault = new TypeError('a fault of ours');
    await expect(
      whileUnavailable('reading', 10_000, async () => {
        calls++;
        throw fault;
      }),
    ).rejects.toBe(fault);
    expect(calls).toBe(1);
  });
});

describe('Semaphore', () => {
  it('lets so many run at a time, in order, and goes on after a failure', async () => {
    let waited = 0;
    const semaphore = new Semaphore(3, () => waited++);
    let running = 0;
    let most = 0;
    const order: number[] = [];
    const settled = await Promise.allSettled(
      Array.from({ length: 10 }, (_e, i) =>
        semaphore.run(async () => {
          order.push(i);
          most = Math.max(most, ++running);
          await delay(5);
          running--;
          if (i === 2) throw new Error('no');
          return i;
        }),
      ),
    );
    expect(most).toBe(3);
    expect(order).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(settled.filter((r) => r.status === 'rejected')).toHaveLength(1);
    expect(waited).toBe(7);
  });
});

describe('sleepOrAbort', () => {
  it('ends with its time or its signal, whichever is first, and never rejects', async () => {
    const abort = new AbortController();
    const waits = [sleepOrAbort(600_000, abort.signal), sleepOrAbort(600_000, AbortSignal.abort())];
    await sleepOrAbort(20, new AbortController().signal);
    abort.abort();
    expect(await Promise.all(waits)).toEqual([undefined, undefined]);
  });
});
