/**
 * A promise that knows whether anybody looked at it.
 *
 * Invariant: a rejection is either seen by whoever awaited it or handed to `onUnseen`; it never becomes an unhandled
 * rejection that would end the process.
 */
export function observed(promise: Promise<void>, onUnseen: (error: unknown) => void): Promise<void> {
  let seen = false;
  promise.catch((error: unknown) => {
    if (!seen) onUnseen(error);
  });
  return {
    // oxlint-disable-next-line unicorn/no-thenable -- being awaited is what has to be noticed
    then: (onFulfilled, onRejected) => {
      seen = true;
      return promise.then(onFulfilled, onRejected);
    },
    catch: (onRejected) => {
      seen = true;
      return promise.catch(onRejected);
    },
    finally: (onFinally) => {
      seen = true;
      return promise.finally(onFinally);
    },
    [Symbol.toStringTag]: 'Promise',
  };
}
