/**
 * The event types that taskstream itself emits, and the shapes of their payloads.
 *
 * Invariant: each type carries our vendor prefix; tools may not emit types under it.
 */
import * as z from 'zod';

export const SYSTEM_EVENT_PREFIX = 'dev.taskstream.';

export const SystemEvent = {
  /** The task's status changed, or is stated again. Payload: `StatusPayload`. */
  taskStatus: 'dev.taskstream.task.status',
  /** A worker began a try at the task. Payload: `AttemptStarted`. */
  attemptStarted: 'dev.taskstream.attempt.started',
  /** A try ended without ending the task. Payload: `AttemptEnded`. */
  attemptEnded: 'dev.taskstream.attempt.ended',
  /** The tool reported progress. Payload: `{progress, total?, message?}`. */
  progress: 'dev.taskstream.task.progress',
} as const;

export const AttemptStarted = z.looseObject({
  attempt: z.int().positive(),
  worker: z.string(),
  /** Why this try exists: the first one, or what ended the one before. */
  cause: z.enum(['first', 'retry', 'lease_lost', 'handed_over']),
});
export type AttemptStarted = z.infer<typeof AttemptStarted>;

export const AttemptEnded = z.looseObject({
  attempt: z.int().positive(),
  reason: z.enum(['error', 'timeout', 'handed_over']),
  message: z.string().optional(),
  /** When the next try may start, ISO 8601. */
  retryAt: z.string().optional(),
});
export type AttemptEnded = z.infer<typeof AttemptEnded>;

export const ProgressPayload = z.looseObject({
  progress: z.number(),
  total: z.number().optional(),
  message: z.string().optional(),
});
export type ProgressPayload = z.infer<typeof ProgressPayload>;
