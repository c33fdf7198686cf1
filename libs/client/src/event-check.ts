/**
 * Checks one `notifications/tasks/event` against SEP-2694 §Task Event, apart from its place in the sequence.
 *
 * Invariants: an event that is handed on has the envelope that its type promises and belongs to the task; what is
 * wrong but harmless is noted, not refused.
 */
import { RELATED_TASK_META_KEY, type TaskEvent } from '@taskstream/protocol';
import { expect, field, filled, metaOf, object, whole } from './shape.js';
import { parsed, type Remark } from './wire-fault.js';

/** `event` is undefined for one of another task. */
export interface CheckedEvent {
  readonly event: TaskEvent | undefined;
  readonly remarks: readonly Remark[];
}

/** Throws `malformed_event`. */
export function checkEvent(params: unknown, taskId: string): CheckedEvent {
  const event = parsed('event', () => {
    const envelope = expect(params, object, 'params');
    field(envelope, 'seq', whole, '');
    field(envelope, 'taskId', filled, '');
    field(envelope, 'type', filled, '');
    field(envelope, 'payload', object, '');
    return envelope as TaskEvent;
  });
  const about = `Event ${event.seq}`;
  if (event.taskId !== taskId) {
    return {
      event: undefined,
      remarks: [{ fault: 'foreign_task_event', message: `${about} belongs to another task` }],
    };
  }
  const remarks: Remark[] = [];
  const related = metaOf(event, RELATED_TASK_META_KEY)['taskId'];
  if (related === undefined) {
    remarks.push({ fault: 'missing_related_task', message: `${about} has no related-task metadata` });
  } else if (related !== taskId) {
    remarks.push({ fault: 'wrong_related_task', message: `${about} has related-task metadata of another task` });
  }
  if (!/[./:]/.test(event.type)) {
    remarks.push({ fault: 'unprefixed_type', message: `${about} has a type without a vendor prefix` });
  }
  return { event, remarks };
}
