/**
 * Steps and checkpoints: what is recorded of them, and what follows from a record.
 *
 * Invariants: a step is found by its name, never by its place in the tool; the first recorded result is the only one
 * that an attempt ever sees; a checkpoint belongs to the newest attempt that has touched it.
 */
import * as z from 'zod';

/** Names of steps and checkpoints: 1 to 100 characters, no control characters. */
export const StateName = z.string().regex(/^\P{C}{1,100}$/u, 'expected 1 to 100 characters without control characters');

/** The result of a step, as every attempt sees it. */
export interface RecordedStep {
  readonly name: string;
  /** What the author called the step's version when it was recorded. */
  readonly version: string | undefined;
  /** The attempt that recorded it. */
  readonly attempt: number;
  /** How often the function was called in that attempt. */
  readonly tries: number;
  /** Milliseconds of the call that counted. */
  readonly ms: number;
  /** JSON text; undefined for a step that returned nothing. */
  readonly json: string | undefined;
}

export type StepDecision =
  /** No attempt has a result: call the function. */
  | { readonly type: 'run' }
  /** Hand out what is recorded. */
  | { readonly type: 'recall'; readonly recorded: RecordedStep }
  /** The result was recorded for another version of the step. */
  | { readonly type: 'changed'; readonly recorded: RecordedStep };

export function decideStep(recorded: RecordedStep | undefined, version: string | undefined): StepDecision {
  if (recorded === undefined) return { type: 'run' };
  return { type: recorded.version === version ? 'recall' : 'changed', recorded };
}

/** What an attempt does about a checkpoint that it finds, written last by the attempt `holder` (undefined: by none). */
export type CheckpointDecision =
  /** Write above it. */
  | 'write'
  /** It is this attempt's own already. */
  | 'own'
  /** A newer attempt has it: this one has been taken over. */
  | 'fenced';

export function decideCheckpoint(holder: number | undefined, attempt: number): CheckpointDecision {
  if (holder === undefined || holder < attempt) return 'write';
  return holder === attempt ? 'own' : 'fenced';
}
