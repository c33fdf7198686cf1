/**
 * The statuses of a task as they come, from its event stream.
 *
 * Invariants: the first value is the present status, the last one is terminal or the watch was closed; only lines
 * that name the type of a status event are parsed.
 */
import {
  forEachLine,
  isTaskstreamError,
  type EventReader,
  type EventStream,
  type Pack,
  type TaskSnapshot,
  type TaskStore,
} from '@taskstream/core';
import { EVENT_META_KEY, isTerminal, StatusPayload, SystemEvent } from '@taskstream/protocol';
import * as z from 'zod';

const StatusEvent = z.looseObject({
  type: z.literal(SystemEvent.taskStatus),
  payload: StatusPayload,
  _meta: z.looseObject({ [EVENT_META_KEY]: z.looseObject({ at: z.string() }) }),
});
const TYPE_MARK = Buffer.from(`"type":"${SystemEvent.taskStatus}"`);

export interface WatchParts {
  readonly tasks: TaskStore;
  readonly events: EventReader;
}

/** Yields snapshots until the task is over or the signal aborts. Yields nothing for an unknown task. */
export async function* watchStatus(
  parts: WatchParts,
  taskId: string,
  signal: AbortSignal,
): AsyncGenerator<TaskSnapshot, void, undefined> {
  while (!signal.aborted) {
    const snapshot = await parts.tasks.read(taskId);
    if (snapshot === undefined) return;
    yield snapshot;
    if (isTerminal(snapshot.status.status)) return;
    let stream: EventStream;
    try {
      stream = await parts.events.open(taskId, snapshot.nextSeq - 1);
    } catch (error) {
      // What was read is already trimmed: read again.
      if (isTaskstreamError(error, 'events_gone')) continue;
      throw error;
    }
    if (yield* follow(stream, snapshot, signal)) return;
  }
}

/** True when the watch is over, false when the status must be read again. */
async function* follow(
  stream: EventStream,
  snapshot: TaskSnapshot,
  signal: AbortSignal,
): AsyncGenerator<TaskSnapshot, boolean, undefined> {
  const stop = () => stream.close('rotated');
  signal.addEventListener('abort', stop);
  try {
    for (;;) {
      if (signal.aborted) return true;
      const delivery = await stream.next();
      if (delivery.type === 'gone') return false;
      if (delivery.type === 'end') return true;
      for (const pack of delivery.packs) {
        for (const status of statusesIn(pack)) {
          yield {
            ...snapshot,
            status: status.payload,
            statusUpdatedAt: status.at,
            nextSeq: pack.firstSeq + pack.count,
          };
          if (isTerminal(status.payload.status)) return true;
        }
      }
    }
  } finally {
    signal.removeEventListener('abort', stop);
    stop();
  }
}

function statusesIn(pack: Pack): Array<{ payload: StatusPayload; at: string }> {
  const data = Buffer.from(pack.data.buffer, pack.data.byteOffset, pack.data.byteLength);
  if (!data.includes(TYPE_MARK)) return [];
  const found: Array<{ payload: StatusPayload; at: string }> = [];
  forEachLine(pack, (start, end) => {
    const line = data.subarray(start, end);
    if (!line.includes(TYPE_MARK)) return;
    const event = StatusEvent.safeParse(JSON.parse(line.toString('utf8')));
    if (event.success) found.push({ payload: event.data.payload, at: event.data._meta[EVENT_META_KEY]['at'] });
  });
  return found;
}
