/**
 * A cancel that comes as an attempt ends: whoever sent it saw the attempt running, and the attempt did not hear it.
 *
 * Invariant: after an attempt's end is in the log, the mailbox is read before the item is given back, so that a cancel
 * that was stored before is never left for the next attempt.
 */
import { isTaskstreamError, type AttemptStore, type TaskSpec } from '@taskstream/core';
import { isTerminal } from '@taskstream/protocol';

/** Ends the task when its mailbox holds a cancel. Resolves with whether the task is over. */
export async function endIfCancelled(store: AttemptStore, spec: TaskSpec): Promise<boolean> {
  let cancel: { readonly reason?: string | undefined } | undefined;
  const read = new AbortController();
  await store.followMailbox(
    spec.taskId,
    (command) => {
      if (command.type === 'cancel') cancel ??= command;
    },
    read.signal,
  );
  read.abort();
  if (cancel === undefined) return false;
  const tail = await store.readTail(spec.taskId);
  if (tail === undefined || isTerminal(tail.status)) return true;
  const statusMessage = cancel.reason ?? 'Cancelled by request';
  try {
    await store.failTask(spec, tail, { status: 'cancelled', statusMessage });
    return true;
  } catch (error) {
    // Somebody has written meanwhile: the front end that cancels, or the next attempt, which reads the mailbox.
    if (isTaskstreamError(error, 'fenced')) return false;
    throw error;
  }
}
