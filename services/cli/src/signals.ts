/**
 * SIGINT, SIGTERM and SIGHUP as an abort signal, and what comes after the first one.
 */
import { performance } from 'node:perf_hooks';

/** A terminal signals the whole group, and npm passes the same signal on: both are one wish. */
const SAME_SIGNAL_MS = 500;

export interface Signals {
  /** Aborts at the first signal. */
  readonly first: AbortSignal;
  readonly onSecond: (listener: () => void) => void;
}

/** The part of `process` that is watched; a fake one in tests. */
export interface SignalHost {
  on(event: string, listener: () => void): unknown;
  exit(code: number): void;
}

/** Without a listener for it, a second signal ends the process with code 130. */
export function watchSignals(host: SignalHost, nowMs: () => number = () => performance.now()): Signals {
  const first = new AbortController();
  const listeners: (() => void)[] = [];
  let latest: { readonly name: string; readonly atMs: number } | undefined;
  const onSignal = (name: string): void => {
    const atMs = nowMs();
    if (latest?.name === name && atMs - latest.atMs < SAME_SIGNAL_MS) return;
    latest = { name, atMs };
    if (!first.signal.aborted) first.abort(new Error('interrupted'));
    else if (listeners.length === 0) host.exit(130);
    else for (const listener of listeners) listener();
  };
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP']) host.on(name, () => onSignal(name));
  return { first: first.signal, onSecond: (listener) => void listeners.push(listener) };
}
