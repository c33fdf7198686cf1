/**
 * What clients say to a running task: steers, in order, and whether it is paused.
 *
 * Invariants: every attempt gets every steer once, in the order of the mailbox, those of earlier attempts included;
 * an entry becomes an event in the log once, whichever attempt takes it; a wait for the resume ends with the attempt.
 */
import { takeCommand, type EventDraft, type MailboxCommand, type MailboxEntry, type Taken } from '@taskstream/core';

/** What a client steered in. */
export interface SteerMessage {
  /** Place in the task's mailbox, from 1: the same in every attempt, so that a step can be named after it. */
  readonly number: number;
  readonly message: string;
  readonly data?: Readonly<Record<string, unknown>> | undefined;
  /** When it was stored, ISO 8601. */
  readonly at: string;
}

/** A task's mailbox, as a tool sees it. */
export interface TaskMailbox {
  /**
   * The messages that clients steered in, from the first one on, each once; waits for the next. Ends when the attempt is
   * told to stop. @throws TypeError when the tool did not declare `steerable`
   */
  steer(): AsyncIterable<SteerMessage>;
  /**
   * Calls back for each message, from the first one on. Returns a function that ends it.
   * @throws TypeError when the tool did not declare `steerable`
   */
  onSteer(listener: (message: SteerMessage) => void): () => void;
  readonly paused: boolean;
  /** Resolves at once when the task is not paused, else when it is resumed. Rejects when `task.signal` aborts. */
  whenResumed(): Promise<void>;
}

export interface MailboxParts {
  readonly tool: string;
  readonly steerable: boolean;
  /** How far the mailbox is in the log as the attempt begins. */
  readonly taken: Taken;
  readonly signal: AbortSignal;
  /** Queues the event of an entry. */
  readonly tell: (event: EventDraft, taken: Taken) => void;
}

export class RunningMailbox implements TaskMailbox {
  readonly #parts: MailboxParts;
  readonly #steers: SteerMessage[] = [];
  readonly #listeners = new Set<(message: SteerMessage) => void>();
  readonly #resumed = new Set<() => void>();
  #taken: Taken;

  constructor(parts: MailboxParts) {
    this.#parts = parts;
    this.#taken = parts.taken;
  }

  get paused(): boolean {
    return this.#taken.paused;
  }

  /** Takes an entry: steers, pauses and resumes. */
  take(command: MailboxCommand, entry: MailboxEntry): void {
    const taken = takeCommand(this.#taken, command, entry);
    if (taken !== undefined) {
      this.#taken = taken.taken;
      this.#parts.tell(taken.event, taken.taken);
    }
    if (command.type === 'steer') this.#deliver(command, entry);
    if (this.paused) return;
    for (const resolve of this.#resumed) resolve();
    this.#resumed.clear();
  }

  steer(): AsyncIterable<SteerMessage> {
    this.#requireSteerable();
    return { [Symbol.asyncIterator]: () => this.#iterate() };
  }

  onSteer(listener: (message: SteerMessage) => void): () => void {
    this.#requireSteerable();
    for (const message of this.#steers) listener(message);
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  whenResumed(): Promise<void> {
    const { signal } = this.#parts;
    if (signal.aborted) return Promise.reject(signal.reason);
    if (!this.paused) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const stop = () => {
        this.#resumed.delete(resume);
        reject(signal.reason);
      };
      const resume = () => {
        signal.removeEventListener('abort', stop);
        resolve();
      };
      this.#resumed.add(resume);
      signal.addEventListener('abort', stop, { once: true });
    });
  }

  #deliver({ message, data }: MailboxCommand & { type: 'steer' }, { number, sentAt }: MailboxEntry): void {
    const steer: SteerMessage = { number, message, ...(data !== undefined && { data }), at: sentAt };
    this.#steers.push(steer);
    for (const listener of this.#listeners) listener(steer);
  }

  async *#iterate(): AsyncGenerator<SteerMessage, void, undefined> {
    const { signal } = this.#parts;
    for (let i = 0; ;) {
      if (signal.aborted) return;
      const message = this.#steers[i];
      if (message === undefined) await this.#next();
      else {
        i++;
        yield message;
      }
    }
  }

  /** Resolves with the next steer, or when the attempt is told to stop. */
  #next(): Promise<void> {
    const { signal } = this.#parts;
    return new Promise((resolve) => {
      const wake = () => {
        this.#listeners.delete(wake);
        signal.removeEventListener('abort', wake);
        resolve();
      };
      this.#listeners.add(wake);
      signal.addEventListener('abort', wake, { once: true });
    });
  }

  #requireSteerable(): void {
    if (this.#parts.steerable) return;
    throw new TypeError(
      `The tool ${this.#parts.tool} takes no steers; declare it with defineTool({ steerable: true })`,
    );
  }
}
