/**
 * Promises that know whether anybody looked at them.
 *
 * Invariants: a rejection is seen by whoever handles it, or it is `firstUnseen`; it never becomes an unhandled
 * rejection that would end the process; what was unseen and is handled later is seen.
 */

/** More unseen rejections than this are not kept: the first one is what counts. */
const UNSEEN_MAX = 100;

interface Rejection {
  readonly error: unknown;
}

export class ObservedPromises {
  readonly #unseen = new Set<Rejection>();

  /** The first rejection that nobody has looked at up to now. */
  get firstUnseen(): Rejection | undefined {
    return this.#unseen.values().next().value;
  }

  /** A promise that is handled where it has a handler for rejections; what is chained to it without one is observed too. */
  observe<T>(promise: Promise<T>): Promise<T> {
    return this.start(() => promise);
  }

  /** The same for work that wants to know whether somebody looks at its promise. */
  start<T>(work: (seen: () => boolean) => Promise<T>): Promise<T> {
    let seen = false;
    let rejection: Rejection | undefined;
    const promise = work(() => seen);
    promise.catch((error: unknown) => {
      if (seen || this.#unseen.size >= UNSEEN_MAX) return;
      rejection = { error };
      this.#unseen.add(rejection);
    });
    const look = () => {
      seen = true;
      if (rejection !== undefined) this.#unseen.delete(rejection);
    };
    return {
      // oxlint-disable-next-line unicorn/no-thenable -- being awaited is what has to be noticed
      then: (onFulfilled, onRejected) => {
        look();
        const next = promise.then(onFulfilled, onRejected);
        return typeof onRejected === 'function' ? next : this.observe(next);
      },
      catch: (onRejected) => {
        look();
        const next = promise.catch(onRejected);
        return typeof onRejected === 'function' ? next : this.observe(next);
      },
      finally: (onFinally) => {
        look();
        return this.observe(promise.finally(onFinally));
      },
      [Symbol.toStringTag]: 'Promise',
    };
  }
}
