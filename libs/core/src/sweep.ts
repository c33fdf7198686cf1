/**
 * What a sweep does about a task that it passes: whether the task still has something that will bring it forward.
 *
 * A task that is not over has an item in the queue, or somebody who is about to put one there, or an attempt whose item
 * is leased, or a question that nobody has answered yet. Invariants: pure and total; a task that is over is left alone; a
 * running attempt is left alone as long as its item is there, until it is long past the time at which its own worker
 * would have ended it.
 */
import { isTerminal, type TaskStatus } from '@taskstream/protocol';

export interface SweptTask {
  readonly status: TaskStatus;
  /** Whether an attempt has begun and not ended; its worker may be dead. */
  readonly running: boolean;
  /** Whether the latest attempt ended to wait for an answer. */
  readonly suspended: boolean;
  /** Whether the task's work item is in the queue, leased or not. */
  readonly item: boolean;
  /** Whether its creation, or the answer that wakes it, is so new that whoever queues the item may still be at it. */
  readonly beingQueued: boolean;
  /** Whether the mailbox holds an answer to a question that is open. */
  readonly answered: boolean;
  /** Whether the mailbox holds a cancel. */
  readonly cancelled: boolean;
  /** Whether the task is a child that goes when its parent is over, and its parent is. */
  readonly orphaned: boolean;
  /** Whether the task's time is over: just now, or for longer than a worker needs to end it. */
  readonly overdue: 'no' | 'yes' | 'long';
}

export type Repair =
  | 'nothing'
  /** Queue an item. Beside a running attempt whose own is gone it is the heir: the attempt is taken over. */
  | 'queue'
  /** End the task as failed: its time is over. */
  | 'expire'
  /** End it as cancelled: the cancel came when no attempt could hear it. */
  | 'cancel'
  /** End it as cancelled: its parent is over. */
  | 'orphan';

/** What ends a child whose parent could not do it. */
export const PARENT_OVER = 'The task that spawned it is over';

export function decideRepair(task: SweptTask): Repair {
  if (isTerminal(task.status)) return 'nothing';
  if (task.running) {
    if (task.overdue === 'long') return 'expire';
    return task.item ? 'nothing' : 'queue';
  }
  if (task.cancelled) return 'cancel';
  if (task.orphaned) return 'orphan';
  if (task.overdue !== 'no') return 'expire';
  if (task.item || task.beingQueued || (task.suspended && !task.answered)) return 'nothing';
  return 'queue';
}
