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
  /** A client steered the task. Payload: `TaskSteered`. */
  taskSteered: 'dev.taskstream.task.steered',
  /** A client paused the task. Payload: `TaskPaused`. */
  taskPaused: 'dev.taskstream.task.paused',
  /** A client resumed the task. Payload: `TaskPaused`. */
  taskResumed: 'dev.taskstream.task.resumed',
  /** The task spawned a child. Payload: `ChildSpawned`. */
  childSpawned: 'dev.taskstream.child.spawned',
  /** A child that the task waited for has ended. Payload: `ChildEnded`. */
  childEnded: 'dev.taskstream.child.ended',
  /** A step's result was recorded: once in the life of a task. Payload: `StepCompleted`. */
  stepCompleted: 'dev.taskstream.step.completed',
  /** A call of a step's function failed. Payload: `StepFailed`. */
  stepFailed: 'dev.taskstream.step.failed',
  /** Steps were not run because their results are recorded. Payload: `StepRecalled`. */
  stepRecalled: 'dev.taskstream.step.recalled',
  /** A checkpoint is durable. Payload: `CheckpointSaved`. */
  checkpointSaved: 'dev.taskstream.checkpoint.saved',
} as const;

export const AttemptStarted = z.looseObject({
  attempt: z.int().positive(),
  worker: z.string(),
  /** Why this try exists: the first one, or what ended the one before. */
  cause: z.enum(['first', 'retry', 'lease_lost', 'handed_over', 'woken']),
});
export type AttemptStarted = z.infer<typeof AttemptStarted>;

export const AttemptEnded = z.looseObject({
  attempt: z.int().positive(),
  reason: z.enum(['error', 'timeout', 'handed_over', 'suspended']),
  message: z.string().optional(),
  /** When the next try may start, ISO 8601. */
  retryAt: z.string().optional(),
});
export type AttemptEnded = z.infer<typeof AttemptEnded>;

/** Results are not in events: a tool emits what its client should see. */
export const StepCompleted = z.looseObject({
  name: z.string(),
  /** Calls of the function in this attempt. */
  tries: z.int().positive(),
  /** Time of the call that counted. */
  ms: z.number().nonnegative(),
  /** Size of the recorded result. */
  bytes: z.int().nonnegative(),
});
export type StepCompleted = z.infer<typeof StepCompleted>;

export const StepFailed = z.looseObject({
  name: z.string(),
  try: z.int().positive(),
  message: z.string(),
  /** When the function is called again, ISO 8601. Absent: not again in this attempt. */
  retryAt: z.string().optional(),
});
export type StepFailed = z.infer<typeof StepFailed>;

export const StepRecalled = z.looseObject({ names: z.array(z.string()) });
export type StepRecalled = z.infer<typeof StepRecalled>;

export const CheckpointSaved = z.looseObject({
  name: z.string(),
  bytes: z.int().nonnegative(),
  /** Saves that this event stands for: those since the last one, up to this state. */
  saves: z.int().positive(),
});
export type CheckpointSaved = z.infer<typeof CheckpointSaved>;

export const ProgressPayload = z.looseObject({
  progress: z.number(),
  total: z.number().optional(),
  message: z.string().optional(),
});
export type ProgressPayload = z.infer<typeof ProgressPayload>;

/** Payload of `task.paused` and `task.resumed`. */
export const TaskPaused = z.looseObject({
  /** Number of the mailbox entry, from 1. */
  entry: z.int().positive(),
  /** When the client's request was stored, ISO 8601. */
  sentAt: z.string(),
});
export type TaskPaused = z.infer<typeof TaskPaused>;

export const TaskSteered = TaskPaused.extend({
  message: z.string(),
  data: z.record(z.string(), z.unknown()).optional(),
});
export type TaskSteered = z.infer<typeof TaskSteered>;

export const ChildSpawned = z.looseObject({
  taskId: z.string(),
  /** What the parent calls it; unique within the parent. */
  name: z.string(),
  tool: z.string(),
  /** Whether it goes on when its parent has ended. Absent: no. */
  abandoned: z.boolean().optional(),
});
export type ChildSpawned = z.infer<typeof ChildSpawned>;

export const ChildEnded = z.looseObject({
  taskId: z.string(),
  name: z.string(),
  status: z.enum(['completed', 'failed', 'cancelled']),
  statusMessage: z.string().optional(),
  isError: z.boolean().optional(),
});
export type ChildEnded = z.infer<typeof ChildEnded>;
