/** How a task that is over ended, from its `tasks/get` answer. */
import type { DetailedTask, TaskOutcome, ToolResult } from './api.js';
import { checked } from './checked.js';
import { ClientError } from './errors.js';
import { parseToolResult } from './wire.js';

/** Throws `protocol_fault` for a result that no tool can have, `defect` for a task that is not over. */
export function outcomeOf(task: DetailedTask): TaskOutcome {
  if (task.status === 'cancelled') return { status: 'cancelled', task };
  const { result } = task;
  if (task.status === 'completed' && result !== undefined) {
    return { status: 'completed', result: checked(() => parseToolResult(result)), task };
  }
  if (task.status === 'failed' && task.error !== undefined) return { status: 'failed', error: task.error, task };
  throw new ClientError({ code: 'defect', message: `A task with status ${task.status} has no outcome` });
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
