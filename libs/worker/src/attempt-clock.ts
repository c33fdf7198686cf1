/**
 * The time limits of one attempt: its length, and how long a tool may say nothing.
 *
 * Invariants: a tool that waits for somebody else is not idle; silence is noticed at most a quarter of its limit late.
 */
import { afterMs } from './long-timer.js';
import { AttemptTimeout } from './outcome.js';

export interface AttemptLimits {
  readonly timeoutMs: number | undefined;
  readonly idleTimeoutMs: number | undefined;
}

/** What tells whether the tool does anything. */
export interface Liveliness {
  /** Changes whenever the tool does something: emits, reports, beats. */
  readonly activity: () => number;
  /** Whether the tool waits for an answer. */
  readonly waiting: () => boolean;
}

const LOOKS_PER_LIMIT = 4;

/** Calls `onTimeout` at most once. Returns what stops the clock. */
export function startClock(
  limits: AttemptLimits,
  liveliness: Liveliness,
  onTimeout: (error: AttemptTimeout) => void,
): () => void {
  const stops: Array<() => void> = [];
  let over = false;
  const expire = (message: string) => {
    if (over) return;
    over = true;
    onTimeout(new AttemptTimeout(message));
  };
  const { timeoutMs, idleTimeoutMs } = limits;
  if (timeoutMs !== undefined) {
    stops.push(afterMs(timeoutMs, () => expire(`The attempt took longer than ${timeoutMs} ms`)));
  }
  if (idleTimeoutMs !== undefined) {
    let seen = liveliness.activity();
    let activeAt = performance.now();
    const timer = setInterval(
      () => {
        const activity = liveliness.activity();
        if (activity !== seen || liveliness.waiting()) {
          seen = activity;
          activeAt = performance.now();
        } else if (performance.now() - activeAt >= idleTimeoutMs) {
          expire(`The tool said nothing for ${idleTimeoutMs} ms`);
        }
      },
      Math.max(1, idleTimeoutMs / LOOKS_PER_LIMIT),
    );
    stops.push(() => clearInterval(timer));
  }
  return () => {
    over = true;
    for (const stop of stops) stop();
  };
}
