/**
 * Questions of a running attempt to the client, and the answers that come through the mailbox.
 *
 * Invariants: a key names one question for the whole life of the task, over all attempts: it is derived from the
 * question's text and its place; the first answer to a key counts, later ones are ignored; an answer that came before
 * its question is asked again is given at once.
 */
import { createHash } from 'node:crypto';
import { lackingCapability, type StatusPayload } from '@taskstream/protocol';
import { ToolError } from './tool-errors.js';

/** A request to the client, as MCP defines them. */
export interface InputRequest {
  readonly method: 'elicitation/create' | 'sampling/createMessage' | 'roots/list';
  readonly params?: Readonly<Record<string, unknown>>;
}

interface Open {
  readonly request: InputRequest;
  readonly resolve: (response: unknown) => void;
}

export class InputDesk {
  readonly #capabilities: Readonly<Record<string, unknown>>;
  readonly #state: (status: StatusPayload, awaited?: () => boolean) => Promise<void>;
  readonly #signal: AbortSignal;
  readonly #open = new Map<string, Open>();
  readonly #answers = new Map<string, unknown>();
  readonly #asked = new Map<string, number>();
  #message: string | undefined;
  #stated: 'working' | 'input_required' = 'working';
  #changing = false;

  /** `state` appends a status; `capabilities` are what the task's creator declared. */
  constructor(
    capabilities: Readonly<Record<string, unknown>>,
    state: (status: StatusPayload, awaited?: () => boolean) => Promise<void>,
    signal: AbortSignal,
  ) {
    this.#capabilities = capabilities;
    this.#state = state;
    this.#signal = signal;
  }

  /** Whether a question is open. */
  get waiting(): boolean {
    return this.#open.size > 0;
  }

  /**
   * Asks one question and waits for its answer.
   * @throws ToolError when the client did not declare that it can be asked; the signal's reason when it aborts
   */
  ask(name: string, request: InputRequest): Promise<unknown> {
    const lacking = lackingCapability(request, this.#capabilities);
    if (lacking !== undefined) {
      const what = JSON.stringify(lacking);
      return Promise.reject(new ToolError(`The client cannot be asked: it did not declare ${what}`));
    }
    if (this.#signal.aborted) return Promise.reject(this.#signal.reason);
    const key = this.#key(name, request);
    if (this.#answers.has(key)) return Promise.resolve(this.#answers.get(key));
    return new Promise((resolve, reject) => {
      const stop = () => {
        this.#open.delete(key);
        reject(this.#signal.reason);
      };
      this.#signal.addEventListener('abort', stop, { once: true });
      this.#open.set(key, {
        request,
        resolve: (response) => {
          this.#signal.removeEventListener('abort', stop);
          resolve(response);
        },
      });
      this.#changed(reject);
    });
  }

  /** Takes an answer from the mailbox. */
  answer(key: string, response: unknown): void {
    if (this.#answers.has(key)) return;
    this.#answers.set(key, response);
    const open = this.#open.get(key);
    if (open === undefined) return;
    this.#open.delete(key);
    this.#changed(() => undefined);
    open.resolve(response);
  }

  /** Sets the status message; the status stays what the open questions say. */
  say(message: string, awaited?: () => boolean): Promise<void> {
    this.#message = message;
    return this.#state(this.#status(), awaited);
  }

  #status(): StatusPayload {
    const message = this.#message === undefined ? {} : { statusMessage: this.#message };
    if (this.#open.size === 0) {
      this.#stated = 'working';
      return { status: 'working', ...message };
    }
    this.#stated = 'input_required';
    const inputRequests = Object.fromEntries([...this.#open].map(([key, { request }]) => [key, request]));
    return { status: 'input_required', ...message, inputRequests };
  }

  /** Questions that are asked or answered in one turn are stated in one status. */
  #changed(onError: (error: unknown) => void): void {
    if (this.#changing) return;
    this.#changing = true;
    queueMicrotask(() => {
      this.#changing = false;
      if (this.#open.size === 0 && this.#stated === 'working') return;
      this.#state(this.#status()).catch(onError);
    });
  }

  /** The same question at the same place has the same key in every attempt; another question never has it. */
  #key(name: string, request: InputRequest): string {
    const digest = createHash('sha256')
      .update(JSON.stringify([name, request]))
      .digest('base64url')
      .slice(0, 12);
    const nth = (this.#asked.get(digest) ?? 0) + 1;
    this.#asked.set(digest, nth);
    return `${name}-${digest}${nth === 1 ? '' : `-${nth}`}`;
  }
}
