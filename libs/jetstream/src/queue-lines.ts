/**
 * Hands the messages of one queue's lines to those that claim: from the first line that has anything, and when none
 * has, from whichever gets something first.
 *
 * Invariants: while anybody claims, either the lines are being looked through or an order stands at each; a message
 * that the server has leased to this process is handed on or given back at once, never dropped; each line has at most
 * one standing order, for one message; the last line is asked first every `REST_TURN`th time, so that nobody's work
 * waits for ever; a line that does not answer holds up no other for longer than `LOOK_MS`.
 */
import type { TaskstreamError } from '@taskstream/core';
import { nanos } from '@nats-io/transport-node';
import type { Broker } from './broker.js';
import type { LeasedMessage } from './leased-message.js';
import { WORK_STREAM } from './names.js';
import type { StoreOptions } from './options.js';
import { askForWork } from './pull-ask.js';

const REST_TURN = 4;
/** A standing order of which nothing was heard for three of these is given up: its server may be gone. */
const HEARTBEAT_MS_MAX = 2_000;
/** A look that takes longer goes on, with standing orders beside it. */
const LOOK_MS = 500;
/** After a fault the lines are looked through again. */
const RETRY_MS = 500;
/** A fault that lasts is told to one claim each time. */
const TELL_MS = 5_000;
const CONSUMER_LEADER_ELECTED = `$JS.EVENT.ADVISORY.CONSUMER.LEADER_ELECTED.${WORK_STREAM}`;

interface Claim {
  readonly count: number;
  left: number;
  /** Its time is up: whoever claims may want to claim from another queue. */
  late: boolean;
  readonly onMessage: (m: LeasedMessage) => void;
  readonly signal: AbortSignal;
  readonly end: (error?: Error) => void;
}

export class QueueLines {
  readonly #broker: Broker;
  readonly #options: StoreOptions;
  /** Consumers of the lines, in the order in which they are served. */
  readonly #consumers: ReadonlyArray<string>;
  readonly #prepare: () => Promise<void>;
  #prepared: Promise<void> | undefined;
  /** Oldest first. */
  #claims: Claim[] = [];
  /** Signals whose abort is listened to. */
  readonly #heard = new WeakSet<AbortSignal>();
  /** Standing orders by consumer: what cancels them. */
  readonly #standing = new Map<string, () => void>();
  #looking = false;
  /** Whether to look once more. */
  #again = false;
  /** Whether the look takes long, so that orders stand beside it. */
  #slow = false;
  /** Stops waiting for the answer of the line that is being asked. */
  #giveUpTake: () => void = () => undefined;
  #retry: NodeJS.Timeout | undefined;
  #toldAt = Number.NEGATIVE_INFINITY;
  #turns = 0;

  /** `prepare` makes the consumers be there; it is called first, and again after each fault. */
  constructor(broker: Broker, options: StoreOptions, consumers: ReadonlyArray<string>, prepare: () => Promise<void>) {
    this.#broker = broker;
    this.#options = options;
    this.#consumers = consumers;
    this.#prepare = prepare;
    // A restarted server, and a new leader, know nothing of the orders that stood.
    broker.onDisturbance(() => this.#renew(consumers));
    const elected = `${CONSUMER_LEADER_ELECTED}.`;
    broker.nc.subscribe(`${elected}*`, {
      callback: (_error, { subject }) => this.#renew(consumers.filter((name) => subject === elected + name)),
    });
  }

  /**
   * Hands out up to `count` messages that are there, else waits for one. Resolves when something was handed out, or
   * after `claimMsMax`, or when the signal aborts. @throws TaskstreamError log_unavailable, or what `prepare` throws
   */
  claim(count: number, onMessage: (m: LeasedMessage) => void, signal: AbortSignal): Promise<void> {
    if (signal.aborted || count <= 0) return Promise.resolve();
    this.#hear(signal);
    return new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => {
        claim.late = true;
        if (!this.#looking) this.#settle();
      }, this.#options.claimMsMax);
      const end = (error?: Error) => {
        clearTimeout(timer);
        if (error === undefined) resolve();
        else reject(error);
      };
      const claim: Claim = { count, left: count, late: false, onMessage, signal, end };
      this.#claims.push(claim);
      void this.#look();
    });
  }

  /** One listener, however many claims there are under the signal. */
  #hear(signal: AbortSignal): void {
    if (this.#heard.has(signal)) return;
    this.#heard.add(signal);
    const onAbort = () => {
      // What is on its way is waited for: after that the connection may be closed.
      if (!this.#looking) this.#settle();
    };
    signal.addEventListener('abort', onAbort, { once: true });
  }

  get #wanted(): number {
    return this.#claims.reduce((sum, { left, signal }) => sum + (signal.aborted ? 0 : left), 0);
  }

  /** Looks through the lines as often as there is reason to, then waits at all of them. */
  async #look(): Promise<void> {
    this.#again = true;
    if (this.#looking) return;
    this.#looking = true;
    clearTimeout(this.#retry);
    let fault: unknown;
    const timer = setTimeout(() => {
      this.#slow = true;
      this.#standAtAll();
    }, LOOK_MS);
    while (this.#again && this.#wanted > 0) {
      this.#again = false;
      fault = await this.#lookOnce();
      this.#settle();
    }
    clearTimeout(timer);
    this.#slow = false;
    this.#looking = false;
    this.#settle();
    if (fault !== undefined) this.#fail(fault);
    this.#standAtAll();
  }

  /** Resolves with the fault of a line, if one has any; the others have been asked all the same. */
  async #lookOnce(): Promise<unknown> {
    let fault: unknown;
    try {
      await (this.#prepared ??= this.#prepare());
    } catch (error) {
      return error;
    }
    for (const consumer of this.#order()) {
      const wanted = this.#wanted;
      if (wanted === 0) break;
      fault = (await this.#take(consumer, wanted)) ?? fault;
    }
    return fault;
  }

  #order(): ReadonlyArray<string> {
    if (++this.#turns % REST_TURN !== 0) return this.#consumers;
    return [...this.#consumers.slice(-1), ...this.#consumers.slice(0, -1)];
  }

  /** Takes what is there now, up to `batch`. Resolves with the fault, if there was one. */
  #take(consumer: string, batch: number): Promise<TaskstreamError | undefined> {
    return new Promise((resolve) => {
      const cancel = askForWork(this.#broker, consumer, { batch, no_wait: true }, this.#options.readTimeoutMs, {
        message: (m) => this.#hand(m),
        end: resolve,
      });
      this.#giveUpTake = () => {
        cancel();
        resolve(undefined);
      };
    });
  }

  #hand(m: LeasedMessage): void {
    const claim = this.#claims.find(({ left, signal }) => left > 0 && !signal.aborted);
    // Every slot was filled meanwhile.
    if (claim === undefined) return m.nak(0);
    claim.left--;
    claim.onMessage(m);
  }

  /** Ends the claims that were given something, and those that are not wanted any more. */
  #settle(): void {
    const over = this.#claims.filter(({ count, left, late, signal }) => left < count || late || signal.aborted);
    if (over.length === 0) return;
    this.#claims = this.#claims.filter((claim) => !over.includes(claim));
    for (const { end } of over) end();
    // Nobody waits: an order that stood on would take a message from those who do.
    if (this.#claims.length === 0 && over.some(({ count, left }) => left === count)) this.#cancel(this.#consumers);
  }

  #fail(error: unknown): void {
    this.#prepared = undefined;
    if (this.#claims.length === 0) return;
    if (performance.now() - this.#toldAt >= TELL_MS) {
      this.#toldAt = performance.now();
      this.#claims.shift()?.end(error instanceof Error ? error : new Error(String(error)));
    }
    this.#retrySoon();
  }

  #retrySoon(): void {
    clearTimeout(this.#retry);
    this.#retry = setTimeout(() => void this.#look(), RETRY_MS);
  }

  #renew(consumers: ReadonlyArray<string>): void {
    if (consumers.length === 0) return;
    this.#cancel(consumers);
    // Its answer may have been lost.
    this.#giveUpTake();
    void this.#look();
  }

  #standAtAll(): void {
    for (const consumer of this.#consumers) this.#stand(consumer);
  }

  #stand(consumer: string): void {
    if (this.#wanted === 0 || this.#standing.has(consumer)) return;
    const expiresMs = this.#options.claimMsMax;
    const heartbeatMs = Math.min(HEARTBEAT_MS_MAX, Math.max(1, Math.floor(expiresMs / 4)));
    const request = { batch: 1, expires: nanos(expiresMs), idle_heartbeat: nanos(heartbeatMs) };
    const cancel = askForWork(this.#broker, consumer, request, heartbeatMs * 3, {
      message: (m) => this.#hand(m),
      end: (error) => {
        if (this.#standing.get(consumer) === cancel) this.#standing.delete(consumer);
        if (!this.#looking) this.#settle();
        if (error !== undefined) this.#retrySoon();
        else if (this.#slow) this.#stand(consumer);
        else void this.#look();
      },
    });
    this.#standing.set(consumer, cancel);
  }

  #cancel(consumers: ReadonlyArray<string>): void {
    for (const consumer of consumers) {
      const cancel = this.#standing.get(consumer);
      this.#standing.delete(consumer);
      cancel?.();
    }
  }
}
