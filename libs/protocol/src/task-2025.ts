/**
 * The task in the shapes of revision 2025-11-25.
 *
 * Invariants: the same facts as for 2026-07-28, other names; a result that is a tool error is `failed` here and
 * `completed` there, because the outcome is stored and only the status is projected.
 */
import type { StatusPayload, TaskFacts, TaskStatus } from './task.js';

export function status2025(status: StatusPayload): TaskStatus {
  return status.status === 'completed' && status.isError === true ? 'failed' : status.status;
}

/** The flat `Task` of 2025-11-25 §Task: what `tasks/get`, `tasks/cancel` and status notifications carry. */
export function projectTask2025(facts: TaskFacts, status: StatusPayload): Record<string, unknown> {
  return {
    taskId: facts.taskId,
    status: status2025(status),
    ...(status.statusMessage !== undefined && { statusMessage: status.statusMessage }),
    createdAt: facts.createdAt,
    lastUpdatedAt: facts.lastUpdatedAt,
    ttl: facts.ttlMs,
    pollInterval: facts.pollIntervalMs,
  };
}
