/**
 * The statuses of a task as they come, from its event stream, and the progress that its tool reports on the way.
 *
 * Invariants: the first value is the present status, the last one is terminal or the watch was closed; progress is told
 * before the status that follows it; only lines that name the type of such an event are parsed.
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
import { EVENT_META_KEY, isTerminal, ProgressPayload, StatusPayload, SystemEvent } from '@taskstream/protocol';
import * as z from 'zod';

const StatusEvent = z.looseObject({
  type: z.literal(SystemEvent.taskStatus),
  payload: StatusPayload,
  _meta: z.looseObject({ [EVENT_META_KEY]: z.looseObject({ at: z.string() }) }),
});
const ProgressEvent = z.looseObject({ type: z.literal(SystemEvent.progress), payload: ProgressPayload });
const markOf = (type: string) => Buffer.from(`"type":"${type}"`);
const STATUS_MARK = markOf(SystemEvent.taskStatus);
const PROGRESS_MARK = markOf(SystemEvent.progress);

export interface WatchParts {
  readonly tasks: TaskStore;
  readonly events: EventReader;
}

export interface WatchOptions {
  /** What is known of the task already: the watch begins there, and nothing after it is missed. */
  readonly from?: TaskSnapshot | undefined;
  readonly onProgress?: ((report: ProgressPayload) => void) | undefined;
}

/** Yields snapshots until the task is over or the signal aborts. Yields nothing for an unknown task. */
export async function* watchStatus(
  parts: WatchParts,
  taskId: string,
  signal: AbortSignal,
  { from, onProgress }: WatchOptions = {},
): AsyncGenerator<TaskSnapshot, void, undefined> {
  let known = from;
  while (!signal.aborted) {
    const snapshot = known ?? (await parts.tasks.read(taskId));
    known = undefined;
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
    if (yield* follow(stream, snapshot, signal, onProgress)) return;
  }
}

/** True when the watch is over, false when the status must be read again. */
async function* follow(
  stream: EventStream,
  snapshot: TaskSnapshot,
  signal: AbortSignal,
  onProgress: WatchOptions['onProgress'],
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
        if (onProgress !== undefined)
          for (const { payload } of eventsIn(pack, PROGRESS_MARK, ProgressEvent)) onProgress(payload);
        for (const { payload, _meta } of eventsIn(pack, STATUS_MARK, StatusEvent)) {
          yield {
            ...snapshot,
            status: payload,
            statusUpdatedAt: _meta[EVENT_META_KEY]['at'],
            nextSeq: pack.firstSeq + pack.count,
          };
          if (isTerminal(payload.status)) return true;
        }
      }
    }
  } finally {
    signal.removeEventListener('abort', stop);
    stop();
  }
}

/** The events of one type, found by the mark that their lines hold. */
function eventsIn<Event>(pack: Pack, mark: Buffer, schema: z.ZodType<Event>): Event[] {
  const data = Buffer.from(pack.data.buffer, pack.data.byteOffset, pack.data.byteLength);
  if (!data.includes(mark)) return [];
  const found: Event[] = [];
  forEachLine(pack, (start, end) => {
    const line = data.subarray(start, end);
    if (!line.includes(mark)) return;
    const event = schema.safeParse(JSON.parse(line.toString('utf8')));
    if (event.success) found.push(event.data);
  });
  return found;
}
