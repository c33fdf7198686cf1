/**
 * The latest status event of a log, found through the tail's headers.
 *
 * Invariant: at most one more read than the tail itself.
 */
import { forEachLine } from '@taskstream/core';
import { EVENT_META_KEY, StatusPayload, SystemEvent } from '@taskstream/protocol';
import * as z from 'zod';
import type { LogReads, TaskAddress } from './log-reads.js';
import type { StoredPack } from './stored-pack.js';

const StatusEvent = z.looseObject({
  type: z.literal(SystemEvent.taskStatus),
  payload: StatusPayload,
  _meta: z.looseObject({ [EVENT_META_KEY]: z.looseObject({ at: z.string() }) }),
});

export interface LatestStatus {
  readonly payload: StatusPayload;
  /** ISO 8601: when the event was made. */
  readonly at: string;
}

const TYPE_MARK = Buffer.from(`"type":"${SystemEvent.taskStatus}"`);

/** Undefined when the pack that should hold the status does not. */
export async function latestStatus(
  reads: LogReads,
  at: TaskAddress,
  tail: StoredPack,
): Promise<LatestStatus | undefined> {
  const pack = tail.statusAt === tail.streamSeq ? tail : await reads.packAt(at, tail.statusAt);
  return pack === undefined ? undefined : lastStatusIn(pack);
}

/** The last status event in a pack. Only lines that name the type are parsed. */
export function lastStatusIn(pack: StoredPack): LatestStatus | undefined {
  const lines: Buffer[] = [];
  forEachLine(pack, (start, end) =>
    lines.push(Buffer.from(pack.data.buffer, pack.data.byteOffset + start, end - start)),
  );
  for (const line of lines.toReversed()) {
    if (!line.includes(TYPE_MARK)) continue;
    const event = StatusEvent.safeParse(JSON.parse(line.toString('utf8')));
    if (event.success) return { payload: event.data.payload, at: event.data._meta[EVENT_META_KEY]['at'] };
  }
  return undefined;
}
