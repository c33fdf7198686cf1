/**
 * Questions of a running attempt to the client, and the answers that come through the mailbox.
 *
 * Invariants: a key names one question for the whole life of the task, over all attempts: it is derived from the
 * question's text and its place; the first answer to a key counts, later ones are ignored; an answer that came before
 * its question is asked again is given at once; a question of an earlier attempt stays open until it is answered, so
 * that its answer is taken at any time; an attempt that is told to stop states no question as closed.
 */
import { createHash } from 'node:crypto';
import { lackingCapability, type StatusPayload } from '@taskstream/protocol';
import { ToolError } from './tool-errors.js';

/** A request to the client, as MCP defines them. */
export interface InputRequest {
  readonly method: 'elicitation/create' | 'sampling/createMessage' | 'roots/list';
  readonly params?: Readonly<Record<string, unknown>>;
}

export interface AskOptions {
  /**
   * Ends the attempt while the answer is awaited, so that the task holds no slot of a worker: the answer begins a new
   * attempt. Without it the attempt waits.
   */
  readonly suspend?: boolean;
}

interface Open {
  readonly request: unknown;
  readonly suspends: boolean;
  readonly resolve: (response: unknown) => void;
}

export interface InputDeskParts {
  /** What the task's creator declared. */
  readonly capabilities: Readonly<Record<string, unknown>>;
  /** Questions of earlier attempts that are open, by key. */
  readonly openBefore: Readonly<Record<string, unknown>>;
  /** Appends a status; `awaited` says whether somebody waits for it. */
  readonly state: (status: StatusPayload, awaited?: () => boolean) => Promise<void>;
  readonly signal: AbortSignal;
}

export class InputDesk {
  readonly #parts: InputDeskParts;
  readonly #open = new Map<string, Open>();
  /** Asked by an earlier attempt, not yet by this one. */
  readonly #before: Map<string, unknown>;
  readonly #answers = new Map<string, unknown>();
  readonly #asked = new Map<string, number>();
  #message: string | undefined;
  /** The open keys of the latest status, as text; empty when it is `working`. */
  #stated: string;
  #changing = false;
  #onStated: () => void = () => undefined;

  constructor(parts: InputDeskParts) {
    this.#parts = parts;
    this.#before = new Map(Object.entries(parts.openBefore));
    this.#stated = this.#openKeys();
  }

  /** Whether the attempt may end while it waits: a question is open that was asked so. */
  get suspends(): boolean {
    return [...this.#open.values()].some((o) => o.suspends);
  }

  /** Calls `listener` after the open questions have changed and that has been stated. */
  set onStated(listener: () => void) {
    this.#onStated = listener;
  }

  /** The same question at the same place has the same key in every attempt; another question never has it. */
  keyOf(name: string, request: InputRequest): string {
    const digest = createHash('sha256')
      .update(JSON.stringify([name, request]))
      .digest('base64url')
      .slice(0, 12);
    const nth = (this.#asked.get(digest) ?? 0) + 1;
    this.#asked.set(digest, nth);
    return `${name}-${digest}${nth === 1 ? '' : `-${nth}`}`;
  }

  /** Whether a question is open. */
  get waiting(): boolean {
    return this.#open.size > 0;
  }

  /**
   * Asks one question and waits for its answer.
   * @throws ToolError when the client did not declare that it can be asked; the signal's reason when it aborts
   */
  ask(name: string, request: InputRequest, options?: AskOptions): Promise<unknown> {
    return this.askAs(this.keyOf(name, request), request, options);
  }

  /** Asks under a key that is already known. */
  askAs(key: string, request: InputRequest, { suspend = false }: AskOptions = {}): Promise<unknown> {
    const { capabilities, signal } = this.#parts;
    const lacking = lackingCapability(request, capabilities);
    if (lacking !== undefined) {
      const what = JSON.stringify(lacking);
      return Promise.reject(new ToolError(`The client cannot be asked: it did not declare ${what}`));
    }
    if (signal.aborted) return Promise.reject(signal.reason);
    if (this.#answers.has(key)) return Promise.resolve(this.#answers.get(key));
    return new Promise((resolve, reject) => {
      const stop = () => reject(signal.reason);
      signal.addEventListener('abort', stop, { once: true });
      this.#before.delete(key);
      this.#open.set(key, {
        request,
        suspends: suspend,
        resolve: (response) => {
          signal.removeEventListener('abort', stop);
          resolve(response);
        },
      });
      this.#changed(reject);
    });
  }

  /** Takes an answer from the mailbox. */
  answer(key: string, response: unknown): void {
    // Once told to stop, the attempt leaves what comes to the next one: its questions stay stated as open.
    if (this.#answers.has(key) || this.#parts.signal.aborted) return;
    this.#answers.set(key, response);
    const open = this.#open.get(key);
    if (open === undefined && !this.#before.has(key)) return;
    this.#open.delete(key);
    this.#before.delete(key);
    this.#changed(() => undefined);
    open?.resolve(response);
  }

  /** Sets the status message; the status stays what the open questions say. */
  say(message: string, awaited?: () => boolean): Promise<void> {
    this.#message = message;
    return this.#parts.state(this.#status(), awaited);
  }

  #openKeys(): string {
    return [...this.#before.keys(), ...this.#open.keys()].toSorted().join('\n');
  }

  #status(): StatusPayload {
    const message = this.#message === undefined ? {} : { statusMessage: this.#message };
    this.#stated = this.#openKeys();
    if (this.#stated === '') return { status: 'working', ...message };
    const asked = [...this.#open].map(([key, { request }]) => [key, request] as const);
    return { status: 'input_required', ...message, inputRequests: Object.fromEntries([...this.#before, ...asked]) };
  }

  /** Questions that are asked or answered in one turn are stated in one status. */
  #changed(onError: (error: unknown) => void): void {
    if (this.#changing) return;
    this.#changing = true;
    queueMicrotask(() => {
      this.#changing = false;
      if (this.#openKeys() !== this.#stated) this.#parts.state(this.#status()).catch(onError);
      this.#onStated();
    });
  }
}
