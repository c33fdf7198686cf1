/**
 * What was read of a task over one or more streams, and what is wrong with it. No I/O.
 */
import { isDeepStrictEqual } from 'node:util';
import type { Leg, WireEvent } from './wire.js';

export interface Reading {
  readonly taskId: string;
  readonly legs: readonly Leg[];
}

export function eventsOf(reading: Reading): WireEvent[] {
  return reading.legs.flatMap((leg) => leg.events);
}

export interface SeqFaults {
  /** Events whose seq is no non-negative integer. */
  readonly unnumbered: readonly unknown[];
  /** `7 before 6` within one stream. */
  readonly backwards: readonly string[];
  /** More than once within one stream. */
  readonly repeated: readonly number[];
  /** Delivered at or below the cursor of their stream. */
  readonly notAfter: readonly string[];
  /** Between the first that was due and the last that came. */
  readonly missing: readonly number[];
}

/** `first`: the seq that is due first. */
export function seqFaults(legs: readonly Leg[], first: number): SeqFaults {
  const unnumbered: unknown[] = [];
  const backwards: string[] = [];
  const repeated: number[] = [];
  const notAfter: string[] = [];
  const seen = new Set<number>();
  let highest = first - 1;
  for (const leg of legs) {
    const inLeg = new Set<number>();
    let before: number | undefined;
    for (const { seq, params } of leg.events) {
      if (!Number.isSafeInteger(seq) || seq < 0) {
        unnumbered.push(params['seq']);
        continue;
      }
      if (typeof leg.after === 'number' && seq <= leg.after) notAfter.push(`${seq} after ${leg.after}`);
      if (inLeg.has(seq)) repeated.push(seq);
      else if (before !== undefined && seq < before) backwards.push(`${before} before ${seq}`);
      inLeg.add(seq);
      seen.add(seq);
      before = seq;
      highest = Math.max(highest, seq);
    }
  }
  const missing: number[] = [];
  for (let seq = first; seq <= highest; seq++) if (!seen.has(seq)) missing.push(seq);
  return { unnumbered, backwards, repeated, notAfter, missing };
}

/** Events of `read` that the history does not hold, or holds otherwise. */
export function differences(read: readonly WireEvent[], history: readonly WireEvent[]): number[] {
  const bySeq = new Map(history.map((e) => [e.seq, e.params]));
  return read.filter((e) => !isDeepStrictEqual(bySeq.get(e.seq), e.params)).map((e) => e.seq);
}

/** Events of the history behind `after` that were not read. */
export function leftOut(read: readonly WireEvent[], history: readonly WireEvent[], after = -1): number[] {
  const seen = new Set(read.map((e) => e.seq));
  return history.filter((e) => e.seq > after && !seen.has(e.seq)).map((e) => e.seq);
}

const LISTED_MAX = 10;

/** `1, 2, 3 and 4 more` */
export function list(values: readonly unknown[]): string {
  const shown = values.slice(0, LISTED_MAX).map((v) => (typeof v === 'string' ? v : JSON.stringify(v)));
  return shown.join(', ') + (values.length > LISTED_MAX ? ` and ${values.length - LISTED_MAX} more` : '');
}
