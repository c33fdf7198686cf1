/**
 * The end of an attempt: what its outcome, or what told it to stop, makes of the task and of its item.
 *
 * Invariants: an attempt that is fenced says nothing; the item is acked or given back only after an own append has
 * landed.
 */
import {
  backoffMs,
  isTaskstreamError,
  type AttemptLog,
  type AttemptStore,
  type ClaimedItem,
  type TaskSpec,
} from '@taskstream/core';
import type { StatusPayload } from '@taskstream/protocol';
import type { Tool } from './define-tool.js';
import { failed, isAbortError, type Outcome } from './outcome.js';
import type { StopReason } from './stop-reason.js';
import { endIfCancelled } from './unheard-cancel.js';

/** A longer message of an attempt that failed is cut, in characters. */
const MESSAGE_LENGTH_MAX = 4_000;

export interface EndingAttempt {
  readonly item: ClaimedItem;
  readonly store: AttemptStore;
  readonly spec: TaskSpec;
  readonly tool: Tool;
  readonly log: AttemptLog;
  /** Of earlier attempts. */
  readonly failures: number;
  /** Gives the task's places among the running ones up. */
  readonly leave: () => Promise<void>;
}

/** Resolves with how it ended: a status, `retry`, `handed_over`, `suspended`, or `silent`. */
export async function endAttempt(
  ending: EndingAttempt,
  outcome: Outcome,
  stop: StopReason | undefined,
): Promise<string> {
  const { item, spec, log, failures } = ending;
  if (log.signal.aborted) return 'silent';
  if (stop?.type === 'cancel') {
    return endTask(ending, { status: 'cancelled', statusMessage: stop.reason ?? 'Cancelled by request' });
  }
  if (stop?.type === 'expired') return endTask(ending, stop.status);
  if (stop?.type === 'suspend') return suspend(ending);
  if (stop?.type === 'hand_over' && (outcome.type !== 'end' || isAbortError(outcome))) {
    await log.appendAttemptEnd({ reason: 'handed_over' });
    await item.nak(0);
    return 'handed_over';
  }
  if (outcome.type === 'end') return endTask(ending, outcome.status);
  if (outcome.type === 'silent') return 'silent';
  if (failures + 1 >= spec.attemptsMax) {
    const message = `Attempt ${log.attempt} failed and was the last one: ${outcome.message}`;
    return endTask(ending, failed(message, { code: -32603, message }).status);
  }
  return retry(ending, outcome);
}

async function retry(
  { item, store, spec, tool, log, failures, leave }: EndingAttempt,
  { reason, message }: Extract<Outcome, { type: 'retry' }>,
): Promise<string> {
  const delayMs = backoffMs(failures + 1, tool.backoffMsBase, tool.backoffMsMax, Math.random());
  const retryAt = new Date(Date.now() + delayMs).toISOString();
  await log.appendAttemptEnd({ reason, message: message.slice(0, MESSAGE_LENGTH_MAX), retryAt });
  await leave();
  if (await endIfCancelled(store, spec)) {
    await item.ack();
    return 'cancelled';
  }
  await item.nak(delayMs);
  return 'retry';
}

/** Says so, then looks for an answer, then lets go of the item: an answer that comes later queues a new one. */
async function suspend({ item, store, spec, log, leave }: EndingAttempt): Promise<string> {
  await log.appendAttemptEnd({ reason: 'suspended' });
  const suspension = await store.readSuspension(spec.taskId);
  // After a pause of this process the item may be somebody else's, and so may the task.
  if (suspension?.attempt !== log.attempt) return 'suspended';
  if (suspension.answered) {
    await item.nak(0);
  } else {
    await leave();
    await item.ackInTime();
  }
  return 'suspended';
}

async function endTask({ item, log, leave }: EndingAttempt, status: StatusPayload): Promise<string> {
  try {
    await log.appendStatus(status);
  } catch (error) {
    if (!isTaskstreamError(error, 'payload_too_large') && !isTaskstreamError(error, 'invalid_event')) throw error;
    const message = `The result cannot be stored: ${error.message}`;
    await log.appendStatus(failed(message, { code: -32603, message }).status);
  }
  await leave();
  await item.ack();
  return status.status;
}
