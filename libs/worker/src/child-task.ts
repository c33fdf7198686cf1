/**
 * A child, as the tool that spawned it sees it.
 *
 * Invariants: a wait reads the child's log and its latest status, nothing else; every wait ends with the attempt that
 * waits; while it waits for a child, an attempt lends its slot, so that the child can have it.
 */
import {
  isTaskstreamError,
  TaskstreamError,
  type EventReader,
  type EventStream,
  type TaskStore,
} from '@taskstream/core';
import { isTerminal, TaskEvent, type TerminalStatus } from '@taskstream/protocol';
import { ToolError } from './tool-errors.js';
import type { ToolResult } from './tool-result.js';

/** How a child ended. */
export interface TaskOutcome {
  readonly status: TerminalStatus;
  readonly statusMessage?: string | undefined;
  /** Of a completed one. */
  readonly result?: ToolResult | undefined;
  /** Of a failed one. */
  readonly error?: { readonly code: number; readonly message: string } | undefined;
}

/** A task that a tool has spawned. */
export interface ChildTask {
  readonly taskId: string;
  readonly name: string;
  /**
   * Waits for the end and gives the result, also one with `isError`.
   * @throws ToolError when the child failed or was cancelled; the signal's reason when `task.signal` aborts
   */
  result(): Promise<ToolResult>;
  /** Waits for the end, whatever it is. @throws the signal's reason when `task.signal` aborts */
  outcome(): Promise<TaskOutcome>;
  /**
   * The child's events after the exclusive cursor, until its end.
   * @throws TaskstreamError events_gone; the signal's reason when `task.signal` aborts
   */
  events(after?: number): AsyncIterable<TaskEvent>;
  /** Asks for the child's end. */
  cancel(): Promise<void>;
}

export interface ChildParts {
  readonly tasks: Pick<TaskStore, 'read' | 'cancel'>;
  readonly events: EventReader;
  readonly signal: AbortSignal;
  /** Called when a wait begins; returns what is called when it ends. */
  readonly lend: () => () => void;
  /** Called once, before the first wait for the end resolves. */
  readonly onEnd: (outcome: TaskOutcome) => Promise<void>;
}

export class SpawnedTask implements ChildTask {
  readonly taskId: string;
  readonly name: string;
  readonly #parts: ChildParts;
  #outcome: Promise<TaskOutcome> | undefined;

  constructor(taskId: string, name: string, parts: ChildParts) {
    this.taskId = taskId;
    this.name = name;
    this.#parts = parts;
  }

  outcome(): Promise<TaskOutcome> {
    this.#outcome ??= unlessLeftBehind(this.#wait());
    return this.#outcome;
  }

  result(): Promise<ToolResult> {
    return unlessLeftBehind(this.#result());
  }

  async #result(): Promise<ToolResult> {
    const { status, statusMessage, result } = await this.outcome();
    if (status === 'completed') return result ?? { content: [] };
    throw new ToolError(`The child ${this.name} ${status === 'failed' ? 'failed' : 'was cancelled'}: ${statusMessage}`);
  }

  async *events(after?: number): AsyncGenerator<TaskEvent, void, undefined> {
    const giveBack = this.#parts.lend();
    let stream: EventStream | undefined;
    try {
      stream = await this.#open(after);
      for (;;) {
        const delivery = await stream.next();
        this.#parts.signal.throwIfAborted();
        if (delivery.type === 'end') return;
        if (delivery.type === 'gone') {
          const { earliestSeq } = delivery;
          throw new TaskstreamError('events_gone', `Events of ${this.taskId} are gone`, { details: { earliestSeq } });
        }
        for (const pack of delivery.packs) {
          for (const line of Buffer.from(pack.data).toString('utf8').trimEnd().split('\n')) {
            yield TaskEvent.parse(JSON.parse(line));
          }
        }
      }
    } finally {
      stream?.close('rotated');
      giveBack();
    }
  }

  async cancel(): Promise<void> {
    await this.#parts.tasks.cancel(this.taskId, 'Cancelled by the task that spawned it');
  }

  async #wait(): Promise<TaskOutcome> {
    const giveBack = this.#parts.lend();
    try {
      const outcome = await this.#ended();
      await this.#parts.onEnd(outcome);
      return outcome;
    } finally {
      giveBack();
    }
  }

  async #ended(): Promise<TaskOutcome> {
    for (;;) {
      this.#parts.signal.throwIfAborted();
      const snapshot = await this.#parts.tasks.read(this.taskId);
      if (snapshot === undefined) {
        const message = 'it has expired';
        return { status: 'failed', statusMessage: message, error: { code: -32603, message } };
      }
      const { status, statusMessage, result, error } = snapshot.status;
      if (isTerminal(status)) return { status, statusMessage, result: result as ToolResult | undefined, error };
      await this.#follow(snapshot.nextSeq);
    }
  }

  /** Waits for the end of the child's log. */
  async #follow(nextSeq: number): Promise<void> {
    let stream: EventStream;
    try {
      stream = await this.#open(nextSeq - 1);
    } catch (error) {
      // What was read is already trimmed: read again.
      if (isTaskstreamError(error, 'events_gone')) return;
      throw error;
    }
    try {
      for (;;) {
        const { type } = await stream.next();
        this.#parts.signal.throwIfAborted();
        if (type !== 'packs') return;
      }
    } finally {
      stream.close('rotated');
    }
  }

  /** A stream that ends when the attempt does. */
  async #open(after: number | undefined): Promise<EventStream> {
    const { signal } = this.#parts;
    signal.throwIfAborted();
    const stream = await this.#parts.events.open(this.taskId, after);
    const stop = () => stream.close('rotated');
    signal.addEventListener('abort', stop, { once: true });
    if (signal.aborted) stop();
    return {
      tailSeq: stream.tailSeq,
      next: () => stream.next(),
      close: (reason) => {
        signal.removeEventListener('abort', stop);
        stream.close(reason);
      },
    };
  }
}

/** A wait that a tool has left behind ends with its attempt, and must not end the process with it. */
function unlessLeftBehind<T>(wait: Promise<T>): Promise<T> {
  wait.catch(() => undefined);
  return wait;
}
