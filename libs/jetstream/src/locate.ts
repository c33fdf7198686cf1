/**
 * From a cursor to a position in the stream: where to begin reading so that a given seq is the next one delivered.
 *
 * Invariant: the pack found first at the position covers the seq or lies below it, as long as the seq is retained.
 */
import { packEnd, searchAnswer, searchStep, startSearch, type Found } from '@taskstream/core';
import type { LogReads, TaskAddress } from './log-reads.js';
import type { StoredPack } from './stored-pack.js';

export type Located =
  | { readonly type: 'position'; readonly position: number }
  /** The seq is not retained; the leader says what is the first that is. */
  | { readonly type: 'trimmed'; readonly earliestSeq: number };

/** `above` is the last pack that is known, at or above the seq. */
export async function locate(
  reads: LogReads,
  at: TaskAddress,
  seq: number,
  above: { readonly streamSeq: number; readonly firstSeq: number; readonly count: number },
): Promise<Located> {
  let first = await reads.directNext(at, 1);
  if (first === undefined || first.firstSeq > seq) {
    // A replica that lags behind a trim or behind the first append proves nothing.
    first = await reads.leaderNext(at, 1);
    if (first === undefined || first.firstSeq > seq) {
      return { type: 'trimmed', earliestSeq: first?.firstSeq ?? packEnd(above) };
    }
  }
  let search = startSearch(seq, asFound(first), above.streamSeq, above.firstSeq);
  for (;;) {
    const step = searchStep(search);
    if (step.type === 'found') return { type: 'position', position: step.position };
    const answer = await reads.directNext(at, step.position);
    search = searchAnswer(search, step.position, answer === undefined ? undefined : asFound(answer));
  }
}

function asFound(pack: StoredPack): Found {
  return { position: pack.streamSeq, firstSeq: pack.firstSeq, count: pack.count };
}
