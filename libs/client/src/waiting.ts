/** Waiting that an abort ends. */

/** Resolves after `ms`, or as soon as `signal` is aborted. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const over = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  await unlessAborted(over, signal).catch(() => undefined);
  clearTimeout(timer);
}

/** The value, unless the signal aborts first: then its reason is thrown. */
export function unlessAborted<T>(value: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason as Error);
    if (signal.aborted) onAbort();
    signal.addEventListener('abort', onAbort);
    value.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}

/** A controller that follows `signal`; abort it when it is no longer used, which ends the following. */
export function linked(signal: AbortSignal | undefined): AbortController {
  const own = new AbortController();
  if (signal?.aborted === true) own.abort(signal.reason);
  else signal?.addEventListener('abort', () => own.abort(signal.reason), { once: true, signal: own.signal });
  return own;
}
