/**
 * The events of an attempt that are not yet durable: numbered, encoded, joined by the rule of their type, taken as packs.
 *
 * Invariants: a seq is given when an event is queued, and an event that joins another takes none, so that seqs are
 * contiguous and in call order; nothing joins past an event without a rule, and nothing once a pack may hold it.
 */
import type { CoalesceRule, EventDraft, Taken, TaskSpec } from '@taskstream/core';
import { encodeEventLine, type StatusPayload, type TaskStatus } from '@taskstream/protocol';
import { Coalesced, coalesceKey, type Settle } from './coalescing.js';
import type { StoreOptions } from './options.js';

/** A queued event. */
export interface Entry {
  readonly seq: number;
  /** Empty while others may still join. */
  line: string;
  bytes: number;
  /** The status that holds from this event on, when it is a status event. */
  readonly status: TaskStatus | undefined;
  /** Set on the last event of a call. */
  readonly settle: Settle | undefined;
  /** Set for an event whose type has a rule; once it is sealed, only who joined it is of interest. */
  readonly coalesced: Coalesced | undefined;
  readonly endsAttempt: Call['endsAttempt'];
  /** How far the mailbox is taken from this event on, when it tells of an entry. */
  readonly taken: Taken | undefined;
}

/** What one call queues. */
export interface Call {
  readonly status: StatusPayload | undefined;
  readonly endsAttempt: 'fault' | 'handed_over' | 'suspended' | undefined;
  readonly taken: Taken | undefined;
  readonly events: ReadonlyArray<EventDraft>;
  readonly payloads: ReadonlyArray<string>;
  /** ISO 8601: when it was made. */
  readonly at: string;
  readonly payloadBytesMax: number;
}

/** Waits for an event that is not the last one of its call. */
const NOBODY: Settle = { resolve: () => undefined, reject: () => undefined };

/** What every line of an attempt says. */
export interface LineFacts {
  readonly at: { readonly taskId: string };
  readonly attempt: number;
  readonly worker: string;
  readonly nextSeq: number;
  readonly spec: Pick<TaskSpec, 'traceparent' | 'parent'>;
}

export class EmitQueue {
  readonly #facts: LineFacts;
  readonly #options: StoreOptions;
  #entries: Entry[] = [];
  #bytes = 0;
  /** Queued events that others may join, since the last event without a rule. */
  readonly #open = new Map<string, Entry>();
  #nextSeq: number;
  #lastMs = 0;
  #lastIso = '';

  constructor(facts: LineFacts, options: StoreOptions) {
    this.#facts = facts;
    this.#options = options;
    this.#nextSeq = facts.nextSeq;
  }

  /** The next event's seq. */
  get nextSeq(): number {
    return this.#nextSeq;
  }

  get length(): number {
    return this.#entries.length;
  }

  /** Whether something is queued that should not wait for company. */
  get urgent(): boolean {
    return this.#entries.some((e) => e.status !== undefined || e.endsAttempt !== undefined);
  }

  /** Whether there is room for so many bytes. An empty queue takes anything. */
  fits(bytes: number): boolean {
    return this.#entries.length === 0 || this.#bytes + bytes <= this.#options.emitQueueBytesMax;
  }

  /** ISO 8601. */
  now(): string {
    const now = Date.now();
    if (now !== this.#lastMs) {
      this.#lastMs = now;
      this.#lastIso = new Date(now).toISOString();
    }
    return this.#lastIso;
  }

  push(call: Call, settle: Settle): void {
    const last = call.events.length - 1;
    call.events.forEach((event, i) => {
      const payloadJson = call.payloads[i] as string;
      const settleLast = i === last ? settle : undefined;
      if (event.coalesce !== undefined) {
        this.#pushCoalescing(event, event.coalesce, payloadJson, call, settleLast ?? NOBODY);
        return;
      }
      if (this.#open.size > 0) this.#open.clear();
      const seq = this.#nextSeq++;
      const line = this.#encode(seq, event, payloadJson, call.at);
      const bytes = Buffer.byteLength(line) + 1;
      this.#bytes += bytes;
      this.#entries.push({
        seq,
        line,
        bytes,
        status: call.status?.status,
        settle: settleLast,
        coalesced: undefined,
        endsAttempt: call.endsAttempt,
        taken: call.taken,
      });
    });
  }

  /** The next pack. Its bytes count until they are released. */
  take(): Entry[] {
    let bytes = 0;
    let n = 0;
    while (n < this.#entries.length && n < this.#options.packEventsMax) {
      const entry = this.#entries[n] as Entry;
      if (entry.coalesced !== undefined && entry.line === '') this.#seal(entry, entry.coalesced);
      bytes += entry.bytes;
      if (n > 0 && bytes > this.#options.packBytesMax) break;
      n++;
    }
    return this.#entries.splice(0, n);
  }

  release(entries: ReadonlyArray<Entry>): void {
    for (const e of entries) this.#bytes -= e.bytes;
  }

  /** Everything that is queued; nothing is, afterwards. */
  clear(): Entry[] {
    const entries = this.#entries;
    this.#entries = [];
    this.#bytes = 0;
    this.#open.clear();
    return entries;
  }

  /** Joins a queued event of the same key, or queues one that others may join. */
  #pushCoalescing(event: EventDraft, rule: CoalesceRule, payloadJson: string, call: Call, settle: Settle): void {
    const key = coalesceKey(event);
    const open = this.#open.get(key);
    const grown = open?.coalesced?.join(event, payloadJson, call.at, settle, call.payloadBytesMax);
    if (open !== undefined && grown !== undefined) {
      open.bytes += grown;
      this.#bytes += grown;
      return;
    }
    const bytes = Buffer.byteLength(payloadJson);
    const entry: Entry = {
      seq: this.#nextSeq++,
      line: '',
      bytes,
      status: undefined,
      settle,
      coalesced: new Coalesced(key, rule, event, payloadJson, call.at),
      endsAttempt: undefined,
      taken: undefined,
    };
    this.#bytes += bytes;
    this.#entries.push(entry);
    this.#open.set(key, entry);
  }

  /** Nobody joins any more: the line is written. */
  #seal(entry: Entry, coalesced: Coalesced): void {
    if (this.#open.get(coalesced.key) === entry) this.#open.delete(coalesced.key);
    const { payloadJson, at, standsFor } = coalesced.seal();
    entry.line = this.#encode(entry.seq, coalesced.draft, payloadJson, at, standsFor === 1 ? undefined : standsFor);
    const bytes = Buffer.byteLength(entry.line) + 1;
    this.#bytes += bytes - entry.bytes;
    entry.bytes = bytes;
  }

  /** A child says on each event whose it is. */
  #identityOf({ identity }: EventDraft): EventDraft['identity'] {
    const { parent } = this.#facts.spec;
    return parent === undefined ? identity : { parentTaskId: parent.taskId, ...identity };
  }

  #encode(seq: number, event: EventDraft, payloadJson: string, at: string, standsFor?: number): string {
    return encodeEventLine({
      seq,
      taskId: this.#facts.at.taskId,
      type: event.type,
      payloadJson,
      at,
      attempt: this.#facts.attempt,
      worker: this.#facts.worker,
      identity: this.#identityOf(event),
      standsFor,
      traceparent: this.#facts.spec.traceparent,
    });
  }
}

export function resolveEntry(entry: Entry): void {
  entry.settle?.resolve();
  if (entry.coalesced !== undefined) for (const joined of entry.coalesced.settles) joined.resolve();
}

export function rejectEntry(entry: Entry, error: unknown): void {
  entry.settle?.reject(error);
  if (entry.coalesced !== undefined) for (const joined of entry.coalesced.settles) joined.reject(error);
}
