/**
 * How an endpoint that failed gets back to its place: it rests, tried last, for a time that doubles with each failure in a
 * row.
 *
 * Invariants: pure, the time comes in; what fails while it rests, or in other requests at the same moment, does not
 * double the time; an endpoint that did well for as long as it had rested begins anew.
 */
import type { ClientLimits } from './limits.js';

/** From when, and how long, an endpoint is tried last. */
export interface EndpointRest {
  readonly fromMs: number;
  readonly restMs: number;
}

type RestLimits = Pick<ClientLimits, 'endpointRestBaseMs' | 'endpointRestMaxMs'>;

/** `atMs`: when the client tries again, so that it tries another endpoint then, however long it has to wait. */
export function afterFailure(before: EndpointRest | undefined, atMs: number, limits: RestLimits): EndpointRest {
  if (before === undefined || atMs >= before.fromMs + 2 * before.restMs) {
    return { fromMs: atMs, restMs: limits.endpointRestBaseMs };
  }
  if (isResting(before, atMs)) return { ...before, fromMs: Math.max(before.fromMs, atMs) };
  return { fromMs: atMs, restMs: Math.min(limits.endpointRestMaxMs, 2 * before.restMs) };
}

export function isResting(rest: EndpointRest | undefined, nowMs: number): boolean {
  return rest !== undefined && nowMs < rest.fromMs + rest.restMs;
}

/** Endpoint numbers, best first: in the given order, then those that rest, the one that failed longest ago first. */
export function endpointOrder(rests: readonly (EndpointRest | undefined)[], nowMs: number): readonly number[] {
  const restingFrom = (at: number): number => {
    const rest = rests[at];
    return rest !== undefined && isResting(rest, nowMs) ? rest.fromMs : -1;
  };
  return [...rests.keys()].toSorted((a, b) => restingFrom(a) - restingFrom(b));
}
