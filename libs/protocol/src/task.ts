/**
 * The task as a client sees it, and its projection for the 2026-07-28 extension.
 *
 * Invariant: a projection is a pure function of the spec and the latest status event; nothing else is consulted.
 */
import * as z from 'zod';

export const TASK_STATUSES = ['working', 'input_required', 'completed', 'failed', 'cancelled'] as const;
export const TaskStatus = z.enum(TASK_STATUSES);
export type TaskStatus = z.infer<typeof TaskStatus>;

export const TERMINAL_STATUSES = ['completed', 'failed', 'cancelled'] as const;
export type TerminalStatus = (typeof TERMINAL_STATUSES)[number];

export function isTerminal(status: TaskStatus): status is TerminalStatus {
  return status === 'completed' || status === 'failed' || status === 'cancelled';
}

const JsonObject = z.record(z.string(), z.unknown());

/** Payload of `dev.taskstream.task.status`: the whole state that a status carries, so that one event tells all. */
export const StatusPayload = z.looseObject({
  status: TaskStatus,
  statusMessage: z.string().optional(),
  /** The tool's result, as the underlying request would have returned it. Only when `completed`. */
  result: JsonObject.optional(),
  /** Whether `result` is a tool error: `completed` in 2026-07-28, `failed` in 2025-11-25. */
  isError: z.boolean().optional(),
  /** The JSON-RPC error. Only when `failed`. */
  error: z.looseObject({ code: z.int(), message: z.string() }).optional(),
  /** Outstanding requests to the client. Only when `input_required`. */
  inputRequests: JsonObject.optional(),
});
export type StatusPayload = z.infer<typeof StatusPayload>;

/** What a projection needs beside the status. Times are ISO 8601, durations milliseconds. */
export interface TaskFacts {
  readonly taskId: string;
  readonly createdAt: string;
  readonly lastUpdatedAt: string;
  readonly ttlMs: number | null;
  readonly pollIntervalMs: number;
}

/** The flat `Task` of the Tasks extension, without inlined results: what `tools/call` returns. */
export function projectTask(facts: TaskFacts, status: StatusPayload): Record<string, unknown> {
  return {
    taskId: facts.taskId,
    status: status.status,
    ...(status.statusMessage !== undefined && { statusMessage: status.statusMessage }),
    createdAt: facts.createdAt,
    lastUpdatedAt: facts.lastUpdatedAt,
    ttlMs: facts.ttlMs,
    pollIntervalMs: facts.pollIntervalMs,
  };
}

/**
 * The `DetailedTask` of the Tasks extension: result, error or input requests inlined. The inlined result is what the
 * underlying request would have returned, `resultType` included.
 */
export function projectDetailedTask(facts: TaskFacts, status: StatusPayload): Record<string, unknown> {
  return {
    ...projectTask(facts, status),
    ...(status.status === 'completed' && { result: { resultType: 'complete', ...(status.result ?? { content: [] }) } }),
    ...(status.status === 'failed' && { error: status.error ?? { code: -32603, message: 'Task failed' } }),
    ...(status.status === 'input_required' && { inputRequests: status.inputRequests ?? {} }),
  };
}
