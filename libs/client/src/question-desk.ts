/**
 * The open questions of one task in revision 2025-11-25: they come as requests on the response of `tasks/result`.
 *
 * Invariants: one `tasks/result` is read at a time, and none after `close`; the number of open questions is bounded; a
 * question that came twice is one.
 */
import type { InputRequest } from './api.js';
import type { Channel, Exchange } from './channel.js';
import { questionOf, type Link2025 } from './link-2025.js';
import type { JsonObject } from './shape.js';

/** More open questions of one task are not taken. */
const OPEN_QUESTIONS_MAX = 256;

export class QuestionDesk {
  readonly #taskId: string;
  readonly #limits: Channel['limits'];
  readonly #open = new Map<string, { readonly id: unknown; readonly question: InputRequest }>();
  /** Keys that were answered: the server may repeat a question before it has seen the answer. */
  readonly #done = new Set<string>();
  readonly #abort = new AbortController();
  #attending = false;
  /** Ends the wait for a question. */
  #wake: () => void = () => undefined;

  constructor(taskId: string, limits: Channel['limits']) {
    this.#taskId = taskId;
    this.#limits = limits;
  }

  /** Starts to wait for questions, unless it does so already. */
  attend(link: Link2025): void {
    if (this.#attending || this.#abort.signal.aborted) return;
    this.#attending = true;
    void this.#read(link).finally(() => {
      this.#attending = false;
      this.#wake();
    });
  }

  /** Resolves when a question is open, when none can come, and after `ms`. */
  asked(ms: number, signal: AbortSignal): Promise<void> {
    if (this.#open.size > 0 || !this.#attending || signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        signal.removeEventListener('abort', done);
        resolve();
      };
      const timer = setTimeout(done, ms);
      signal.addEventListener('abort', done);
      this.#wake = done;
    });
  }

  questions(): JsonObject {
    return Object.fromEntries([...this.#open].map(([key, { question }]) => [key, question]));
  }

  hasAnswered(key: string): boolean {
    return this.#done.has(key);
  }

  idOf(key: string): unknown {
    return this.#open.get(key)?.id;
  }

  answered(key: string): void {
    this.#open.delete(key);
    this.#done.add(key);
  }

  /** The task goes on: what was open is answered. */
  clear(): void {
    for (const key of this.#open.keys()) this.answered(key);
  }

  close(): void {
    this.#abort.abort();
    this.#wake();
  }

  async #read(link: Link2025): Promise<void> {
    let exchange: Exchange | undefined;
    const { signal } = this.#abort;
    const silenceMs = this.#limits.silenceTimeoutMs;
    const taskId = this.#taskId;
    try {
      const opened = await link.request({ method: 'tasks/result', params: { taskId } }, signal, silenceMs);
      if (opened.type !== 'open') return;
      exchange = opened.exchange;
      while (!signal.aborted) {
        const next = await exchange.read(silenceMs);
        if (next.type === 'eof') return;
        if (next.type !== 'message') continue;
        const { message } = next;
        if (message.kind === 'result' || message.kind === 'error') return;
        if (message.kind === 'request') this.#take(message.id, questionOf(message.method, message.params));
      }
    } catch {
      // The next `tasks/get` tells whether something is wrong; while the task asks, the desk is attended again.
    } finally {
      exchange?.close();
    }
  }

  #take(id: unknown, question: InputRequest): void {
    const key = String(id);
    if (this.#done.has(key) || this.#open.size >= OPEN_QUESTIONS_MAX) return;
    this.#open.set(key, { id, question });
    this.#wake();
  }
}
