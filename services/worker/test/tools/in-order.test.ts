import { describe, expect, it } from 'vitest';
import { createPendingWindow, mapInOrder } from '../../src/tools/audit/in-order.js';

interface Gate {
  readonly promise: Promise<void>;
  open(): void;
  fail(error: Error): void;
}

function gate(): Gate {
  const { promise, resolve, reject } = (() => {
    let open = (): void => {};
    let fail = (_error: Error): void => {};
    const made = new Promise<void>((res, rej) => {
      open = res;
      fail = rej;
    });
    return { promise: made, resolve: open, reject: fail };
  })();
  return { promise, open: resolve, fail: reject };
}

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('mapInOrder', () => {
  it('hands over in order whatever finishes first', async () => {
    const gates = [gate(), gate(), gate()];
    const out: number[] = [];
    const reading = (async () => {
      for await (const n of mapInOrder([0, 1, 2], 3, async (i) => {
        await gates[i]?.promise;
        return i;
      })) {
        out.push(n);
      }
    })();
    gates[2]?.open();
    gates[1]?.open();
    await settled();
    expect(out).toEqual([]);
    gates[0]?.open();
    await reading;
    expect(out).toEqual([0, 1, 2]);
  });

  it('never has more than its bound under way', async () => {
    let running = 0;
    let most = 0;
    const items = Array.from({ length: 50 }, (_, i) => i);
    const out: number[] = [];
    for await (const n of mapInOrder(items, 4, async (i) => {
      running += 1;
      most = Math.max(most, running);
      await settled();
      running -= 1;
      return i;
    })) {
      out.push(n);
    }
    expect(out).toEqual(items);
    expect(most).toBe(4);
  });

  it('fails at the turn of the item that failed, and waits for what is under way', async () => {
    const slow = gate();
    let ended = false;
    const out: number[] = [];
    const reading = (async () => {
      for await (const n of mapInOrder([0, 1, 2], 3, async (i) => {
        if (i === 1) throw new Error('one');
        if (i === 2) {
          await slow.promise;
          ended = true;
        }
        return i;
      })) {
        out.push(n);
      }
    })();
    setImmediate(() => slow.open());
    await expect(reading).rejects.toThrow('one');
    expect(out).toEqual([0]);
    expect(ended).toBe(true);
  });

  it('starts nothing after the reader has left', async () => {
    const started: number[] = [];
    for await (const n of mapInOrder([0, 1, 2, 3, 4, 5], 2, async (i) => {
      started.push(i);
      return i;
    })) {
      if (n === 1) break;
    }
    expect(started).toEqual([0, 1, 2]);
  });

  it('of nothing is nothing', async () => {
    const out: unknown[] = [];
    for await (const n of mapInOrder([], 2, async (i) => i)) out.push(n);
    expect(out).toEqual([]);
  });
});

describe('a window of pending promises', () => {
  it('lets in until it is full, then waits for the oldest', async () => {
    const gates = [gate(), gate(), gate()];
    const window = createPendingWindow(3);
    await window.add((gates[0] as Gate).promise);
    await window.add((gates[1] as Gate).promise);
    let entered = false;
    const third = window.add((gates[2] as Gate).promise).then(() => {
      entered = true;
    });
    gates[1]?.open();
    await settled();
    expect(entered).toBe(false);
    gates[0]?.open();
    await third;
    expect(entered).toBe(true);
    let drained = false;
    const draining = window.drain().then(() => {
      drained = true;
    });
    await settled();
    expect(drained).toBe(false);
    gates[2]?.open();
    await draining;
  });

  it('throws what failed, when it is full or when it is drained', async () => {
    const failing = createPendingWindow(2);
    await failing.add(Promise.reject(new Error('first')));
    await expect(failing.add(Promise.resolve())).rejects.toThrow('first');
    const other = createPendingWindow(9);
    await other.add(Promise.reject(new Error('second')));
    await settled();
    await expect(other.drain()).rejects.toThrow('second');
  });
});
