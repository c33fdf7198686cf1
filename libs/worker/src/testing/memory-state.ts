/**
 * The state of one task in memory: results of steps and checkpoints.
 *
 * Invariants: of a step the first result counts; a checkpoint belongs to the newest attempt that has touched it.
 */
import { decideCheckpoint, TaskstreamError, type AttemptState, type RecordedStep } from '@taskstream/core';

interface Checkpoint {
  readonly attempt: number;
  readonly json: string | undefined;
}

export class MemoryState {
  readonly #steps = new Map<string, RecordedStep>();
  readonly #checkpoints = new Map<string, Checkpoint>();

  /** The state in the hands of one attempt. */
  open(attempt: number): AttemptState {
    const touch = (name: string): Checkpoint | undefined => {
      const there = this.#checkpoints.get(name);
      if (decideCheckpoint(there?.attempt, attempt) === 'fenced') {
        throw new TaskstreamError('fenced', `Attempt ${attempt} has been taken over`);
      }
      return there;
    };
    return {
      step: async (name) => this.#steps.get(name),
      recordStep: async (step) => {
        const there = this.#steps.get(step.name);
        if (there === undefined) this.#steps.set(step.name, step);
        return { recorded: there ?? step, mine: there === undefined };
      },
      takeCheckpoint: async (name) => {
        const json = touch(name)?.json;
        this.#checkpoints.set(name, { attempt, json });
        return json;
      },
      saveCheckpoint: async (name, json) => {
        touch(name);
        this.#checkpoints.set(name, { attempt, json });
      },
    };
  }
}
