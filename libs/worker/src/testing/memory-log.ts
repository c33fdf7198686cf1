/**
 * The log of one attempt in memory, with the refusals of the real one.
 *
 * Invariants: an event is durable one turn after its call; a log that was fenced or closed takes nothing. Events never
 * meet in a queue here, so none are joined, and there is no room to run out of.
 */
import {
  attemptName,
  encodePayload,
  TaskstreamError,
  type AttemptLog,
  type AttemptStart,
  type EventDraft,
  type Tail,
  type Taken,
  type TaskSpec,
} from '@taskstream/core';
import { isTerminal, SystemEvent, type StatusPayload } from '@taskstream/protocol';

/** As in a store with its defaults. */
const PAYLOAD_BYTES_MAX = 256 * 1024;
const STATUS_BYTES_MAX = 960 * 1024;

/** What a log writes into. */
export interface MemoryJournal {
  readonly spec: TaskSpec;
  readonly status: StatusPayload;
  readonly events: ReadonlyArray<unknown>;
  record(event: EventDraft, payloadJson: string, attempt: number): void;
  change(change: Partial<Tail>): void;
  changeStatus(status: StatusPayload): void;
}

export class MemoryLog implements AttemptLog {
  readonly attempt: number;
  readonly #task: MemoryJournal;
  readonly #start: AttemptStart;
  readonly #abort = new AbortController();
  readonly #where: () => string;
  readonly openQuestions: Readonly<Record<string, unknown>>;
  #closed: TaskstreamError | undefined;

  constructor(task: MemoryJournal, start: AttemptStart) {
    this.attempt = start.attempt;
    this.#task = task;
    this.#start = start;
    this.openQuestions = task.status.inputRequests ?? {};
    this.#where = () => attemptName(task.spec.tool, task.spec.taskId, start.attempt);
  }

  get nextSeq(): number {
    return this.#task.events.length;
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  append(events: ReadonlyArray<EventDraft>): Promise<void> {
    return this.#write(events, PAYLOAD_BYTES_MAX);
  }

  appendStatus(status: StatusPayload): Promise<void> {
    return this.#write([{ type: SystemEvent.taskStatus, payload: status }], STATUS_BYTES_MAX, () => {
      this.#task.changeStatus(status);
      if (isTerminal(status.status)) this.#close();
    });
  }

  appendTaken(event: EventDraft, taken: Taken): Promise<void> {
    return this.#write([event], PAYLOAD_BYTES_MAX, () => this.#task.change({ taken }));
  }

  appendAttemptEnd(end: Parameters<AttemptLog['appendAttemptEnd']>[0]): Promise<void> {
    const draft = { type: SystemEvent.attemptEnded, payload: { attempt: this.attempt, ...end } };
    return this.#write([draft], PAYLOAD_BYTES_MAX, () => {
      const handedOver = end.reason === 'handed_over';
      const suspended = end.reason === 'suspended';
      this.#task.change({
        runningItem: undefined,
        runningDelivery: 0,
        handedOver,
        suspended,
        failures: this.#start.failures + (handedOver || suspended ? 0 : 1),
      });
      this.#close();
    });
  }

  /** An event is recorded by its call. */
  async settled(): Promise<void> {
    if (this.#abort.signal.aborted) throw this.#abort.signal.reason;
  }

  async confirm(): Promise<void> {
    if (this.#closed !== undefined) throw this.#closed;
  }

  /** Another attempt has taken the task over. */
  fence(): void {
    this.#closed = new TaskstreamError('fenced', `${this.#where()} has been taken over`);
    this.#abort.abort(this.#closed);
  }

  #close(): void {
    this.#closed = new TaskstreamError('task_ended', `${this.#where()} has ended`);
  }

  #write(events: ReadonlyArray<EventDraft>, payloadBytesMax: number, then?: () => void): Promise<void> {
    if (this.#closed !== undefined) return Promise.reject(this.#closed);
    try {
      const payloads = events.map((e) => encodePayload(e, payloadBytesMax, this.#where));
      for (const [i, event] of events.entries()) this.#task.record(event, payloads[i] as string, this.attempt);
    } catch (error) {
      return Promise.reject(error);
    }
    then?.();
    return new Promise((resolve) => setImmediate(resolve));
  }
}
