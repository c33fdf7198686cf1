/**
 * The bounds of a worker and what it tells about itself.
 *
 * Invariant: every wait of the runtime is one of these.
 */
import type { LimitHit } from '@taskstream/core';
import * as z from 'zod';

const ms = z.int().positive();

export const workerOptionsShape = {
  slots: z.int().positive().default(10).meta({ description: 'Attempts at a time on this worker' }),
  stopGraceMs: ms.default(5_000).meta({ description: 'Time that a tool gets to stop after a cancel or a hand-over' }),
  drainMsMax: ms.default(12_000).meta({ description: 'Time that running attempts get to finish at shutdown' }),
  unknownToolRetryMs: ms
    .default(2_000)
    .meta({ description: 'Delay before a task whose tool is not here is offered again' }),
  unknownTaskRetryMs: ms
    .default(2_000)
    .meta({ description: 'Delay before an item without a visible task is offered again' }),
  blockedMsMax: ms.default(60_000).meta({
    description: 'Longest block of the event loop through which leases are kept; then the process ends by SIGKILL',
  }),
  ownerRunningMax: z
    .int()
    .positive()
    .optional()
    .meta({ description: 'Tasks of one owner that run at a time, over all workers; absent: without a limit' }),
  limitRetryMs: ms.default(500).meta({ description: 'First delay before a task that met a limit is offered again' }),
  limitRetryMsMax: ms.default(5_000).meta({ description: 'Longest such delay' }),
  orphanItemMs: ms.default(3_600_000).meta({ description: 'Age after which an item without a task is removed' }),
  stepsMax: z.int().positive().default(1_000).meta({ description: 'Steps of one attempt' }),
  stepResultBytesMax: z
    .int()
    .positive()
    .default(256 * 1024)
    .meta({ description: 'Largest result of a step, as JSON' }),
  checkpointBytesMax: z
    .int()
    .positive()
    .default(256 * 1024)
    .meta({ description: 'Largest value of a checkpoint, as JSON' }),
  checkpointsMax: z.int().positive().default(100).meta({ description: 'Names of checkpoints of one attempt' }),
  checkpointEventMs: ms.default(1_000).meta({ description: 'Least time between two events of one checkpoint' }),
  childrenMax: z.int().positive().default(100).meta({ description: 'Children that one task may spawn' }),
  childDepthMax: z.int().positive().default(5).meta({ description: 'How deep children may be nested' }),
  childWaitsMax: z.int().positive().default(1_000).meta({
    description: 'Attempts of this worker that wait for children and lend their slots meanwhile; more keep theirs',
  }),
  parentCheckMs: ms
    .default(10_000)
    .meta({ description: 'Interval at which a child looks whether its parent has ended' }),
  suspendLingerMs: ms.default(50).meta({
    description: 'A tool that did nothing for so long but wait for a question that suspends ends its attempt',
  }),
  pullRetryMs: ms.default(500).meta({ description: 'Wait after a pull that failed' }),
} as const;

export interface WorkerOptions extends z.infer<z.ZodObject<typeof workerOptionsShape>> {
  /** Unique name of this worker process; it is on every event. */
  readonly worker: string;
  readonly leaseMs: number;
  /** Told which of these bounds refused something, by its key; `slowed`: something waits for it instead. */
  readonly limitHit?: LimitHit | undefined;
}

export interface AttemptFact {
  readonly taskId: string;
  readonly attempt: number;
  readonly tool: string;
  readonly traceparent: string | undefined;
}

export interface StepFact {
  readonly name: string;
  readonly how: 'completed' | 'recalled' | 'failed';
  /** From 1; 0 for a step that was recalled. */
  readonly try: number;
  readonly ms: number;
  readonly error?: unknown;
}

export interface WorkerObserver {
  /** `waitMs`: since its item was queued or due; only of first and woken attempts, whose items are their own. */
  attemptStarted(fact: AttemptFact & { readonly cause: string; readonly waitMs: number | undefined }): void;
  /** A try of a step is over: `completed` here, `recalled` from an earlier attempt, or failed with `error`. */
  stepEnded(fact: StepFact & { readonly taskId: string; readonly attempt: number }): void;
  /** `how`: a status, `retry`, `handed_over`, or `silent` for an attempt that may no longer speak. */
  attemptEnded(fact: AttemptFact & { readonly how: string; readonly ms: number; readonly error?: unknown }): void;
  /** A tool that was told to stop did not within its grace; it is abandoned, its attempt ends without it. */
  stopIgnored(fact: {
    readonly taskId: string;
    readonly attempt: number;
    readonly tool: string;
    readonly traceparent: string | undefined;
    readonly why: 'cancel' | 'hand_over' | 'expired' | 'suspend';
    readonly graceMs: number;
  }): void;
  /** An abandoned tool emitted after its attempt had ended; the event was refused. */
  lateEmit(fact: AttemptFact & { readonly type: string }): void;
  /** The lease could not be extended in time; the attempt is confirmed before it goes on. */
  leaseInDoubt(fact: { readonly taskId: string; readonly attempt: number; readonly gapMs: number }): void;
  /** An item was let go without running; `limit` when a limit on running tasks was the reason. */
  released(fact: { readonly taskId: string; readonly why: string; readonly limit?: string }): void;
  pullFailed(fact: { readonly queue: string; readonly error: unknown }): void;
  /** Every slot is held by a tool that goes on though its attempt is over: this process can do no more work. */
  stuck(fact: { readonly abandoned: number }): void;
  /** The runtime itself failed around an item; the lease will bring it back. */
  itemFailed(fact: { readonly taskId: string; readonly error: unknown }): void;
}
