/**
 * Work ahead, but hand over in order; send ahead, but not without a bound.
 *
 * Invariants: at most `ahead` items are being worked on; results come in the order of the items; a failure surfaces
 * at its item's turn, and none is left unhandled.
 */

/** Maps items with up to `ahead` of them under way, in their order. Nothing is started after the reader has left. */
export async function* mapInOrder<T, R>(
  items: ReadonlyArray<T>,
  ahead: number,
  work: (item: T) => Promise<R>,
): AsyncGenerator<R, void, void> {
  const running: Array<Promise<R>> = [];
  let next = 0;
  try {
    while (next < items.length || running.length > 0) {
      while (next < items.length && running.length < ahead) {
        running.push(handled(work(items[next] as T)));
        next += 1;
      }
      yield await (running.shift() as Promise<R>);
    }
  } finally {
    await Promise.allSettled(running);
  }
}

/** Promises that nobody waits for one by one: at most `max` at a time. */
export interface PendingWindow {
  /** Takes a promise; waits for the oldest when the window is full. @throws what the oldest failed with */
  add(promise: Promise<void>): Promise<void>;
  /** Waits for all that is left. @throws the first failure */
  drain(): Promise<void>;
}

export function createPendingWindow(max: number): PendingWindow {
  const pending: Array<Promise<void>> = [];
  return {
    async add(promise) {
      pending.push(handled(promise));
      if (pending.length >= max) await pending.shift();
    },
    async drain() {
      await Promise.all(pending.splice(0));
    },
  };
}

/** The same promise, marked as handled: whoever waits for it still sees its failure. */
function handled<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => {});
  return promise;
}
