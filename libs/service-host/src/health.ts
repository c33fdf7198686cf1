/**
 * Whether a service may get traffic, as named checks.
 *
 * Invariant: ready means that every declared check passes; a check that does not pass always has a reason.
 */
export interface ReadinessState {
  readonly ready: boolean;
  /** Name of each check that does not pass → why. */
  readonly reasons: Readonly<Record<string, string>>;
}

export interface Readiness {
  /** States that the check passes. Declares it if it is new. */
  pass(check: string): void;
  /** States that it does not, and why. Declares it if it is new. */
  fail(check: string, reason: string): void;
  state(): ReadinessState;
}

/** `checks` are declared as failing with the reason `not checked yet`. */
export function createReadiness(checks: readonly string[] = []): Readiness {
  const reasons = new Map<string, string>(checks.map((check) => [check, 'not checked yet']));
  return {
    pass: (check) => void reasons.delete(check),
    fail: (check, reason) => void reasons.set(check, reason),
    state: () => ({ ready: reasons.size === 0, reasons: Object.fromEntries(reasons) }),
  };
}
