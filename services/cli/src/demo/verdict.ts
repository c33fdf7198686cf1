/**
 * Judges what a reader got: pure counting and comparing.
 *
 * Invariant: `ok` is true only if nothing was lost, repeated after de-duplication, out of order, or different when
 * read again.
 */
import { SystemEvent, TaskEvent } from '@taskstream/protocol';

export interface Verdict {
  readonly events: number;
  /** Seqs between 0 and the last one that were never delivered. */
  readonly gaps: number;
  /** Events that came over the wire more than once. */
  readonly duplicatesReceived: number;
  /** Events that the client handed out more than once. */
  readonly duplicatesDelivered: number;
  /** Deliveries whose seq was not above the one before. */
  readonly outOfOrder: number;
  /** Positions at which a second, uninterrupted reading is not the same, byte for byte. */
  readonly different: number;
  readonly attempts: number;
  readonly ok: boolean;
}

export interface Reading {
  /** The JSON text of each event's params, in the order of delivery. */
  readonly delivered: readonly string[];
  /** Seqs as they came over the wire. */
  readonly received: readonly number[];
  /** The same stream, read again from the start. */
  readonly reread: readonly string[];
}

export function judge(reading: Reading): Verdict {
  const events = reading.delivered.map((raw) => TaskEvent.parse(JSON.parse(raw)));
  const seqs = events.map((event) => event.seq);
  const distinct = new Set(seqs);
  const gaps = Math.max(-1, ...distinct) + 1 - distinct.size;
  const duplicatesDelivered = seqs.length - distinct.size;
  const outOfOrder = seqs.filter((seq, index) => index > 0 && seq <= (seqs[index - 1] ?? -1)).length;
  const length = Math.max(reading.delivered.length, reading.reread.length);
  const different = Array.from({ length }, (_, at) => reading.delivered[at] !== reading.reread[at]).filter(
    Boolean,
  ).length;
  return {
    events: events.length,
    gaps,
    duplicatesReceived: reading.received.length - new Set(reading.received).size,
    duplicatesDelivered,
    outOfOrder,
    different,
    attempts: events.filter((event) => event.type === SystemEvent.attemptStarted).length,
    ok: events.length > 0 && gaps === 0 && duplicatesDelivered === 0 && outOfOrder === 0 && different === 0,
  };
}
