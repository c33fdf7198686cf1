/**
 * The spec: the immutable record of a task, written once at creation.
 *
 * Invariant: the stored format is versioned by `v`; a reader refuses a version that it does not know.
 */
import * as z from 'zod';

export const SPEC_VERSION = 1;
/** Priority of a task that names none; 0 is served first. */
export const PRIORITY_DEFAULT = 5;
/** The least urgent that can be asked for. Behind it stands what one owner queues beyond its share. */
export const PRIORITY_MAX = 8;

export const TaskSpec = z.looseObject({
  v: z.literal(SPEC_VERSION),
  taskId: z.string(),
  tool: z.string().min(1),
  arguments: z.record(z.string(), z.unknown()),
  /** The authenticated principal that the task belongs to. */
  owner: z.string().min(1),
  /** ISO 8601. */
  createdAt: z.iso.datetime(),
  ttlMs: z.int().positive().nullable(),
  pollIntervalMs: z.int().positive(),
  queue: z.string(),
  /** 0 is served first. */
  priority: z.int().min(0).max(9),
  /** Not before this time, ISO 8601. */
  startAt: z.iso.datetime().optional(),
  /** Tasks of one fairness key share its turn in the queue. */
  fairnessKey: z.string(),
  attemptsMax: z.int().positive(),
  /** What the creator declared: kinds of input that it did not declare are never asked. */
  clientCapabilities: z.record(z.string(), z.unknown()),
  /** Answers that the client gave before the task existed, by the names of the tool's `inputFirst`. */
  given: z.record(z.string(), z.unknown()).optional(),
  traceparent: z.string().optional(),
  /** Of a call of 2025-11-25 that became this task: its progress is told under it as long as the task lives. */
  progressToken: z.union([z.string(), z.number()]).optional(),
  /** The task that spawned this one. Absent: a client called the tool. */
  parent: z
    .looseObject({
      taskId: z.string(),
      /** What the parent calls it. */
      name: z.string(),
      /** 1 for a child of a task that a client called. */
      depth: z.int().positive(),
      /** Whether it goes on when its parent has ended. */
      abandoned: z.boolean(),
    })
    .optional(),
  /** SHA-256 of tool and arguments, base64url: tells a retried call from another one under the same key. */
  requestDigest: z.string().optional(),
});
export type TaskSpec = z.infer<typeof TaskSpec>;
