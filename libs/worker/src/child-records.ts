/**
 * What a task's own log tells of its children: who was spawned, and who is known to have ended.
 *
 * Invariant: only lines that name one of the two types are parsed; what is trimmed away is not known.
 */
import { forEachLine, type EventReader, type Pack } from '@taskstream/core';
import { ChildEnded, ChildSpawned, SystemEvent } from '@taskstream/protocol';
import * as z from 'zod';

export interface ChildRecord {
  readonly taskId: string;
  readonly abandoned: boolean;
  ended: boolean;
}

const MARK = Buffer.from('"type":"dev.taskstream.child.');
const Line = z.discriminatedUnion('type', [
  z.looseObject({ type: z.literal(SystemEvent.childSpawned), payload: ChildSpawned }),
  z.looseObject({ type: z.literal(SystemEvent.childEnded), payload: ChildEnded }),
]);

/** Reads the events below `nextSeq`; by the child's name. @throws TaskstreamError log_unavailable */
export async function readChildren(
  events: EventReader,
  taskId: string,
  nextSeq: number,
  signal: AbortSignal,
): Promise<Map<string, ChildRecord>> {
  const children = new Map<string, ChildRecord>();
  const stream = await events.open(taskId, undefined);
  const stop = () => stream.close('rotated');
  signal.addEventListener('abort', stop, { once: true });
  try {
    for (let read = 0; read < nextSeq;) {
      const delivery = await stream.next();
      signal.throwIfAborted();
      if (delivery.type !== 'packs') return children;
      for (const pack of delivery.packs) {
        note(pack, children);
        read = pack.firstSeq + pack.count;
      }
    }
    return children;
  } finally {
    signal.removeEventListener('abort', stop);
    stop();
  }
}

function note(pack: Pack, children: Map<string, ChildRecord>): void {
  const data = Buffer.from(pack.data.buffer, pack.data.byteOffset, pack.data.byteLength);
  if (!data.includes(MARK)) return;
  forEachLine(pack, (start, end) => {
    const line = data.subarray(start, end);
    if (!line.includes(MARK)) return;
    const event = Line.safeParse(JSON.parse(line.toString('utf8')));
    if (!event.success) return;
    const { type, payload } = event.data;
    if (type === SystemEvent.childSpawned) {
      const { taskId, abandoned = false } = payload;
      children.set(payload.name, { taskId, abandoned, ended: false });
    } else {
      const child = children.get(payload.name);
      if (child !== undefined) child.ended = true;
    }
  });
}
