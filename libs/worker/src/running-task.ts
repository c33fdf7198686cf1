/**
 * The `Task` that a tool is handed, on top of the log of its attempt.
 *
 * Invariants: a tool cannot emit under our own prefix; an emit that fails unseen fails the task; after the attempt has
 * ended every emit is refused and reported.
 */
import { TaskstreamError, type AttemptLog } from '@taskstream/core';
import { SYSTEM_EVENT_PREFIX, SystemEvent, type EventIdentity } from '@taskstream/protocol';
import type { Task } from './define-tool.js';
import { observed } from './observed-promise.js';

export class RunningTask implements Task {
  readonly id: string;
  readonly attempt: number;
  readonly signal: AbortSignal;
  readonly #log: AttemptLog;
  #firstUnseen: unknown;

  constructor(id: string, log: AttemptLog, signal: AbortSignal) {
    this.id = id;
    this.attempt = log.attempt;
    this.signal = signal;
    this.#log = log;
  }

  /** The first failure of an emit that nobody awaited. */
  get unseenFailure(): unknown {
    return this.#firstUnseen;
  }

  emit(type: string, payload: Readonly<Record<string, unknown>>, identity?: EventIdentity): Promise<void> {
    if (typeof type === 'string' && type.startsWith(SYSTEM_EVENT_PREFIX)) {
      const error = new TaskstreamError('invalid_event', `type: ${type} is under the prefix of taskstream itself`);
      return this.#watch(Promise.reject(error));
    }
    return this.#watch(this.#log.append([{ type, payload, identity }]));
  }

  status(message: string): Promise<void> {
    return this.#watch(this.#log.appendStatus({ status: 'working', statusMessage: String(message) }));
  }

  progress(done: number, total?: number, message?: string): Promise<void> {
    const payload = {
      progress: done,
      ...(total !== undefined && { total }),
      ...(message !== undefined && { message }),
    };
    return this.#watch(this.#log.append([{ type: SystemEvent.progress, payload }]));
  }

  #watch(promise: Promise<void>): Promise<void> {
    return observed(promise, (error) => {
      this.#firstUnseen ??= error;
    });
  }
}
