/** Timers longer than the runtime's own. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { afterMs } from '../src/long-timer.js';

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] }));
afterEach(() => void vi.useRealTimers());

const DAY_MS = 86_400_000;

describe('afterMs', () => {
  it.each([0, 1, 1_000, 24 * DAY_MS, 25 * DAY_MS, 60 * DAY_MS, 400 * DAY_MS])(
    'calls back after %i ms, once, and not before',
    async (ms) => {
      let calls = 0;
      afterMs(ms, () => void calls++);
      await vi.advanceTimersByTimeAsync(Math.max(0, ms - 1));
      expect(calls).toBe(ms === 0 ? 1 : 0);
      await vi.advanceTimersByTimeAsync(2);
      expect(calls).toBe(1);
      await vi.advanceTimersByTimeAsync(60 * DAY_MS);
      expect(calls).toBe(1);
    },
  );

  it('calls back at once for a time that has passed', async () => {
    let calls = 0;
    afterMs(-5_000, () => void calls++);
    await vi.advanceTimersByTimeAsync(0);
    expect(calls).toBe(1);
  });

  it.each([1_000, 60 * DAY_MS])('does not call back when it is stopped on the way to %i ms', async (ms) => {
    let calls = 0;
    const stop = afterMs(ms, () => void calls++);
    await vi.advanceTimersByTimeAsync(ms / 2);
    stop();
    await vi.advanceTimersByTimeAsync(ms);
    expect(calls).toBe(0);
    expect(vi.getTimerCount()).toBe(0);
  });
});
