/**
 * An end to a wait, by time or by what others say.
 *
 * Invariant: the time holds. `AbortSignal.any` keeps its sources weakly, and an `AbortSignal.timeout` that nothing else
 * holds is collected with its timer (Node 20): such a wait would not end.
 */
export interface BoundedSignal extends Disposable {
  readonly signal: AbortSignal;
}

/** Aborts after `ms`, or with the first of `signals`; to be disposed of when the wait is over. */
export function boundedSignal(ms: number, ...signals: readonly AbortSignal[]): BoundedSignal {
  const over = new AbortController();
  const timer = setTimeout(() => over.abort(), ms);
  return {
    signal: AbortSignal.any([over.signal, ...signals]),
    [Symbol.dispose]: () => clearTimeout(timer),
  };
}
