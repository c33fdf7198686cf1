/**
 * Claims from the lines of one queue: from the first line that has anything, and when none has, from whichever gets
 * something first.
 *
 * Invariants: a message that the server has leased to this process is handed on or given back at once, never dropped;
 * each line has at most one standing order, for one message; the last line is asked first every `REST_TURN`th time, so
 * that nobody's work waits for ever.
 */
import { TaskstreamError } from '@taskstream/core';
import { createInbox, nanos } from '@nats-io/transport-node';
import type { Broker } from './broker.js';
import { LeasedMessage, statusOf } from './leased-message.js';
import { WORK_STREAM } from './names.js';
import type { StoreOptions } from './options.js';

const REST_TURN = 4;
const HEARTBEAT_MS_MAX = 5_000;

interface Waiter {
  /** Undefined: nothing came; look again. */
  settle(message: LeasedMessage | undefined, error?: TaskstreamError): void;
}

/** What an ask tells: any number of messages, before and after its end; its end once. */
interface Answers {
  message(m: LeasedMessage): void;
  end(error?: TaskstreamError): void;
}

export class QueueLines {
  readonly #broker: Broker;
  readonly #options: StoreOptions;
  /** Consumers of the lines, in the order in which they are served. */
  readonly #consumers: ReadonlyArray<string>;
  /** Standing orders by consumer: what cancels them. */
  readonly #standing = new Map<string, () => void>();
  readonly #waiting: Waiter[] = [];
  #turns = 0;

  constructor(broker: Broker, options: StoreOptions, consumers: ReadonlyArray<string>) {
    this.#broker = broker;
    this.#options = options;
    this.#consumers = consumers;
  }

  /**
   * Hands out up to `count` messages that are there, else waits for one. Resolves when something was handed out, or
   * when its time is over. @throws TaskstreamError log_unavailable
   */
  async claim(count: number, onMessage: (m: LeasedMessage) => void, signal: AbortSignal): Promise<void> {
    let left = count;
    for (const consumer of this.#order()) {
      left -= await this.#take(consumer, left, onMessage);
      if (left <= 0 || signal.aborted) return;
    }
    if (left < count) return;
    const m = await this.#next(signal);
    if (m !== undefined) onMessage(m);
  }

  #order(): ReadonlyArray<string> {
    if (++this.#turns % REST_TURN !== 0) return this.#consumers;
    return [...this.#consumers.slice(-1), ...this.#consumers.slice(0, -1)];
  }

  /** What is there now, up to `batch`. */
  #take(consumer: string, batch: number, onMessage: (m: LeasedMessage) => void): Promise<number> {
    let taken = 0;
    return new Promise((resolve, reject) => {
      this.#ask(consumer, { batch, no_wait: true }, this.#options.readTimeoutMs, {
        message: (m) => {
          // After its end the count has been told: what comes late is somebody else's.
          if (taken < 0) return m.nak(0);
          taken++;
          onMessage(m);
        },
        end: (error) => {
          const told = taken;
          taken = -1;
          if (error === undefined || told > 0) resolve(told);
          else reject(error);
        },
      });
    });
  }

  /** Waits for one message of any line. */
  async #next(signal: AbortSignal): Promise<LeasedMessage | undefined> {
    return new Promise((resolve, reject) => {
      const waiter: Waiter = {
        settle: (m, error) => {
          this.#waiting.splice(this.#waiting.indexOf(waiter), 1);
          signal.removeEventListener('abort', stop);
          off();
          if (error === undefined) resolve(m);
          else reject(error);
        },
      };
      const stop = () => {
        if (this.#waiting.length === 1) this.#cancelAll();
        waiter.settle(undefined);
      };
      // A restarted server knows nothing of the orders that stood at it.
      const off = this.#broker.onDisturbance(() => {
        this.#cancelAll();
        waiter.settle(undefined);
      });
      this.#waiting.push(waiter);
      signal.addEventListener('abort', stop);
      for (const consumer of this.#consumers) this.#stand(consumer);
    });
  }

  #stand(consumer: string): void {
    if (this.#standing.has(consumer)) return;
    const expiresMs = this.#options.claimMsMax;
    const heartbeatMs = Math.min(HEARTBEAT_MS_MAX, Math.max(1, Math.floor(expiresMs / 4)));
    const request = { batch: 1, expires: nanos(expiresMs), idle_heartbeat: nanos(heartbeatMs) };
    const cancel = this.#ask(consumer, request, heartbeatMs * 3, {
      message: (m) => {
        const waiter = this.#waiting[0];
        // Every slot was filled meanwhile.
        if (waiter === undefined) m.nak(0);
        else waiter.settle(m);
      },
      end: (error) => {
        if (this.#standing.get(consumer) === cancel) this.#standing.delete(consumer);
        this.#waiting[0]?.settle(undefined, error);
      },
    });
    this.#standing.set(consumer, cancel);
  }

  #cancelAll(): void {
    const cancels = [...this.#standing.values()];
    this.#standing.clear();
    for (const cancel of cancels) cancel();
  }

  /** One pull. It ends when it has its batch, when the server says so, or after `silenceMs` without a word. */
  #ask(consumer: string, request: Readonly<Record<string, unknown>>, silenceMs: number, answers: Answers): () => void {
    const { nc } = this.#broker;
    let left = Number(request['batch']);
    let over = false;
    const close = () => {
      if (over) return false;
      over = true;
      clearTimeout(timer);
      // What the server sent before it learns of this still arrives.
      if (!nc.isClosed()) sub.drain().catch(() => undefined);
      return true;
    };
    const end = (error?: TaskstreamError) => {
      if (close()) answers.end(error);
    };
    const timer = setTimeout(end, silenceMs);
    const inbox = createInbox();
    const sub = nc.subscribe(inbox, {
      callback: (error, m) => {
        if (error !== null) return end(unavailable(consumer, error.message));
        timer.refresh();
        const leased = LeasedMessage.of(nc, m);
        if (leased !== undefined) {
          answers.message(leased);
          if (--left === 0) end();
          return;
        }
        const { code, description } = statusOf(m);
        if (code === 100) return;
        const ordinary = code === 404 || code === 408 || description === 'Leadership Change';
        end(ordinary ? undefined : unavailable(consumer, `${code} ${description}`));
      },
    });
    nc.publish(`$JS.API.CONSUMER.MSG.NEXT.${WORK_STREAM}.${consumer}`, JSON.stringify(request), { reply: inbox });
    return () => void close();
  }
}

function unavailable(consumer: string, why: string): TaskstreamError {
  return new TaskstreamError('log_unavailable', `Asking ${consumer} for work failed: ${why}`);
}
