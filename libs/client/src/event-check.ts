/**
 * Checks one `notifications/tasks/event` against SEP-2694 §Task Event, apart from its place in the sequence.
 *
 * Invariants: an event that is handed on has the envelope that its type promises and belongs to the task; what is
 * wrong but harmless is noted, not refused.
 */
import { RELATED_TASK_META_KEY, type TaskEvent } from '@taskstream/protocol';
import type { ProtocolFault } from './notices.js';
import { field, filled, isObject, object, ShapeError, whole, expect } from './shape.js';

export interface Remark {
  readonly fault: ProtocolFault;
  readonly message: string;
}

export type CheckedEvent =
  | { readonly is: 'event'; readonly event: TaskEvent; readonly remarks: readonly Remark[] }
  /** Another task's event: left out. */
  | { readonly is: 'foreign'; readonly remark: Remark }
  | { readonly is: 'malformed'; readonly remark: Remark };

export function checkEvent(params: unknown, taskId: string): CheckedEvent {
  let seq: number;
  let event: TaskEvent;
  try {
    const envelope = expect(params, object, 'params');
    seq = field(envelope, 'seq', whole, '');
    field(envelope, 'taskId', filled, '');
    field(envelope, 'type', filled, '');
    field(envelope, 'payload', object, '');
    event = envelope as TaskEvent;
  } catch (error) {
    if (!(error instanceof ShapeError)) throw error;
    return { is: 'malformed', remark: { fault: 'malformed_event', message: `Malformed event: ${error.message}` } };
  }
  if (event.taskId !== taskId) {
    const message = `Event ${seq} belongs to another task`;
    return { is: 'foreign', remark: { fault: 'foreign_task_event', message } };
  }
  return { is: 'event', event, remarks: [...relation(event), ...prefix(event)] };
}

function relation(event: TaskEvent): readonly Remark[] {
  const meta: unknown = event._meta;
  const related = isObject(meta) ? meta[RELATED_TASK_META_KEY] : undefined;
  if (!isObject(related)) {
    return [{ fault: 'missing_related_task', message: `Event ${event.seq} has no related-task metadata` }];
  }
  if (related['taskId'] === event.taskId) return [];
  return [{ fault: 'wrong_related_task', message: `Event ${event.seq} has related-task metadata of another task` }];
}

function prefix(event: TaskEvent): readonly Remark[] {
  if (/[./:]/.test(event.type)) return [];
  return [{ fault: 'unprefixed_type', message: `Event ${event.seq} has a type without a vendor prefix` }];
}
