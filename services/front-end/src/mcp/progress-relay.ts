/**
 * From the progress that a tool reports to the `notifications/progress` of a call that waits for it.
 *
 * Invariants: values only rise, as MCP demands; a short burst passes and a flood does not, so that a client that reads
 * slowly costs no memory: what is left out is overtaken by what follows.
 */
import type { LimitHit } from '@taskstream/core';
import type { ProgressPayload } from '@taskstream/protocol';
import * as z from 'zod';

export type ProgressToken = string | number;

const Meta = z.looseObject({ progressToken: z.union([z.string(), z.number()]) });

/** The token of a request that wants to hear of progress. */
export function progressTokenOf(meta: unknown): ProgressToken | undefined {
  const parsed = Meta.safeParse(meta);
  return parsed.success ? parsed.data.progressToken : undefined;
}

/** Decides which reports go out. Times are of one clock that never goes back. */
export class ProgressGate {
  readonly #perSecondMax: number;
  readonly #onLeftOut: () => void;
  #tokens: number;
  #refilledAtMs: number;
  #latest = -Infinity;

  /** `onLeftOut` is told of each report that is one too many. */
  constructor(perSecondMax: number, nowMs: number, onLeftOut: () => void = () => undefined) {
    this.#perSecondMax = perSecondMax;
    this.#onLeftOut = onLeftOut;
    this.#tokens = perSecondMax;
    this.#refilledAtMs = nowMs;
  }

  admits(progress: number, nowMs: number): boolean {
    if (progress <= this.#latest) return false;
    const refill = ((nowMs - this.#refilledAtMs) / 1_000) * this.#perSecondMax;
    this.#tokens = Math.min(this.#perSecondMax, this.#tokens + refill);
    this.#refilledAtMs = nowMs;
    if (this.#tokens < 1) {
      this.#onLeftOut();
      return false;
    }
    this.#tokens--;
    this.#latest = progress;
    return true;
  }
}

/** Undefined without a token: then nobody wants to hear. */
export function progressRelay(
  token: ProgressToken | undefined,
  perSecondMax: number,
  send: (notification: { method: 'notifications/progress'; params: Record<string, unknown> }) => void,
  limitHit: LimitHit,
): ((report: ProgressPayload) => void) | undefined {
  if (token === undefined) return undefined;
  const gate = new ProgressGate(perSecondMax, performance.now(), () => limitHit('progressPerSecondMax', 'slowed'));
  return ({ progress, total, message }) => {
    if (!gate.admits(progress, performance.now())) return;
    const params = {
      progressToken: token,
      progress,
      ...(total !== undefined && { total }),
      ...(message !== undefined && { message }),
    };
    send({ method: 'notifications/progress', params });
  };
}
