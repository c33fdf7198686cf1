/**
 * The tool calls that are being answered on this node: a drain waits for them, then has the rest answered with an error.
 *
 * Invariant: a call counts until its socket is done with the response.
 */
import type { ServerResponse } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';

const POLL_MS = 20;
/** What is left of a drain for the answers of the calls that it ends. */
const ANSWER_MS_MAX = 1_000;

export class OpenCalls {
  readonly #stopping = new AbortController();
  #count = 0;

  get count(): number {
    return this.#count;
  }

  /** Aborts when calls that still wait must be answered now. */
  get stopping(): AbortSignal {
    return this.#stopping.signal;
  }

  track(response: ServerResponse): void {
    if (response.closed) return;
    this.#count++;
    response.once('close', () => this.#count--);
  }

  /** Resolves when every call has been answered, at the latest after `msMax`. */
  async drain(msMax: number): Promise<void> {
    await this.#over(msMax - ANSWER_MS_MAX);
    this.#stopping.abort();
    await this.#over(ANSWER_MS_MAX);
  }

  async #over(msMax: number): Promise<void> {
    const deadline = performance.now() + msMax;
    while (this.#count > 0 && performance.now() < deadline) await delay(POLL_MS);
  }
}
