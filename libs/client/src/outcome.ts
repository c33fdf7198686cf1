/** How a task that is over ended, from its `tasks/get` answer. */
import type { DetailedTask, TaskOutcome, ToolResult } from './api.js';
import { ClientError } from './errors.js';
import { checked } from './wire-fault.js';
import { parseToolResult } from './wire.js';

/** Of a task that is over. Throws `protocol_fault` for a result that no tool can have. */
export function outcomeOf(task: DetailedTask): TaskOutcome {
  const { result, error } = task;
  if (result !== undefined) return { status: 'completed', result: checked(() => parseToolResult(result)), task };
  return error === undefined ? { status: 'cancelled', task } : { status: 'failed', error, task };
}

/** The result of a completed task; throws `task_failed` and `task_cancelled` for the others. */
export function resultOf(outcome: TaskOutcome): ToolResult {
  switch (outcome.status) {
    case 'completed':
      return outcome.result;
    case 'failed': {
      const message = `The task failed: ${outcome.error.message}`;
      throw new ClientError({ code: 'task_failed', message, details: { error: outcome.error } });
    }
    case 'cancelled':
      throw new ClientError({ code: 'task_cancelled', message: 'The task was cancelled' });
  }
}
