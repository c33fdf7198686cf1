/**
 * What a worker does with a work item that it was handed, decided from the tail that the leader shows.
 *
 * Invariants: a later delivery of the running attempt's item is a takeover, an earlier one is stale, another item beside
 * it is a twin, and its heir when the running attempt's item is not there any more (the queue was restored); delivery counts are compared within one item only; only creation writes the first event
 * of a log.
 */
import { isTerminal, type TaskStatus } from '@taskstream/protocol';

/** What the tail of a log tells about attempts. */
export interface AttemptFacts {
  readonly status: TaskStatus;
  /** The latest attempt's number; 0 before the first. */
  readonly attempt: number;
  /** The work item of the running attempt; undefined when none is running. */
  readonly runningItem: string | undefined;
  /** With which delivery of that item it began; 0 when none is running. */
  readonly runningDelivery: number;
  /** Attempts that ended by a fault; hand-overs do not count. */
  readonly failures: number;
}

export type DispatchDecision =
  /** Begin attempt number `attempt`. */
  | {
      readonly type: 'start';
      readonly attempt: number;
      readonly cause: 'first' | 'retry' | 'lease_lost' | 'handed_over' | 'woken';
      readonly failures: number;
    }
  /** The last allowed attempt died with its worker: end the task. */
  | { readonly type: 'fail'; readonly failures: number }
  /** The task is over, the item is a twin, or a suspended task has no answer yet: remove the item. */
  | { readonly type: 'ack'; readonly why: 'terminal' | 'twin' | 'suspended' }
  /** A delivery that is older than the running attempt's: it lay in a socket while its lease ran out. Touch nothing. */
  | { readonly type: 'stale' }
  /** No log and the task cannot have expired: it may not be visible yet. Look again later. */
  | { readonly type: 'nak' }
  /** No log and the item is older than any task can be. */
  | { readonly type: 'term' };

export interface DispatchInput {
  readonly facts: AttemptFacts | undefined;
  readonly itemId: string;
  /** Which delivery of the item this is, from 1. */
  readonly delivery: number;
  /** Whether the task's spec has expired or is gone while the item is old. */
  readonly expired: boolean;
  readonly attemptsMax: number;
  /** Whether the latest attempt was handed over by a drain. */
  readonly handedOver: boolean;
  /** Whether the running attempt's item, when it is another one, is still in the queue. */
  readonly otherIsThere: boolean;
  /** Whether the latest attempt suspended the task, and whether there is something by now to go on with. */
  readonly suspended: 'no' | 'waiting' | 'answered';
}

export function decideDispatch(input: DispatchInput): DispatchDecision {
  const { facts, itemId } = input;
  if (facts === undefined) return input.expired ? { type: 'term' } : { type: 'nak' };
  if (isTerminal(facts.status)) return { type: 'ack', why: 'terminal' };
  const attempt = facts.attempt + 1;
  if (facts.runningItem === undefined) {
    if (input.suspended === 'waiting') return { type: 'ack', why: 'suspended' };
    const why = input.suspended === 'answered' ? 'woken' : input.handedOver ? 'handed_over' : 'retry';
    const cause = facts.attempt === 0 ? 'first' : why;
    return { type: 'start', attempt, cause, failures: facts.failures };
  }
  if (facts.runningItem !== itemId) {
    if (input.otherIsThere) return { type: 'ack', why: 'twin' };
  } else if (input.delivery <= facts.runningDelivery) {
    return { type: 'stale' };
  }
  const failures = facts.failures + 1;
  if (failures >= input.attemptsMax) return { type: 'fail', failures };
  return { type: 'start', attempt, cause: 'lease_lost', failures };
}

/** Milliseconds before the next attempt: exponential, with `jitter` in [0, 1) taking up to half of it away. */
export function backoffMs(failures: number, baseMs: number, capMs: number, jitter: number): number {
  const full = Math.min(capMs, baseMs * 2 ** Math.min(30, Math.max(0, failures - 1)));
  return Math.round(full * (1 - jitter / 2));
}
