/**
 * Reads of one task's messages: from the leader, from any replica, one or a page at a time.
 *
 * Invariants: a leader read tells the truth of an acknowledged write, except from a deposed leader; a direct read may
 * lag and never proves absence; foreign messages are passed over, never mistaken for ours.
 */
import { parseTaskId, TaskstreamError, type LimitHit, type TaskPlace } from '@taskstream/core';
import type { CompletionResult, MsgRequest, StoredMsg } from '@nats-io/jetstream';
import type { Broker } from './broker.js';
import { evtSubject, Header, specSubject, streamName } from './names.js';
import { isNatsFault, isNoResponders } from './nats-errors.js';
import type { StoreOptions } from './options.js';
import { assertFormat } from './stored-format.js';
import { compact, decodePack, type StoredPack } from './stored-pack.js';
import { Semaphore, whileUnavailable } from './waiting.js';

/** Where the messages of a task lie. */
export interface TaskAddress {
  readonly taskId: string;
  readonly place: TaskPlace;
  readonly stream: string;
  readonly evt: string;
}

/** @throws TaskstreamError unknown_task when the text is not a task id */
export function addressOf(taskId: string): TaskAddress {
  const place = parseTaskId(taskId);
  if (place === undefined) throw new TaskstreamError('unknown_task', 'Not a task id');
  return { taskId, place, stream: streamName(place), evt: evtSubject(place, taskId) };
}

/** The tail of a log. `expected` is what a compare-and-set must name: foreign messages count there. */
export interface LeaderTail {
  readonly pack: StoredPack;
  readonly expected: number;
}

/** What lies above a position; without a pack, only messages that are not ours. */
export interface Above {
  readonly pack: StoredPack | undefined;
  readonly expected: number;
}

/** A page of a log. `next` is the position after its last message, ours or not; where the page was asked for, if empty. */
export interface LogPage {
  readonly packs: ReadonlyArray<StoredPack>;
  readonly next: number;
}

export class LogReads {
  readonly #broker: Broker;
  readonly #options: StoreOptions;
  readonly #leaderReads: Semaphore;
  readonly #tailsInFlight = new Map<string, Promise<LeaderTail | undefined>>();
  readonly #onForeign: (subject: string, streamSeq: number) => void;

  constructor(
    broker: Broker,
    options: StoreOptions,
    onForeign: (subject: string, streamSeq: number) => void,
    limitHit: LimitHit,
  ) {
    this.#broker = broker;
    this.#options = options;
    this.#leaderReads = new Semaphore(options.leaderReadsMax, () => limitHit('leaderReadsMax', 'slowed'));
    this.#onForeign = onForeign;
  }

  /** The last pack as the leader has it. Concurrent calls for one task that have not yet been sent share one read. */
  leaderTail(at: TaskAddress): Promise<LeaderTail | undefined> {
    const waiting = this.#tailsInFlight.get(at.taskId);
    if (waiting !== undefined) return waiting;
    const read = this.#leaderReads.run(async () => {
      // A turn later: with a free slot this runs before the entry below is set.
      await Promise.resolve();
      this.#tailsInFlight.delete(at.taskId);
      return this.#readLeaderTail(at);
    });
    this.#tailsInFlight.set(at.taskId, read);
    return read;
  }

  async #readLeaderTail(at: TaskAddress): Promise<LeaderTail | undefined> {
    const m = await this.#leaderGet(at.stream, { last_by_subj: at.evt });
    if (m === null) return undefined;
    const pack = this.#decode(at, m);
    if (pack !== undefined) return { pack, expected: m.seq };
    const before = await this.#lastPackBefore(at, m.seq);
    return before === undefined ? undefined : { pack: before, expected: m.seq };
  }

  /** Searches backwards in doubling steps for the last pack before a foreign message. */
  async #lastPackBefore(at: TaskAddress, end: number): Promise<StoredPack | undefined> {
    for (let width = 1; ; width *= 2) {
      const from = Math.max(1, end - width);
      let last: StoredPack | undefined;
      for (let position = from; position < end;) {
        const m = await this.#leaderNext(at, position);
        if (m === null || m.seq >= end) break;
        last = this.#decode(at, m) ?? last;
        position = m.seq + 1;
      }
      if (last !== undefined || from === 1) return last;
    }
  }

  /**
   * What the leader has above a position, read forwards: its last message, and the last pack up to the first that is
   * not of the write `writeId`. Undefined when nothing lies there.
   */
  async above(at: TaskAddress, position: number, writeId: string): Promise<Above | undefined> {
    let pack: StoredPack | undefined;
    let expected = position;
    while (pack === undefined || pack.writeId === writeId) {
      const from = expected + 1;
      const m = await this.#leaderReads.run(() => this.#leaderNext(at, from));
      if (m === null) break;
      expected = m.seq;
      pack = this.#decode(at, m) ?? pack;
    }
    return expected === position ? undefined : { pack, expected };
  }

  /** The first pack at or after a position, from the leader. */
  async leaderNext(at: TaskAddress, position: number): Promise<StoredPack | undefined> {
    for (let from = position; ;) {
      const m = await this.#leaderReads.run(() => this.#leaderNext(at, from));
      if (m === null) return undefined;
      const pack = this.#decode(at, m);
      if (pack !== undefined) return pack;
      from = m.seq + 1;
    }
  }

  /** The pack at a stream sequence: from a replica, or from the leader when the replica does not have it. */
  async packAt(at: TaskAddress, streamSeq: number): Promise<StoredPack | undefined> {
    const direct = await this.#directGet(at.stream, { seq: streamSeq });
    const m = direct ?? (await this.#leaderReads.run(() => this.#leaderGet(at.stream, { seq: streamSeq })));
    return m === null || m.subject !== at.evt ? undefined : this.#decode(at, m);
  }

  /** The last message of a subject from some replica; undefined proves nothing. */
  async directTail(at: TaskAddress): Promise<StoredPack | undefined> {
    const m = await this.#directGet(at.stream, { last_by_subj: at.evt });
    return m === null ? undefined : this.#decode(at, m);
  }

  /** The first pack at or after a position from some replica; undefined proves nothing. */
  async directNext(at: TaskAddress, position: number): Promise<StoredPack | undefined> {
    for (let from = position; ;) {
      const m = await this.#directGet(at.stream, { next_by_subj: at.evt, seq: from });
      if (m === null) return undefined;
      const pack = this.#decode(at, m);
      if (pack !== undefined) return pack;
      from = m.seq + 1;
    }
  }

  /**
   * A page of packs from some replica, in order, from a position on; at most `messages` or what the options say. An
   * empty page proves nothing.
   */
  async page(at: TaskAddress, position: number, messages = this.#options.historyBatchMessages): Promise<LogPage> {
    const packs: StoredPack[] = [];
    const next = await this.someOf(at.stream, at.evt, position, messages, (m) => {
      // The packs of a page come and go together: none of them needs bytes of its own.
      const pack = this.#decode(at, m, m.data);
      if (pack !== undefined) packs.push(pack);
    });
    return { packs, next };
  }

  /** The packs that were stored since a time, from some replica: the first page of them. None proves nothing. */
  async since(at: TaskAddress, time: Date): Promise<StoredPack[]> {
    const packs: StoredPack[] = [];
    await this.#batch(at.stream, at.evt, { start_time: time }, this.#options.historyBatchMessages, (m) => {
      const pack = this.#decode(at, m);
      if (pack !== undefined) packs.push(pack);
    });
    return packs;
  }

  /**
   * Hands out messages of any subjects from some replica, in order, from a position on; at most `messages` or what the
   * options say. Resolves with the position after the last, or `position` when there was none, which proves nothing.
   */
  async someOf(
    stream: string,
    subjects: string,
    position: number,
    messages: number,
    onMessage: (m: StoredMsg) => void,
  ): Promise<number> {
    return (await this.#batch(stream, subjects, { seq: position }, messages, onMessage)) ?? position;
  }

  /** Resolves with the position after the last message; undefined when there was none. */
  async #batch(
    stream: string,
    subjects: string,
    from: { readonly seq: number } | { readonly start_time: Date },
    messages: number,
    onMessage: (m: StoredMsg) => void,
  ): Promise<number | undefined> {
    let next: number | undefined;
    let received = 0;
    let refused: Error | undefined;
    let end: (result: CompletionResult) => void = () => undefined;
    const ended = new Promise<CompletionResult>((resolve) => {
      end = resolve;
    });
    // Read as an iterator, every page would leave its subscription behind, here and on the server.
    const batch = await this.#broker.jsm.direct.getBatch(stream, {
      ...from,
      next_by_subj: subjects,
      batch: Math.min(messages, this.#options.historyBatchMessages),
      max_bytes: this.#options.historyBatchBytes,
      callback: (done, m) => {
        if (done !== null) return end(done);
        received++;
        if (refused !== undefined) return;
        try {
          onMessage(m);
          next = m.seq + 1;
        } catch (error) {
          refused = error as Error;
        }
      },
    });
    let seen = -1;
    // Nothing ends a page when the server dies between two of its messages.
    const deadline = setInterval(() => {
      if (received === seen) batch.stop();
      seen = received;
    }, this.#options.historyStallMs);
    const { err } = await ended;
    clearInterval(deadline);
    if (err !== undefined && !isNatsFault(err, 'not_found', 'unavailable')) throw err;
    // What lies below it is readable.
    if (refused !== undefined && next === undefined) throw refused;
    return next;
  }

  /** The last message of any subject of a stream, from the leader. */
  lastOf(stream: string, subject: string): Promise<StoredMsg | null> {
    return this.#leaderReads.run(() => this.#leaderGet(stream, { last_by_subj: subject }));
  }

  /** The last message of any subject, from a replica when it has it, else from the leader. */
  async anyLastOf(stream: string, subject: string): Promise<StoredMsg | null> {
    const direct = await this.#directGet(stream, { last_by_subj: subject });
    return direct ?? (await this.lastOf(stream, subject));
  }

  /** The first message of any subjects, from some replica; null proves nothing. */
  directFirstOf(stream: string, subjects: string): Promise<StoredMsg | null> {
    return this.#directGet(stream, { next_by_subj: subjects, seq: 1 });
  }

  /**
   * Whether a log that had reached `streamSeq` was removed on purpose: its spec is gone too, and the stream has not lost
   * its own position.
   */
  async isRemoved(at: TaskAddress, streamSeq: number): Promise<boolean> {
    if ((await this.lastOf(at.stream, specSubject(at.place, at.taskId))) !== null) return false;
    return whileUnavailable(`reading ${at.stream}`, this.#options.readRetryMsMax, async () => {
      try {
        return (await this.#broker.jsm.streams.info(at.stream)).state.last_seq >= streamSeq;
      } catch (error) {
        if (isNatsFault(error, 'not_found')) return false;
        throw error;
      }
    });
  }

  /** The first message of a subject at or after a position, from the leader. */
  nextOf(stream: string, subject: string, position: number): Promise<StoredMsg | null> {
    return this.#leaderReads.run(() => this.#leaderGet(stream, nextBySubject(subject, position)));
  }

  async #leaderNext(at: TaskAddress, position: number): Promise<StoredMsg | null> {
    return this.#leaderGet(at.stream, nextBySubject(at.evt, position));
  }

  #leaderGet(stream: string, query: MsgRequest): Promise<StoredMsg | null> {
    return whileUnavailable(`reading ${stream}`, this.#options.readRetryMsMax, async () => {
      try {
        return await this.#broker.jsm.streams.getMessage(stream, query);
      } catch (error) {
        if (isNatsFault(error, 'not_found')) return null;
        throw error;
      }
    });
  }

  #directGet(
    stream: string,
    query: { seq: number } | { last_by_subj: string } | { next_by_subj: string; seq: number },
  ): Promise<StoredMsg | null> {
    return whileUnavailable(`reading ${stream}`, this.#options.readRetryMsMax, async () => {
      try {
        return await this.#broker.jsm.direct.getMessage(stream, query);
      } catch (error) {
        if (isNatsFault(error, 'not_found')) return null;
        // Nobody serves a stream that does not exist: only the JetStream API can tell that from an election.
        if (isNoResponders(error) && !(await this.#exists(stream))) return null;
        throw error;
      }
    });
  }

  async #exists(stream: string): Promise<boolean> {
    try {
      await this.#broker.jsm.streams.getMessage(stream, { seq: 1 });
    } catch (error) {
      if (isNatsFault(error, 'not_found')) return false;
      throw error;
    }
    return true;
  }

  #decode(at: TaskAddress, m: StoredMsg, data = compact(m.data)): StoredPack | undefined {
    const pack = decodePack(m.header, m.seq, data);
    if (pack !== undefined) return pack;
    assertFormat(m.header.get(Header.version), at.evt, m.seq);
    this.#onForeign(at.evt, m.seq);
    return undefined;
  }
}

/** The server's leader read takes the form of a direct read too; the client's types do not know it. */
function nextBySubject(subject: string, position: number): MsgRequest {
  return { next_by_subj: subject, seq: position } as unknown as MsgRequest;
}
