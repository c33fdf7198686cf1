/**
 * The log of a task in the hands of one attempt: numbers events, packs them, keeps one append in flight.
 *
 * Invariants: seqs are given in call order and are contiguous; an event is queued or refused, never dropped; what is
 * queued is bounded; the first fatal answer rejects everything that is queued and closes the log; a status is stated
 * again before the cap on packs can push the latest one out.
 */
import {
  isTaskstreamError,
  statusDue,
  TaskstreamError,
  type AttemptLog,
  type EventDraft,
  type TaskSpec,
} from '@taskstream/core';
import {
  describeIssues,
  encodeEventLine,
  EventIdentity,
  isTerminal,
  isVendorEventType,
  SystemEvent,
  typeName,
  type AttemptStarted,
  type StatusPayload,
  type TaskStatus,
} from '@taskstream/protocol';
import type { Appender } from './appender.js';
import type { LogReads, TaskAddress } from './log-reads.js';
import type { StoreOptions } from './options.js';
import type { PackHead } from './stored-pack.js';
import { sleep } from './waiting.js';

interface Settle {
  resolve(): void;
  reject(error: unknown): void;
}

interface Entry {
  readonly line: string;
  readonly bytes: number;
  /** The status that holds from this event on, when it is a status event. */
  readonly status: TaskStatus | undefined;
  /** Set on the last event of a call. */
  readonly settle: Settle | undefined;
  readonly endsAttempt: 'fault' | 'handed_over' | undefined;
}

interface EntryKind {
  readonly status?: StatusPayload;
  readonly endsAttempt?: 'fault' | 'handed_over';
  /** Queued however much is: what ends an attempt, and a status that the cap on packs would push out. */
  readonly always?: boolean;
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
  #queue: Entry[] = [];
  #queuedBytes = 0;
  #nextSeq: number;
  #writes = 0;
  /** The latest status, perhaps still queued. */
  #status: StatusPayload;
  #durableStatus: TaskStatus;
  #statusAt: number;
  #packsSinceStatus = 0;
  #statusQueued = false;
  #ackMs = 0;
  /** Events of the latest pack. */
  #packed = 0;
  #running = false;
  #closed: TaskstreamError | undefined;
  #lastMs = 0;
  #lastIso = '';

  constructor(start: LogStart, appender: Appender, reads: LogReads, options: StoreOptions, admit: () => boolean) {
    this.attempt = start.attempt;
    this.#start = start;
    this.#appender = appender;
    this.#reads = reads;
    this.#options = options;
    this.#admit = admit;
    this.#nextSeq = start.nextSeq;
    this.#status = start.status;
    this.#durableStatus = start.status.status;
    this.#statusAt = start.statusAt;
  }

  get nextSeq(): number {
    return this.#nextSeq;
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** Appends the first event of the attempt. Once it resolves, older attempts are fenced. */
  begin(started: AttemptStarted): Promise<void> {
    const begun = this.#enqueue(
      [{ type: SystemEvent.attemptStarted, payload: started }],
      this.#options.payloadBytesMax,
    );
    // Questions of an earlier attempt are asked again by this one, under the same keys.
    if (started.attempt > 1) this.#enqueueStatus({ status: 'working' });
    return begun;
  }

  append(events: ReadonlyArray<EventDraft>): Promise<void> {
    if (!this.#admit()) {
      return Promise.reject(new TaskstreamError('stream_full', `The stream ${this.#start.at.stream} is nearly full`));
    }
    if (!this.#statusQueued && statusDue(this.#packsSinceStatus, this.#options.packsPerTaskMax))
      this.#enqueueStatus(this.#status);
    return this.#enqueue(events, this.#options.payloadBytesMax);
  }

  appendStatus(status: StatusPayload): Promise<void> {
    return this.#appendStatus(status, isTerminal(status.status));
  }

  #appendStatus(status: StatusPayload, always: boolean): Promise<void> {
    const payloadBytesMax = this.#options.messageBytesMax - ENVELOPE_BYTES;
    return this.#enqueue([{ type: SystemEvent.taskStatus, payload: status }], payloadBytesMax, { status, always });
  }

  appendAttemptEnd(end: {
    reason: 'error' | 'timeout' | 'handed_over';
    message?: string;
    retryAt?: string;
  }): Promise<void> {
    return this.#enqueue(
      [{ type: SystemEvent.attemptEnded, payload: { attempt: this.attempt, ...end } }],
      this.#options.payloadBytesMax,
      { endsAttempt: end.reason === 'handed_over' ? 'handed_over' : 'fault', always: true },
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
    this.#appendStatus(status, true).catch(() => undefined);
  }

  #enqueue(
    events: ReadonlyArray<EventDraft>,
    payloadBytesMax: number,
    { status, endsAttempt, always = false }: EntryKind = {},
  ): Promise<void> {
    if (this.#closed !== undefined) return Promise.reject(this.#closed);
    let payloads: string[];
    try {
      payloads = events.map((e) => encodePayload(e, payloadBytesMax));
    } catch (error) {
      return Promise.reject(error);
    }
    const added = payloads.reduce((sum, p) => sum + p.length, 0);
    if (!always && this.#queuedBytes + added > this.#options.emitQueueBytesMax && this.#queue.length > 0) {
      return Promise.reject(
        new TaskstreamError(
          'emit_overflow',
          `More than ${this.#options.emitQueueBytesMax} bytes of events are not yet durable`,
        ),
      );
    }
    if (events.length === 0) return Promise.resolve();
    if (status !== undefined) this.#status = status;
    if (endsAttempt !== undefined || (status !== undefined && isTerminal(status.status))) {
      this.#closed = new TaskstreamError('task_ended', `Attempt ${this.attempt} of ${this.#start.at.taskId} has ended`);
    }
    return new Promise((resolve, reject) => {
      events.forEach((event, i) => {
        const line = this.#encode(event, payloads[i] as string);
        const bytes = Buffer.byteLength(line) + 1;
        this.#queuedBytes += bytes;
        const last = i === events.length - 1;
        this.#queue.push({
          line,
          bytes,
          status: status?.status,
          settle: last ? { resolve, reject } : undefined,
          endsAttempt,
        });
      });
      if (!this.#running) void this.#run();
    });
  }

  #encode(event: EventDraft, payloadJson: string): string {
    const now = Date.now();
    if (now !== this.#lastMs) {
      this.#lastMs = now;
      this.#lastIso = new Date(now).toISOString();
    }
    return encodeEventLine({
      seq: this.#nextSeq++,
      taskId: this.#start.at.taskId,
      type: event.type,
      payloadJson,
      at: this.#lastIso,
      attempt: this.attempt,
      worker: this.#start.worker,
      identity: event.identity,
      traceparent: this.#start.spec.traceparent,
    });
  }

  async #run(): Promise<void> {
    this.#running = true;
    // One turn later, so that what is emitted in one go goes into one pack.
    await Promise.resolve();
    let firstSeq = this.#nextSeq - this.#queue.length;
    try {
      while (this.#queue.length > 0) {
        const lingerMs = this.#lingerMs();
        if (lingerMs > 0) await sleep(lingerMs);
        const entries = this.#take();
        const streamSeq = await this.#appendEntries(firstSeq, entries);
        firstSeq += entries.length;
        this.#advance(entries, streamSeq);
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
    if (this.#queue.some((e) => e.status !== undefined || e.endsAttempt !== undefined)) return 0;
    return Math.min(this.#options.lingerMsMax, this.#ackMs);
  }

  #take(): Entry[] {
    let bytes = 0;
    let n = 0;
    while (n < this.#queue.length && n < this.#options.packEventsMax) {
      bytes += (this.#queue[n] as Entry).bytes;
      if (n > 0 && bytes > this.#options.packBytesMax) break;
      n++;
    }
    this.#packed = n;
    return this.#queue.splice(0, n);
  }

  async #appendEntries(firstSeq: number, entries: ReadonlyArray<Entry>): Promise<number> {
    const data = packData(entries);
    const lastStatus = entries.findLast((e) => e.status !== undefined)?.status;
    const ends = entries.at(-1)?.endsAttempt;
    const status = lastStatus ?? this.#durableStatus;
    const running = ends === undefined && !isTerminal(status);
    const head: PackHead = {
      firstSeq,
      count: entries.length,
      attempt: this.attempt,
      failures: this.#start.failures + (ends === 'fault' ? 1 : 0),
      runningItem: running ? this.#start.itemId : undefined,
      runningDelivery: running ? this.#start.delivery : 0,
      handedOver: ends === 'handed_over',
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
      return streamSeq;
    } catch (error) {
      for (const e of entries) e.settle?.reject(error);
      throw error;
    }
  }

  #advance(entries: ReadonlyArray<Entry>, streamSeq: number): void {
    let bytes = 0;
    let status = false;
    for (const e of entries) {
      bytes += e.bytes;
      status ||= e.status !== undefined;
      e.settle?.resolve();
    }
    this.#queuedBytes -= bytes;
    if (status) {
      this.#statusAt = streamSeq;
      this.#packsSinceStatus = 0;
      this.#statusQueued = false;
    } else {
      this.#packsSinceStatus++;
    }
  }

  #fail(error: unknown): void {
    const reason = isTaskstreamError(error)
      ? error
      : new TaskstreamError('log_unavailable', `Appending to ${this.#start.at.taskId} failed`, { cause: error });
    this.#closed = reason;
    const queue = this.#queue;
    this.#queue = [];
    this.#queuedBytes = 0;
    for (const e of queue) e.settle?.reject(reason);
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

function encodePayload(event: EventDraft, payloadBytesMax: number): string {
  if (typeof event.type !== 'string' || !isVendorEventType(event.type)) {
    throw new TaskstreamError(
      'invalid_event',
      `type: expected a vendor-prefixed event type such as com.example.step, got ${JSON.stringify(String(event.type).slice(0, 80))}`,
    );
  }
  if (event.identity !== undefined) checkIdentity(event);
  let json: string | undefined;
  try {
    json = JSON.stringify(event.payload);
  } catch (error) {
    throw new TaskstreamError('invalid_event', `payload of ${event.type}: cannot be encoded as JSON`, { cause: error });
  }
  if (json === undefined || !json.startsWith('{')) {
    throw new TaskstreamError(
      'invalid_event',
      `payload of ${event.type}: expected a JSON object, got ${typeName(event.payload)}`,
    );
  }
  if (json.length * 3 > payloadBytesMax) {
    const bytes = Buffer.byteLength(json);
    if (bytes > payloadBytesMax) {
      throw new TaskstreamError(
        'payload_too_large',
        `payload of ${event.type}: ${bytes} bytes, at most ${payloadBytesMax} are allowed`,
      );
    }
  }
  return json;
}

function checkIdentity({ type, identity }: EventDraft): void {
  const parsed = EventIdentity.safeParse(identity);
  if (parsed.success) return;
  throw new TaskstreamError('invalid_event', `identity of ${type}: ${describeIssues(parsed.error, identity)}`);
}
