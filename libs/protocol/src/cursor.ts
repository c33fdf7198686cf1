/**
 * The exclusive resume cursor `after`. SEP-2694 §Resume and Replay Semantics.
 *
 * Invariant: a cursor is absent or a safe non-negative integer; everything else is refused by name.
 */
import * as z from 'zod';
import { describeIssues } from './issues.js';

/** A cursor that may be sent: absent, or a non-negative integer up to 2^53 - 1. */
export const After = z.int().nonnegative().optional();

export const TasksStreamParams = z.looseObject({ taskId: z.string().min(1), after: After });
export type TasksStreamParams = z.infer<typeof TasksStreamParams>;

export type ParsedStreamParams =
  | { readonly ok: true; readonly taskId: string; readonly after: number | undefined }
  | { readonly ok: false; readonly message: string };

/** Parses the params of `tasks/stream`; the message of a refusal names the field, its type and what was expected. */
export function parseStreamParams(params: unknown): ParsedStreamParams {
  const parsed = TasksStreamParams.safeParse(params);
  if (parsed.success) return { ok: true, taskId: parsed.data.taskId, after: parsed.data.after };
  return { ok: false, message: `Invalid params for tasks/stream: ${describeIssues(parsed.error, params)}` };
}
