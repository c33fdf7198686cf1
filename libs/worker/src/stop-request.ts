/**
 * What an attempt is told to stop by.
 *
 * Invariants: the first reason counts; whoever listens hears of it, whether it came before or after; the signal aborts
 * with every stop, and else once, when the attempt times out or is over.
 */
import { stopError, type StopReason } from './stop-reason.js';

export class StopRequest {
  readonly #abort = new AbortController();
  #reason: StopReason | undefined;
  #listener: (reason: StopReason) => void = () => undefined;

  get reason(): StopReason | undefined {
    return this.#reason;
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  request(reason: StopReason): void {
    if (this.#reason !== undefined) return;
    this.#reason = reason;
    this.#listener(reason);
    this.#abort.abort(stopError(reason));
  }

  listen(listener: (reason: StopReason) => void): void {
    this.#listener = listener;
    if (this.#reason !== undefined) listener(this.#reason);
  }

  /** Aborts the signal without a stop. */
  abort(error: Error): void {
    if (!this.#abort.signal.aborted) this.#abort.abort(error);
  }
}
