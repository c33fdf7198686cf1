/**
 * Routes a task's open questions to the application and its answers back.
 *
 * Invariants: each key is asked once; questions are asked one after the other; a question that was answered
 * elsewhere, or whose task is over, is withdrawn through its signal; an error of the callback reaches who waits.
 */
import type { DetailedTask, InputRequest, InputResponse, OnInputRequest } from './api.js';
import { argument } from './arguments.js';
import { ClientError } from './errors.js';
import { object } from './shape.js';

/** One answer of the application; throws `callback_failed`. */
export async function askApplication(
  onInputRequest: OnInputRequest,
  key: string,
  request: InputRequest,
  context: { readonly taskId: string | undefined; readonly signal: AbortSignal },
): Promise<InputResponse> {
  let response: unknown;
  try {
    response = await onInputRequest(key, request, context);
  } catch (error) {
    throw new ClientError({ code: 'callback_failed', message: `onInputRequest threw for ${key}` }, error);
  }
  return argument(response, object, `The answer of onInputRequest for ${key}`);
}

export class InputRouter {
  readonly #taskId: string;
  readonly #onInputRequest: OnInputRequest;
  readonly #answer: (key: string, response: InputResponse, signal: AbortSignal) => Promise<void>;
  readonly #onError: (error: unknown) => void;
  /** Every key that was seen, with what withdraws it. */
  readonly #seen = new Map<string, AbortController>();
  #turn: Promise<void> = Promise.resolve();

  constructor(
    taskId: string,
    onInputRequest: OnInputRequest,
    answer: (key: string, response: InputResponse, signal: AbortSignal) => Promise<void>,
    onError: (error: unknown) => void,
  ) {
    this.#taskId = taskId;
    this.#onInputRequest = onInputRequest;
    this.#answer = answer;
    this.#onError = onError;
  }

  /** Takes the task as it is now. */
  route(task: DetailedTask): void {
    const open = task.inputRequests ?? {};
    for (const [key, withdrawal] of this.#seen) if (!Object.hasOwn(open, key)) withdrawal.abort();
    for (const [key, request] of Object.entries(open)) {
      if (this.#seen.has(key)) continue;
      const withdrawal = new AbortController();
      this.#seen.set(key, withdrawal);
      this.#turn = this.#turn.then(() => this.#ask(key, request, withdrawal.signal));
    }
  }

  /** Withdraws what is open; those questions are asked again by the next router only. */
  close(): void {
    for (const withdrawal of this.#seen.values()) withdrawal.abort();
  }

  async #ask(key: string, request: InputRequest, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    try {
      const context = { taskId: this.#taskId, signal };
      const response = await askApplication(this.#onInputRequest, key, request, context);
      if (!signal.aborted) await this.#answer(key, response, signal);
    } catch (error) {
      // A callback that was told to stop may throw for that reason.
      if (!signal.aborted) this.#onError(error);
    }
  }
}
