/**
 * Arithmetic of packs: 1..n consecutive events as NDJSON, one line an event.
 *
 * Invariants: a pack covers [firstSeq, firstSeq + count); its data hold exactly `count` lines, each ended by one
 * line feed; nothing here parses JSON.
 */
import type { TaskStatus } from '@taskstream/protocol';

const LINE_FEED = 0x0a;

export interface Pack {
  readonly firstSeq: number;
  readonly count: number;
  /** The task's status after this pack. */
  readonly status: TaskStatus;
  readonly data: Uint8Array;
}

/** The seq after the last event of a pack. */
export function packEnd(pack: { readonly firstSeq: number; readonly count: number }): number {
  return pack.firstSeq + pack.count;
}

/** Calls `visit(start, end)` for each line, without its line feed. Throws RangeError when the count is not right. */
export function forEachLine(pack: Pack, visit: (start: number, end: number) => void): void {
  let start = 0;
  for (let i = 0; i < pack.count; i++) {
    const end = pack.data.indexOf(LINE_FEED, start);
    if (end < 0) throw new RangeError(`a pack of ${pack.count} events from ${pack.firstSeq} holds only ${i} lines`);
    visit(start, end);
    start = end + 1;
  }
  if (start !== pack.data.length)
    throw new RangeError(`a pack from ${pack.firstSeq} holds more than ${pack.count} lines`);
}

/** The part of a pack from `seq` on; the pack itself when all of it is. `seq` must lie inside the pack. */
export function packFrom(pack: Pack, seq: number): Pack {
  if (seq === pack.firstSeq) return pack;
  const skip = seq - pack.firstSeq;
  if (skip < 0 || skip >= pack.count)
    throw new RangeError(`seq ${seq} is not in a pack of [${pack.firstSeq}, ${packEnd(pack)})`);
  let start = 0;
  for (let i = 0; i < skip; i++) {
    const end = pack.data.indexOf(LINE_FEED, start);
    if (end < 0) throw new RangeError(`a pack of ${pack.count} events from ${pack.firstSeq} holds only ${i} lines`);
    start = end + 1;
  }
  return { firstSeq: seq, count: pack.count - skip, status: pack.status, data: pack.data.subarray(start) };
}

export type Fit = 'next' | 'overlap' | 'old' | 'gap';

/** How a pack fits a reader that wants `nextSeq`: exactly next, partly known, wholly known, or beyond a gap. */
export function fit(nextSeq: number, pack: { readonly firstSeq: number; readonly count: number }): Fit {
  if (pack.firstSeq === nextSeq) return 'next';
  if (pack.firstSeq > nextSeq) return 'gap';
  return packEnd(pack) > nextSeq ? 'overlap' : 'old';
}
