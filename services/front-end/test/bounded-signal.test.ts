/** The end of a wait: whatever else happens, it comes. */
import { setTimeout as delay } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { boundedSignal } from '../src/mcp/bounded-signal.js';

const aborted = (signal: AbortSignal) =>
  new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));

describe('a bounded signal', () => {
  it('aborts in time, though nothing but its listener is left after a collection', async () => {
    setFlagsFromString('--expose_gc');
    const collect = runInNewContext('gc') as () => void;
    const other = new AbortController();
    const end = aborted(boundedSignal(200, other.signal).signal);
    for (let i = 0; i < 5; i++) {
      await delay(5);
      collect();
    }
    await end;
    expect(other.signal.aborted).toBe(false);
  });

  it('aborts with the first of the others', async () => {
    const [one, two] = [new AbortController(), new AbortController()];
    using bound = boundedSignal(60_000, one.signal, two.signal);
    two.abort();
    expect(bound.signal.aborted).toBe(true);
  });

  it('leaves no timer behind', async () => {
    const { signal, ...bound } = boundedSignal(20);
    bound[Symbol.dispose]();
    await delay(60);
    expect(signal.aborted).toBe(false);
  });
});
