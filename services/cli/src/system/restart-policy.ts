/**
 * When a process that ended unexpectedly is started again.
 *
 * Invariants: pure; the waits grow and are bounded; a process that keeps ending is given up.
 */
export interface RestartLimits {
  readonly windowMs: number;
  /** Restarts within the window. */
  readonly restartsMax: number;
  readonly backoffBaseMs: number;
  readonly backoffMsMax: number;
}

export const RESTART_LIMITS: RestartLimits = {
  windowMs: 60_000,
  restartsMax: 10,
  backoffBaseMs: 200,
  backoffMsMax: 5_000,
};

export type RestartDecision =
  | { readonly type: 'restart'; readonly delayMs: number }
  | { readonly type: 'give-up'; readonly endings: number };

/** `endedAtMs` are the times of all unexpected endings so far, the latest one included. */
export function decideRestart(endedAtMs: readonly number[], nowMs: number, limits: RestartLimits): RestartDecision {
  const endings = endedAtMs.filter((at) => nowMs - at < limits.windowMs).length;
  if (endings > limits.restartsMax) return { type: 'give-up', endings };
  const delayMs = Math.min(limits.backoffBaseMs * 2 ** Math.max(0, endings - 1), limits.backoffMsMax);
  return { type: 'restart', delayMs };
}
