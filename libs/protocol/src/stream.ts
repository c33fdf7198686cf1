/**
 * What goes out on a `tasks/stream` response besides events: why it ended.
 *
 * Invariant: `terminal` means that every event up to the last one was delivered on this stream or lies at or below
 * the client's cursor; every other reason asks the client to resume.
 */
import * as z from 'zod';
import { RELATED_TASK_META_KEY, STREAM_META_KEY } from './meta-keys.js';
import { TaskStatus } from './task.js';

export const STREAM_END_REASONS = ['terminal', 'draining', 'rotated', 'slow-reader', 'expired'] as const;
export const StreamEndReason = z.enum(STREAM_END_REASONS);
export type StreamEndReason = z.infer<typeof StreamEndReason>;

export const StreamEnd = z.looseObject({
  reason: StreamEndReason,
  status: TaskStatus,
  /** The seq after the last delivered event: resume with `after: nextSeq - 1`. */
  nextSeq: z.int().nonnegative(),
});
export type StreamEnd = z.infer<typeof StreamEnd>;

/** The empty result of `tasks/stream` in 2026-07-28 shape, with the reason in `_meta`. */
export function streamResult(end: StreamEnd, serverInfo: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return {
    resultType: 'complete',
    _meta: { 'io.modelcontextprotocol/serverInfo': serverInfo, [STREAM_META_KEY]: end },
  };
}

/** The empty result of `tasks/stream` in 2025-11-25 shape: related-task metadata, no `resultType`. */
export function streamResult2025(end: StreamEnd, taskId: string): Record<string, unknown> {
  return { _meta: { [RELATED_TASK_META_KEY]: { taskId }, [STREAM_META_KEY]: end } };
}
