/**
 * The log of a task in the hands of one attempt: numbers events, packs them, keeps one append in flight.
 *
 * Invariants: seqs are given in call order and are contiguous; an event is queued, joined to a queued one by the rule
 * of its type, or refused, never dropped; nothing joins past an event without a rule; what is queued is bounded, what is
 * awaited waits for room; the first fatal answer rejects everything that is queued and closes the log; a status is
 * stated again before the cap on packs can push the latest one out.
 */
import {
  attemptName,
  encodePayload,
  isTaskstreamError,
  statusDue,
  TaskstreamError,
  type AttemptLog,
  type EventDraft,
  type LimitHit,
  type Taken,
  type TaskSpec,
} from '@taskstream/core';
import {
  isTerminal,
  SystemEvent,
  type AttemptStarted,
  type StatusPayload,
  type TaskStatus,
} from '@taskstream/protocol';
import type { Appender } from './appender.js';
import type { Settle } from './coalescing.js';
import { EmitQueue, rejectEntry, resolveEntry, type Call, type Entry } from './emit-queue.js';
import type { LogReads, TaskAddress } from './log-reads.js';
import type { StoreOptions } from './options.js';
import { OverflowLine } from './overflow-line.js';
import type { PackHead } from './stored-pack.js';
import { sleep } from './waiting.js';

interface EntryKind {
  readonly status?: StatusPayload;
  readonly endsAttempt?: 'fault' | 'handed_over' | 'suspended';
  readonly taken?: Taken;
  /** Queued however much is: what ends an attempt, and a status that the cap on packs would push out. */
  readonly always?: boolean;
  /** Whether somebody waits for the call: then it waits for room, else it is refused. */
  readonly awaited?: () => boolean;
}

/** How large a payload may be, and which option says so. */
interface PayloadBound {
  readonly key: 'payloadBytesMax' | 'messageBytesMax';
  readonly payloadBytesMax: number;
}

/** What a log begins with: the facts of the tail that it continues. */
export interface LogStart {
  readonly spec: TaskSpec;
  readonly at: TaskAddress;
  readonly attempt: number;
  readonly failures: number;
  readonly itemId: string | undefined;
  readonly delivery: number;
  readonly worker: string;
  readonly nextSeq: number;
  readonly taken: Taken;
  /** Set by who writes between two attempts: what the one before left behind stays said. */
  readonly handedOver?: boolean;
  readonly suspended?: boolean;
  readonly status: StatusPayload;
  /** Stream sequence of the pack with the latest status event. */
  readonly statusAt: number;
  readonly nonce: string;
}

const LINE_FEED = 0x0a;
/** Room in a message for headers and the envelope of its largest event. */
const ENVELOPE_BYTES = 64 * 1024;

export class JetStreamAttemptLog implements AttemptLog {
  readonly attempt: number;
  readonly #start: LogStart;
  readonly #appender: Appender;
  readonly #reads: LogReads;
  readonly #options: StoreOptions;
  readonly #abort = new AbortController();
  readonly #admit: () => boolean;
  readonly #limitHit: LimitHit;
  readonly #ofEvents: PayloadBound;
  readonly #ofStatuses: PayloadBound;
  readonly #where: () => string;
  readonly #overflow: OverflowLine;
  readonly #queue: EmitQueue;
  #writes = 0;
  /** The latest status, perhaps still queued. */
  #status: StatusPayload;
  #durableStatus: TaskStatus;
  #taken: Taken;
  #statusAt: number;
  #packsSinceStatus = 0;
  #statusQueued = false;
  #ackMs = 0;
  /** Events of the latest pack. */
  #packed = 0;
  #running = false;
  #closed: TaskstreamError | undefined;
  /** Who waits until a seq and everything below it is durable. */
  readonly #settling: Array<Settle & { readonly seq: number }> = [];

  constructor(
    start: LogStart,
    appender: Appender,
    reads: LogReads,
    options: StoreOptions,
    admit: () => boolean,
    limitHit: LimitHit,
  ) {
    this.attempt = start.attempt;
    this.#start = start;
    this.#appender = appender;
    this.#reads = reads;
    this.#options = options;
    this.#admit = admit;
    this.#limitHit = limitHit;
    this.#ofEvents = { key: 'payloadBytesMax', payloadBytesMax: options.payloadBytesMax };
    this.#ofStatuses = { key: 'messageBytesMax', payloadBytesMax: options.messageBytesMax - ENVELOPE_BYTES };
    this.#where = () => attemptName(start.spec.tool, start.spec.taskId, start.attempt);
    this.#overflow = new OverflowLine(options.emitQueueBytesMax);
    this.#queue = new EmitQueue(start, options);
    this.#status = start.status;
    this.#durableStatus = start.status.status;
    this.#taken = start.taken;
    this.#statusAt = start.statusAt;
  }

  get nextSeq(): number {
    return this.#queue.nextSeq;
  }

  get openQuestions(): Readonly<Record<string, unknown>> {
    return this.#start.status.inputRequests ?? {};
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** Appends the first event of the attempt. Once it resolves, older attempts are fenced. */
  begin(started: AttemptStarted): Promise<void> {
    const begun = this.#enqueue([{ type: SystemEvent.attemptStarted, payload: started }], this.#ofEvents);
    // Questions of an earlier attempt stay open: this one asks them again, under the same keys.
    if (started.attempt > 1 && this.#start.status.status === 'working') this.#enqueueStatus({ status: 'working' });
    return begun;
  }

  append(events: ReadonlyArray<EventDraft>, awaited: () => boolean = () => false): Promise<void> {
    if (!this.#admit()) {
      return Promise.reject(new TaskstreamError('stream_full', `The stream ${this.#start.at.stream} is nearly full`));
    }
    if (!this.#statusQueued && statusDue(this.#packsSinceStatus, this.#options.packsPerTaskMax))
      this.#enqueueStatus(this.#status);
    return this.#enqueue(events, this.#ofEvents, { awaited });
  }

  appendStatus(status: StatusPayload, awaited: () => boolean = () => true): Promise<void> {
    return this.#appendStatus(status, { awaited, always: isTerminal(status.status) });
  }

  #appendStatus(status: StatusPayload, kind: Pick<EntryKind, 'awaited' | 'always'>): Promise<void> {
    return this.#enqueue([{ type: SystemEvent.taskStatus, payload: status }], this.#ofStatuses, { status, ...kind });
  }

  appendTaken(event: EventDraft, taken: Taken): Promise<void> {
    return this.#enqueue([event], this.#ofEvents, { taken, always: true });
  }

  settled(): Promise<void> {
    if (this.#abort.signal.aborted) return Promise.reject(this.#abort.signal.reason);
    // What waits for room is no exception: its events come before whatever follows.
    this.#overflow.admit(() => true);
    if (!this.#running) return Promise.resolve();
    return new Promise((resolve, reject) => this.#settling.push({ seq: this.#queue.nextSeq, resolve, reject }));
  }

  appendAttemptEnd(end: {
    reason: 'error' | 'timeout' | 'handed_over' | 'suspended';
    message?: string;
    retryAt?: string;
  }): Promise<void> {
    return this.#enqueue(
      [{ type: SystemEvent.attemptEnded, payload: { attempt: this.attempt, ...end } }],
      this.#ofEvents,
      { endsAttempt: end.reason === 'error' || end.reason === 'timeout' ? 'fault' : end.reason, always: true },
    );
  }

  async confirm(): Promise<void> {
    const tail = await this.#reads.leaderTail(this.#start.at);
    const mine = tail?.pack.attempt === this.attempt && tail.pack.runningItem === this.#start.itemId;
    if (mine) return;
    const error = new TaskstreamError(
      'fenced',
      `Attempt ${this.attempt} of ${this.#start.at.taskId} has been taken over`,
    );
    this.#fail(error);
    throw error;
  }

  #enqueueStatus(status: StatusPayload): void {
    this.#statusQueued = true;
    // Settled with the entries that follow it; its own promise has nobody to tell.
    this.#appendStatus(status, { always: true }).catch(() => undefined);
  }

  #enqueue(events: ReadonlyArray<EventDraft>, bound: PayloadBound, kind: EntryKind = {}): Promise<void> {
    if (this.#closed !== undefined) return Promise.reject(this.#closed);
    let payloads: string[];
    try {
      payloads = events.map((e) => encodePayload(e, bound.payloadBytesMax, this.#where));
    } catch (error) {
      if (isTaskstreamError(error, 'payload_too_large')) this.#limitHit(bound.key);
      return Promise.reject(error);
    }
    if (events.length === 0) return Promise.resolve();
    const { status, endsAttempt, taken } = kind;
    const { payloadBytesMax } = bound;
    const call: Call = { status, endsAttempt, taken, events, payloads, payloadBytesMax, at: this.#queue.now() };
    const bytes = payloads.reduce((sum, p) => sum + p.length, 0);
    if (kind.always === true) {
      this.#overflow.admit(() => true);
      return new Promise((resolve, reject) => this.#push(call, { resolve, reject }));
    }
    return new Promise((resolve, reject) => {
      const settle = { resolve, reject };
      if (this.#overflow.empty && this.#queue.fits(bytes)) {
        this.#push(call, settle);
        return;
      }
      this.#overflow.add({
        bytes,
        awaited: kind.awaited ?? (() => false),
        admit: () => {
          this.#limitHit('emitQueueBytesMax', 'slowed');
          this.#push(call, settle);
        },
        refuse: () => {
          this.#limitHit('emitQueueBytesMax');
          reject(this.#overflowError());
        },
        fail: reject,
      });
    });
  }

  #overflowError(): TaskstreamError {
    const max = this.#options.emitQueueBytesMax;
    const what = `more than ${max} bytes of events are not yet durable, and nobody awaits this one`;
    return new TaskstreamError('emit_overflow', `${this.#where()}: ${what}`);
  }

  #push(call: Call, settle: Settle): void {
    if (call.status !== undefined) this.#status = call.status;
    if (call.endsAttempt !== undefined || (call.status !== undefined && isTerminal(call.status.status))) {
      this.#closed = new TaskstreamError('task_ended', `${this.#where()} has ended`);
    }
    this.#queue.push(call, settle);
    if (!this.#running) void this.#run();
  }

  async #run(): Promise<void> {
    this.#running = true;
    // One turn later, so that what is emitted in one go goes into one pack.
    await Promise.resolve();
    let firstSeq = this.#queue.nextSeq - this.#queue.length;
    try {
      while (this.#queue.length > 0) {
        const lingerMs = this.#lingerMs();
        if (lingerMs > 0) await sleep(lingerMs);
        const entries = this.#queue.take();
        this.#packed = entries.length;
        const streamSeq = await this.#appendEntries(firstSeq, entries);
        firstSeq += entries.length;
        this.#advance(entries, streamSeq);
        this.#settle(firstSeq);
      }
    } catch (error) {
      this.#fail(error);
    } finally {
      this.#running = false;
    }
  }

  /**
   * Only slow acks are worth waiting for company, and only where company comes: a tool that awaits each event brings
   * none. An event that ends something never waits.
   */
  #lingerMs(): number {
    if (this.#ackMs < this.#options.lingerAboveRttMs || this.#queue.length >= this.#options.packEventsMax) return 0;
    if (this.#queue.length === 1 && this.#packed <= 1) return 0;
    if (this.#queue.urgent) return 0;
    return Math.min(this.#options.lingerMsMax, this.#ackMs);
  }

  async #appendEntries(firstSeq: number, entries: ReadonlyArray<Entry>): Promise<number> {
    const data = packData(entries);
    const lastStatus = entries.findLast((e) => e.status !== undefined)?.status;
    const ends = entries.at(-1)?.endsAttempt;
    const status = lastStatus ?? this.#durableStatus;
    const taken = entries.findLast((e) => e.taken !== undefined)?.taken ?? this.#taken;
    const running = ends === undefined && !isTerminal(status);
    const head: PackHead = {
      firstSeq,
      count: entries.length,
      attempt: this.attempt,
      failures: this.#start.failures + (ends === 'fault' ? 1 : 0),
      runningItem: running ? this.#start.itemId : undefined,
      runningDelivery: running ? this.#start.delivery : 0,
      handedOver: ends === 'handed_over' || (ends === undefined && this.#start.handedOver === true),
      suspended: ends === 'suspended' || (ends === undefined && this.#start.suspended === true && !isTerminal(status)),
      taken,
      writeId: `${this.#start.nonce}:${this.#writes++}`,
      status,
      statusAt: lastStatus === undefined ? this.#statusAt : undefined,
    };
    const startedAt = performance.now();
    try {
      const streamSeq = await this.#appender.append(head, data);
      const ackMs = performance.now() - startedAt;
      this.#ackMs = this.#ackMs === 0 ? ackMs : this.#ackMs * 0.8 + ackMs * 0.2;
      if (lastStatus !== undefined) this.#durableStatus = lastStatus;
      this.#taken = taken;
      return streamSeq;
    } catch (error) {
      for (const e of entries) rejectEntry(e, error);
      throw error;
    }
  }

  #advance(entries: ReadonlyArray<Entry>, streamSeq: number): void {
    const status = entries.some((e) => e.status !== undefined);
    this.#queue.release(entries);
    for (const e of entries) resolveEntry(e);
    if (!this.#overflow.empty) this.#overflow.admit((more) => this.#queue.fits(more));
    if (status) {
      this.#statusAt = streamSeq;
      this.#packsSinceStatus = 0;
      this.#statusQueued = false;
    } else {
      this.#packsSinceStatus++;
    }
  }

  #settle(durableSeq: number): void {
    while ((this.#settling[0]?.seq ?? Number.POSITIVE_INFINITY) <= durableSeq) this.#settling.shift()?.resolve();
  }

  #fail(error: unknown): void {
    const reason = isTaskstreamError(error)
      ? error
      : new TaskstreamError('log_unavailable', `Appending to ${this.#start.at.taskId} failed`, { cause: error });
    this.#closed = reason;
    for (const e of this.#queue.clear()) rejectEntry(e, reason);
    this.#overflow.fail(reason);
    for (const waiting of this.#settling.splice(0)) waiting.reject(reason);
    if (!this.#abort.signal.aborted) this.#abort.abort(reason);
  }
}

/** The lines, each with its line feed. */
function packData(entries: ReadonlyArray<Entry>): Buffer {
  const data = Buffer.allocUnsafe(entries.reduce((sum, e) => sum + e.bytes, 0));
  let at = 0;
  for (const { line } of entries) {
    at += data.write(line, at);
    data[at++] = LINE_FEED;
  }
  return data;
}
