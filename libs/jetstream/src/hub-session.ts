/**
 * One reader of one task: takes what it needs from the feed's ring, and from the log when the ring does not reach back.
 *
 * Invariants: it holds no events of its own, so a slow reader costs no memory; it makes progress even when replicas lag,
 * because the leader is read when they give nothing.
 */
import {
  isOver,
  openSession,
  packFrom,
  sessionStep,
  TaskstreamError,
  type Delivery,
  type EventStream,
  type Pack,
  type SessionInput,
  type SessionState,
  type SessionStep,
} from '@taskstream/core';
import { isTerminal, type StreamEndReason, type TaskStatus } from '@taskstream/protocol';
import { locate } from './locate.js';
import type { LogPage, LogReads, TaskAddress } from './log-reads.js';
import type { StoreOptions } from './options.js';
import type { StoredPack } from './stored-pack.js';
import { sleep } from './waiting.js';

/** What a session needs of a feed; a task that is over has a sealed one. */
export interface FeedView {
  readonly nextSeq: number;
  readonly status: TaskStatus;
  readonly terminal: boolean;
  readonly expired: boolean;
  /** Set when nothing above what the feed has can be read here. */
  readonly failure: TaskstreamError | undefined;
  readonly last: StoredPack | undefined;
  readonly ringFirstSeq: number;
  from(seq: number): ReadonlyArray<StoredPack> | undefined;
  wait(seenNextSeq: number, wake: () => void): boolean;
  forget(wake: () => void): void;
}

/** A feed, lent to a session until it is released. */
export interface Source {
  readonly feed: FeedView;
  release(): void;
}

/** The source of a task that is over: its last pack is all that a feed would know. */
export function sealed(last: StoredPack): Source {
  const nextSeq = last.firstSeq + last.count;
  return {
    feed: {
      nextSeq,
      status: last.status,
      terminal: true,
      expired: false,
      failure: undefined,
      last,
      ringFirstSeq: last.firstSeq,
      from: (seq) => (seq >= nextSeq ? [] : seq >= last.firstSeq ? [last] : undefined),
      wait: () => false,
      forget: () => undefined,
    },
    release: () => undefined,
  };
}

/** Fruitless pages after which the leader is read instead of a replica. */
const PATIENCE_PAGES = 2;
/** A page comes as a whole: the first one is small so that the first event is early, each later one is larger. */
const FIRST_PAGE_MESSAGES = 16;
const PAGE_GROWTH = 4;

export class HubSession implements EventStream {
  readonly tailSeq: number;
  readonly #at: TaskAddress;
  readonly #source: Source;
  readonly #after: number | undefined;
  readonly #reads: LogReads;
  readonly #options: StoreOptions;
  #state: SessionState;
  /** Where the next page of the log begins; undefined while it must be located. */
  #position: number | undefined;
  /** The furthest position since the last delivery: a page of old or foreign messages gets further, too. */
  #reached = 0;
  #pageMessages = FIRST_PAGE_MESSAGES;
  #fruitless = 0;
  #closedBy: StreamEndReason | undefined;
  /** Wakes this session while it waits for its feed. */
  #wake: (() => void) | undefined;

  constructor(at: TaskAddress, source: Source, after: number | undefined, reads: LogReads, options: StoreOptions) {
    this.#at = at;
    this.#source = source;
    this.tailSeq = source.feed.nextSeq;
    this.#after = after;
    this.#reads = reads;
    this.#options = options;
    this.#state = openSession(after);
    if (after === undefined) this.#position = 1;
  }

  /** Checks the cursor before anything is delivered. @throws TaskstreamError events_gone, cursor_ahead */
  async start(): Promise<void> {
    const { feed } = this.#source;
    const after = this.#after;
    if (after === undefined) return;
    if (after + 1 > feed.nextSeq && !feed.terminal) {
      const tail = await this.#reads.leaderTail(this.#at);
      const nextSeq = Math.max(feed.nextSeq, tail === undefined ? 0 : tail.pack.firstSeq + tail.pack.count);
      const over = tail !== undefined && isTerminal(tail.pack.status);
      if (after + 1 > nextSeq && !over) {
        throw new TaskstreamError('cursor_ahead', `after is ${after}, the next event is ${nextSeq}`, {
          details: { nextSeq },
        });
      }
    }
    if (after + 1 < feed.ringFirstSeq) await this.#locate(after + 1);
    if (this.#state.phase === 'gone') {
      throw new TaskstreamError('events_gone', `Events after ${after} are no longer retained`, {
        details: { earliestSeq: this.#state.earliestSeq },
      });
    }
  }

  close(reason: StreamEndReason): void {
    this.#closedBy ??= reason;
    const wake = this.#wake;
    if (wake !== undefined) {
      this.#source.feed.forget(wake);
      wake();
    }
    this.#source.release();
  }

  async next(): Promise<Delivery> {
    for (;;) {
      if (this.#closedBy !== undefined) this.#step({ type: 'close', reason: this.#closedBy });
      if (isOver(this.#state)) return this.#over(this.#state);
      const seen = this.#source.feed.nextSeq;
      const ready = await this.#deliverable(await this.#offered());
      const gotFurther = this.#position !== undefined && this.#position > this.#reached;
      if (gotFurther) this.#reached = this.#position ?? 0;
      if (ready.length > 0) {
        this.#fruitless = 0;
        this.#reached = this.#position ?? 0;
        return { type: 'packs', packs: ready };
      }
      if (gotFurther) this.#fruitless = 0;
      else if (!this.#caughtUp()) await this.#insist();
      else if (!isOver(this.#state) && this.#closedBy === undefined) {
        if (this.#source.feed.failure !== undefined) throw this.#source.feed.failure;
        await this.#change(seen);
      }
    }
  }

  get #wanted(): number | undefined {
    return isOver(this.#state) ? undefined : this.#state.next;
  }

  /** Packs to look at next: from the ring when it reaches back far enough, else from the log. */
  async #offered(): Promise<LogPage> {
    const wanted = this.#wanted;
    if (wanted !== undefined) {
      const ring = this.#source.feed.from(wanted);
      if (ring !== undefined) return { packs: ring, next: 0 };
    }
    if (this.#position === undefined) await this.#locate(wanted ?? 0);
    if (this.#position === undefined) return { packs: [], next: 0 };
    if (this.#fruitless <= PATIENCE_PAGES) {
      const messages = this.#pageMessages;
      this.#pageMessages = Math.min(messages * PAGE_GROWTH, this.#options.historyBatchMessages);
      return this.#reads.page(this.#at, this.#position, messages);
    }
    const pack = await this.#reads.leaderNext(this.#at, this.#position);
    return { packs: pack === undefined ? [] : [pack], next: 0 };
  }

  async #deliverable({ packs, next }: LogPage): Promise<Pack[]> {
    const ready: Pack[] = [];
    for (const pack of packs) {
      const { action } = this.#step({ type: 'pack', firstSeq: pack.firstSeq, count: pack.count });
      if (action.type === 'repair') {
        // Located again only when there is nothing to deliver first: the next call comes back here.
        if (ready.length === 0) await this.#locate(action.fromSeq);
        return ready;
      }
      this.#position = pack.streamSeq + 1;
      if (action.type === 'deliver') {
        ready.push(action.fromSeq === pack.firstSeq ? pack : packFrom(pack, action.fromSeq));
      }
    }
    if (this.#position !== undefined && next > this.#position) this.#position = next;
    return ready;
  }

  /** Whether nothing is left to offer: the session is over, or it is time to wait for live events. */
  #caughtUp(): boolean {
    const { feed } = this.#source;
    if (isOver(this.#state)) return true;
    const wanted = this.#wanted;
    if (wanted === undefined || wanted < feed.nextSeq) return false;
    if (feed.expired && !feed.terminal) this.#step({ type: 'close', reason: 'expired' });
    else this.#step({ type: feed.terminal ? 'terminal' : 'caught_up', nextSeq: feed.nextSeq });
    return true;
  }

  /** The log does not give what it should have: it was trimmed, or it is asked again. */
  async #insist(): Promise<void> {
    const { feed } = this.#source;
    const wanted = this.#wanted;
    this.#fruitless++;
    if (feed.expired || this.#fruitless > PATIENCE_PAGES) {
      const first = await this.#reads.leaderNext(this.#at, 1);
      if (first !== undefined) this.#step({ type: 'trimmed', earliestSeq: first.firstSeq });
      else if (wanted !== undefined) this.#step({ type: 'trimmed', earliestSeq: feed.nextSeq });
      else if (feed.expired) this.#step({ type: 'close', reason: 'expired' });
      else this.#step({ type: feed.terminal ? 'terminal' : 'caught_up', nextSeq: feed.nextSeq });
    }
    if (isOver(this.#state)) return;
    if (this.#fruitless > this.#options.historyRetriesMax) {
      throw new TaskstreamError(
        'log_unavailable',
        `The log of ${this.#at.taskId} does not give its events from ${wanted ?? 'the first'} on`,
      );
    }
    await sleep(Math.min(10 * 2 ** this.#fruitless, 500));
  }

  /** Resolves when the feed has changed since `seen`, or this session is closed. */
  #change(seen: number): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
      if (!this.#source.feed.wait(seen, resolve)) resolve();
    });
  }

  async #locate(seq: number): Promise<void> {
    const { last } = this.#source.feed;
    this.#position = undefined;
    if (last === undefined) return;
    const located = await locate(this.#reads, this.#at, seq, last);
    if (located.type === 'position') {
      this.#position = located.position;
      return;
    }
    this.#step({ type: 'trimmed', earliestSeq: located.earliestSeq });
    // A session that had nothing yet begins again at what is left.
    if (!isOver(this.#state)) this.#position = 1;
  }

  #step(input: SessionInput): SessionStep {
    const step = sessionStep(this.#state, input);
    this.#state = step.state;
    return step;
  }

  #over(state: Extract<SessionState, { phase: 'ended' | 'gone' }>): Delivery {
    this.#source.release();
    if (state.phase === 'gone') return { type: 'gone', earliestSeq: state.earliestSeq };
    const { status, nextSeq } = this.#source.feed;
    // A cursor beyond the end of a log that is over is answered, but never given back.
    return { type: 'end', reason: state.reason, status, nextSeq: Math.min(state.next, nextSeq) };
  }
}
