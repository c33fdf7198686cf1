/** Waiting that an abort ends. */

/** Resolves after `ms`, or as soon as `signal` is aborted. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) {
      resolve();
      return;
    }
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener('abort', done);
  });
}

/** A controller that follows `signal`; abort it when it is no longer used, which ends the following. */
export function linked(signal: AbortSignal | undefined): AbortController {
  const own = new AbortController();
  if (signal?.aborted === true) own.abort(signal.reason);
  else signal?.addEventListener('abort', () => own.abort(signal.reason), { once: true, signal: own.signal });
  return own;
}
