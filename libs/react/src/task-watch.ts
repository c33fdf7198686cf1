/**
 * Follows one task for as long as something is mounted, and keeps what its events add up to.
 *
 * Invariants: it follows only while it has a listener; a listener that leaves and comes back goes on after the last
 * event; events change the state at most once a frame; no more than `batchEventsMax` events wait for a frame; a state
 * that was handed out is never changed; what comes from a follow that was stopped changes nothing.
 */
import type {
  CursorStore,
  Follow,
  FollowItem,
  FollowOptions,
  Notice,
  TaskEvent,
  TaskHandle,
  TaskOutcome,
  TaskStatus,
} from '@taskstream/client';
import { beforeNextFrame } from './frames.js';

/** `ended`: the task has ended and its last event was read, or the following ended with `error`. */
export type Connection = 'connecting' | 'live' | 'reconnecting' | 'ended';

export interface Gap {
  readonly from: number;
  readonly to: number;
  readonly restarted: boolean;
}

/** What events add up to: pure, the events in the order of their seq, many at a time. */
export interface EventFold<T> {
  readonly initial: T;
  readonly apply: (value: T, events: readonly TaskEvent[]) => T;
}

export interface WatchOptions {
  /** Exclusive cursor to begin after. Default: the cursor store's, else everything that is retained. */
  readonly after?: number;
  /** Where the cursor is kept between page loads, for example `localStorageCursorStore()`. */
  readonly cursorStore?: CursorStore;
  /** Default: `resume`, with the gap in the state. */
  readonly onEventsGone?: FollowOptions['onEventsGone'];
  readonly onNotice?: (notice: Notice) => void;
  /** Events that may wait for the next frame; the stream is not read on meanwhile. Default: 1000. */
  readonly batchEventsMax?: number;
}

export interface WatchState<T> {
  readonly value: T;
  /** The latest that the stream told; undefined before, and for servers that do not put it into events. */
  readonly status: TaskStatus | undefined;
  readonly connection: Connection;
  /** How the task ended. */
  readonly outcome: TaskOutcome | undefined;
  /** Why the following ended without the task's end: a `ClientError`, or what a callback threw. */
  readonly error: Error | undefined;
  /** The latest events that can no longer be had. */
  readonly gap: Gap | undefined;
}

const STATUS_EVENT = 'dev.taskstream.task.status';
const STATUSES: readonly TaskStatus[] = ['working', 'input_required', 'completed', 'failed', 'cancelled'];
const BATCH_EVENTS_MAX = 1000;

export class TaskWatch<T> {
  readonly #handle: TaskHandle;
  readonly #fold: EventFold<T>;
  readonly #options: WatchOptions;
  readonly #listeners = new Set<() => void>();
  readonly #initial: WatchState<T>;
  #state: WatchState<T>;
  #run: AbortController | undefined;
  #pending: FollowItem[] = [];
  #lastSeq: number | undefined;
  #cancelFrame: (() => void) | undefined;
  /** Lets the stream be read on after a full batch. */
  #onFlush: (() => void) | undefined;

  constructor(handle: TaskHandle, fold: EventFold<T>, options: WatchOptions) {
    this.#handle = handle;
    this.#fold = fold;
    this.#options = options;
    this.#initial = {
      value: fold.initial,
      status: undefined,
      connection: 'connecting',
      outcome: undefined,
      error: undefined,
      gap: undefined,
    };
    this.#state = this.#initial;
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    // Not at once: strict mode leaves and comes back before this turn ends, and is to open one stream.
    queueMicrotask(() => this.#settle());
    return () => {
      this.#listeners.delete(listener);
      queueMicrotask(() => this.#settle());
    };
  };

  readonly state = (): WatchState<T> => this.#state;
  /** For a server that renders: nothing is followed there. */
  readonly initialState = (): WatchState<T> => this.#initial;

  /** Follows again after an error, from the last event on. */
  readonly retry = (): void => {
    if (this.#state.connection !== 'ended' || this.#state.outcome !== undefined) return;
    this.#change({ connection: 'connecting', error: undefined });
    this.#settle();
  };

  #settle(): void {
    const wanted = this.#listeners.size > 0 && this.#state.connection !== 'ended';
    if (wanted && this.#run === undefined) this.#start();
    else if (this.#listeners.size === 0 && this.#run !== undefined) this.#stop();
  }

  #start(): void {
    const run = new AbortController();
    this.#run = run;
    void this.#read(run);
  }

  #follow(run: AbortController): Follow {
    const { cursorStore, onEventsGone, onNotice } = this.#options;
    const after = this.#lastSeq ?? this.#options.after;
    return this.#handle.events({
      signal: run.signal,
      onEventsGone: onEventsGone ?? 'resume',
      ...(after !== undefined && { after }),
      ...(cursorStore !== undefined && { cursorStore }),
      onNotice: (notice) => {
        if (this.#run === run) this.#noticed(notice);
        onNotice?.(notice);
      },
    });
  }

  #stop(): void {
    this.#run?.abort();
    this.#run = undefined;
    this.#flush();
    if (this.#state.connection !== 'ended') this.#change({ connection: 'connecting' });
  }

  async #read(run: AbortController): Promise<void> {
    try {
      const follow = this.#follow(run);
      for await (const item of follow) {
        if (this.#run !== run) return;
        this.#pending.push(item);
        if (item.type === 'event') this.#lastSeq = item.event.seq;
        this.#cancelFrame ??= beforeNextFrame(() => this.#flush());
        if (this.#pending.length >= (this.#options.batchEventsMax ?? BATCH_EVENTS_MAX)) await this.#flushed();
      }
      const outcome = await follow.outcome;
      this.#end(run, { outcome, status: outcome.status });
    } catch (error) {
      this.#end(run, { error: error instanceof Error ? error : new Error('The following ended', { cause: error }) });
    }
  }

  #end(run: AbortController, change: Partial<WatchState<T>>): void {
    if (this.#run !== run) return;
    this.#run = undefined;
    this.#flush();
    this.#change({ ...change, connection: 'ended' });
  }

  #noticed(notice: Notice): void {
    if (notice.type === 'connected') this.#change({ connection: 'live' });
    else if (notice.type === 'reconnecting') this.#change({ connection: 'reconnecting' });
  }

  #flushed(): Promise<void> {
    return new Promise((resolve) => {
      this.#onFlush = resolve;
    });
  }

  #flush(): void {
    this.#cancelFrame?.();
    this.#cancelFrame = undefined;
    const items = this.#pending;
    this.#pending = [];
    if (items.length > 0) this.#change(this.#folded(items));
    this.#onFlush?.();
    this.#onFlush = undefined;
  }

  #folded(items: readonly FollowItem[]): Partial<WatchState<T>> {
    let { value, status, gap } = this.#state;
    let events: TaskEvent[] = [];
    for (const item of items) {
      if (item.type === 'event') {
        events.push(item.event);
        status = statusIn(item.event) ?? status;
        continue;
      }
      const { from, to, restarted } = item;
      // A history that begins anew is folded anew.
      value = restarted ? this.#fold.initial : this.#fold.apply(value, events);
      events = [];
      gap = { from, to, restarted };
    }
    return { value: events.length === 0 ? value : this.#fold.apply(value, events), status, gap };
  }

  #change(change: Partial<WatchState<T>>): void {
    this.#state = { ...this.#state, ...change };
    for (const listener of this.#listeners) listener();
  }
}

function statusIn({ type, payload }: TaskEvent): TaskStatus | undefined {
  return type === STATUS_EVENT ? STATUSES.find((status) => status === payload['status']) : undefined;
}
