/**
 * Runs the follow state machine: feeds it what the connection brings, carries out its effects, and hands items to the
 * consumer one at a time.
 *
 * Invariants: nothing is read unless the consumer waits for an item; the cursor is saved only when the consumer asks
 * for the item after it; the outcome settles when the iteration ends, however it ends; after that nothing is open.
 */
import type { DetailedTask, EventsGonePolicy, Follow, FollowItem, FollowOptions, TaskOutcome } from './api.js';
import { argument, optionalArgument } from './arguments.js';
import type { Channel } from './channel.js';
import { ClientError } from './errors.js';
import { FollowIo, type Asks, type EventInHand, type Received } from './follow-io.js';
import { followStart, followStep, isOver } from './follow-state.js';
import type { FollowEffect, FollowInput, FollowState } from './follow-types.js';
import type { Notice, ProtocolFault } from './notices.js';
import { outcomeOf } from './outcome.js';
import { filled, mismatch, oneOf, whole } from './shape.js';
import { linked, pause } from './waiting.js';

const POLICY = oneOf<EventsGonePolicy>(['fail', 'resume', 'restart']);
const DONE: IteratorReturnResult<undefined> = { done: true, value: undefined };

/** What the shell does next; set by effects. */
type Work = () => Promise<Received>;
/** What becomes an item. */
type Waiting = EventInHand | Extract<FollowItem, { type: 'gap' }>;

export class FollowRun implements Follow {
  readonly taskId: string;
  readonly outcome: Promise<TaskOutcome>;
  readonly #transport: Channel;
  readonly #options: FollowOptions;
  readonly #mode: 'stream' | 'poll';
  readonly #stop: AbortController;
  readonly #io: FollowIo;
  readonly #settle: { readonly resolve: (outcome: TaskOutcome) => void; readonly reject: (error: unknown) => void };
  #state: FollowState = followStart(undefined);
  #work: Work | undefined;
  /** Items of the last input that are not yielded yet: a gap and the event behind it. */
  readonly #items: Waiting[] = [];
  #inHand: EventInHand | undefined;
  /** The task, once it was over. */
  #task: DetailedTask | undefined;
  /** Faults that were told on the current stream. */
  readonly #told = new Set<ProtocolFault>();
  #lastSeq: number | undefined;
  /** The seq that is saved when the consumer comes back. */
  #processing: number | undefined;
  #unsaved = 0;
  /** Ends the wait in progress. */
  #nap: AbortController | undefined;
  #hurried = false;
  #broken: { readonly error: unknown } | undefined;
  #finished = false;
  #left = false;
  /** Calls of the consumer run one after the other. */
  #turn: Promise<unknown> = Promise.resolve();

  /** `poll`: no stream, only the outcome. */
  constructor(
    transport: Channel,
    taskId: string,
    options: FollowOptions,
    mode: 'stream' | 'poll' = 'stream',
    asks: Asks = {},
  ) {
    checkOptions(taskId, options);
    this.taskId = taskId;
    this.#transport = transport;
    this.#options = options;
    this.#mode = mode;
    this.#stop = linked(options.signal);
    this.#io = new FollowIo(transport, taskId, this.#stop.signal, asks);
    let resolve: (outcome: TaskOutcome) => void = () => undefined;
    let reject: (error: unknown) => void = () => undefined;
    this.outcome = new Promise((onOutcome, onError) => {
      resolve = onOutcome;
      reject = onError;
    });
    this.#settle = { resolve, reject };
    // The iteration throws the same error; nobody has to look at the outcome as well.
    this.outcome.catch(() => undefined);
  }

  get lastSeq(): number | undefined {
    return this.#lastSeq;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<FollowItem, undefined>> {
    return this.#inTurn(() => this.#next());
  }

  /** Asks `tasks/get` at once if it is polling; a wait before a reconnect is not cut short. */
  hurry(): void {
    this.#hurried = true;
    if (this.#state.phase === 'polling') this.#nap?.abort();
  }

  /** Ends the follow with an error of the application. */
  fail(error: unknown): void {
    this.#broken = { error };
    this.#stop.abort();
  }

  /** Leaves: closes the connection. A `next` that waits ends with `done`. */
  return(): Promise<IteratorReturnResult<undefined>> {
    this.#left = true;
    this.#stop.abort();
    return this.#inTurn(async () => {
      if (!this.#finished) await this.#guarded(() => this.#conclude());
      return DONE;
    });
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(work);
    this.#turn = result.catch(() => undefined);
    return result;
  }

  async #next(): Promise<IteratorResult<FollowItem, undefined>> {
    if (this.#finished) return DONE;
    return this.#guarded(async () => {
      await this.#processed();
      if (this.#state.phase === 'idle') await this.#begin();
      for (;;) {
        const item = this.#items.shift();
        if (item !== undefined) return this.#yielded(await this.#itemOf(item));
        if (this.#state.phase === 'ended' || this.#state.phase === 'failed') return this.#conclude();
        await this.#advance();
      }
    });
  }

  /** Errors of callbacks, stores and the auth hook end the follow with themselves. */
  async #guarded<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      this.#close();
      this.#settle.reject(error);
      throw error;
    }
  }

  async #begin(): Promise<void> {
    const mode = this.#mode;
    this.#state = followStart(this.#options.after ?? (mode === 'stream' ? await this.#load() : undefined));
    this.#apply({ type: 'start', mode });
  }

  async #advance(): Promise<void> {
    const { signal } = this.#stop;
    const received = signal.aborted ? undefined : await this.#receive();
    if (received === undefined || signal.aborted) {
      this.#apply({ type: 'stop' });
      return;
    }
    if (received.task !== undefined) this.#takeTask(received.task);
    this.#inHand = received.inHand;
    for (const input of received.inputs) {
      const before = this.#state;
      this.#apply(input);
      // The rest of a message that made the machine give the stream up is void.
      if (this.#state.phase !== before.phase) break;
    }
  }

  async #wait(ms: number): Promise<Received> {
    const polling = this.#state.phase === 'polling';
    this.#nap = linked(this.#stop.signal);
    if (!(polling && this.#hurried)) await pause(ms, this.#nap.signal);
    this.#nap.abort();
    this.#nap = undefined;
    if (polling) this.#hurried = false;
    return { inputs: [{ type: 'timer' }] };
  }

  #receive(): Promise<Received> {
    const work = this.#work ?? (() => this.#io.read());
    this.#work = undefined;
    return work();
  }

  #takeTask(task: DetailedTask): void {
    // Another node may still say of a task that is over that it works.
    if (isOver(task.status)) this.#task = task;
    try {
      this.#options.onTask?.(task);
    } catch (error) {
      throw new ClientError({ code: 'callback_failed', message: 'onTask threw' }, error);
    }
  }

  #apply(input: FollowInput): void {
    const step = followStep(this.#state, input, {
      limits: this.#transport.limits,
      onEventsGone: this.#options.onEventsGone ?? 'fail',
      nowMs: performance.now(),
      random: Math.random(),
      endpoints: this.#transport.order(),
    });
    this.#state = step.state;
    for (const effect of step.effects) this.#carryOut(effect);
  }

  #carryOut(effect: FollowEffect): void {
    const { taskId } = this;
    switch (effect.type) {
      case 'open':
        this.#told.clear();
        this.#work = () => this.#io.open(effect.endpoint, effect.after);
        return;
      case 'ask-status':
        this.#work = () => this.#io.ask(effect.endpoint);
        return;
      case 'wait':
        this.#work = () => this.#wait(effect.ms);
        return;
      case 'abort':
        this.#work = undefined;
        this.#io.abort();
        return;
      case 'deliver':
        if (this.#inHand !== undefined) this.#items.push(this.#inHand);
        return;
      case 'drop':
        return;
      case 'gap':
        this.#items.push(effect);
        return;
      case 'endpoint-failed':
        this.#transport.endpointFailed(effect.endpoint, effect.message, effect.waitMs, this.#options.onNotice);
        return;
      case 'connected':
        this.#notify({ ...effect, taskId, endpoint: this.#transport.url(this.#state.at.endpoint) });
        return;
      case 'reconnecting':
      case 'fallback-polling':
        this.#notify({ ...effect, taskId });
        return;
      case 'fault':
        if (this.#told.has(effect.fault)) return;
        this.#told.add(effect.fault);
        this.#notify({ ...effect, type: 'protocol-fault', taskId });
    }
  }

  #notify(notice: Notice): void {
    this.#transport.notify(notice, this.#options.onNotice);
  }

  async #itemOf(waiting: Waiting): Promise<FollowItem> {
    if ('type' in waiting) return waiting;
    const { raw, events } = this.#options;
    if (raw !== true && events === undefined) return { type: 'event', event: waiting.event };
    // Loaded by those who declare schemas or want the text.
    const { dressedItem } = await import('./item-extras.js');
    return dressedItem(waiting, this.#options, (notice) => this.#notify(notice));
  }

  #yielded(item: FollowItem): IteratorYieldResult<FollowItem> {
    if (item.type === 'event') {
      this.#lastSeq = item.event.seq;
      this.#processing = item.event.seq;
    }
    return { done: false, value: item };
  }

  /** The consumer asks for more: what it had is processed. */
  async #processed(): Promise<void> {
    if (this.#processing === undefined) return;
    const seq = this.#processing;
    this.#processing = undefined;
    this.#unsaved += 1;
    if (this.#unsaved >= this.#transport.limits.cursorSaveEvents) await this.#save(seq);
  }

  async #load(): Promise<number | undefined> {
    const store = this.#options.cursorStore;
    if (store === undefined) return undefined;
    const cursor = await storing('read', async () => store.load(this.taskId));
    if (cursor === undefined || whole.test(cursor)) return cursor;
    throw new ClientError({ code: 'cursor_store_failed', message: mismatch(cursor, whole, 'The saved cursor') });
  }

  async #save(seq: number | undefined): Promise<void> {
    const store = this.#options.cursorStore;
    this.#unsaved = 0;
    if (seq !== undefined) await storing('saved', async () => store?.save?.(this.taskId, seq));
  }

  /** The seq of the last event that the consumer is done with. */
  #processedSeq(): number | undefined {
    if (this.#processing === undefined) return this.#lastSeq;
    return this.#processing === 0 ? undefined : this.#processing - 1;
  }

  async #conclude(): Promise<IteratorReturnResult<undefined>> {
    if (this.#state.phase !== 'ended' && this.#state.phase !== 'failed') this.#apply({ type: 'stop' });
    this.#close();
    if (this.#unsaved > 0) await this.#save(this.#processedSeq());
    const state = this.#state;
    const failure = 'failure' in state ? state.failure : undefined;
    if (failure === undefined && this.#task !== undefined) {
      this.#settle.resolve(outcomeOf(this.#task));
      return DONE;
    }
    const unknown = { code: 'defect', message: 'The follow ended without an outcome' } as const;
    const gone = failure?.code === 'aborted';
    const error =
      this.#broken === undefined
        ? new ClientError(failure ?? unknown, gone ? this.#stop.signal.reason : undefined)
        : this.#broken.error;
    this.#settle.reject(error);
    if (state.phase === 'ended' || (this.#left && gone)) return DONE;
    throw error;
  }

  #close(): void {
    if (this.#finished) return;
    this.#finished = true;
    this.#io.leave();
    this.#stop.abort();
  }
}

async function storing<T>(done: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw new ClientError({ code: 'cursor_store_failed', message: `The cursor could not be ${done}` }, error);
  }
}

function checkOptions(taskId: unknown, { after, onEventsGone }: FollowOptions): void {
  argument(taskId, filled, 'taskId');
  optionalArgument(after, whole, 'after');
  optionalArgument(onEventsGone, POLICY, 'onEventsGone');
}
