/**
 * The life of a task as a total table: phase × happening → phase, or a refusal.
 *
 * A phase is what two facts of the log's tail say together: the MCP status, and whether an attempt is running.
 * Invariants: a terminal phase refuses everything; only a running attempt can complete a task.
 */
import { isTerminal, type TaskStatus } from '@taskstream/protocol';

export const PHASES = ['queued', 'running', 'asking', 'suspended', 'completed', 'failed', 'cancelled'] as const;
/** queued: nobody works on it. asking: an attempt waits for input. suspended: input awaited, no attempt holds a slot. */
export type Phase = (typeof PHASES)[number];

export const HAPPENINGS = [
  'attempt_started',
  'attempt_ended',
  'input_requested',
  'input_received',
  'completed',
  'failed',
  'cancelled',
] as const;
export type Happening = (typeof HAPPENINGS)[number];

export const REFUSED = 'refused';
type Outcome = Phase | typeof REFUSED;

const TERMINAL: Readonly<Record<Happening, Outcome>> = {
  attempt_started: REFUSED,
  attempt_ended: REFUSED,
  input_requested: REFUSED,
  input_received: REFUSED,
  completed: REFUSED,
  failed: REFUSED,
  cancelled: REFUSED,
};

/** Questions stay open while another attempt starts: it asks them again, under the same keys. */
const TABLE: Readonly<Record<Phase, Readonly<Record<Happening, Outcome>>>> = {
  queued: {
    attempt_started: 'running',
    attempt_ended: REFUSED,
    input_requested: REFUSED,
    input_received: REFUSED,
    completed: REFUSED,
    failed: 'failed',
    cancelled: 'cancelled',
  },
  running: {
    attempt_started: 'running',
    attempt_ended: 'queued',
    input_requested: 'asking',
    input_received: REFUSED,
    completed: 'completed',
    failed: 'failed',
    cancelled: 'cancelled',
  },
  asking: {
    attempt_started: 'asking',
    attempt_ended: 'suspended',
    input_requested: 'asking',
    input_received: 'running',
    completed: 'completed',
    failed: 'failed',
    cancelled: 'cancelled',
  },
  suspended: {
    attempt_started: 'asking',
    attempt_ended: REFUSED,
    input_requested: REFUSED,
    input_received: REFUSED,
    completed: REFUSED,
    failed: 'failed',
    cancelled: 'cancelled',
  },
  completed: TERMINAL,
  failed: TERMINAL,
  cancelled: TERMINAL,
};

export function nextPhase(phase: Phase, happening: Happening): Outcome {
  return TABLE[phase][happening];
}

/** The phase that a tail shows. */
export function phaseOf(status: TaskStatus, attemptRunning: boolean): Phase {
  if (isTerminal(status)) return status;
  if (status === 'input_required') return attemptRunning ? 'asking' : 'suspended';
  return attemptRunning ? 'running' : 'queued';
}

/** The MCP status of a phase. */
export function statusOf(phase: Phase): TaskStatus {
  switch (phase) {
    case 'queued':
    case 'running':
      return 'working';
    case 'asking':
    case 'suspended':
      return 'input_required';
    default:
      return phase;
  }
}
