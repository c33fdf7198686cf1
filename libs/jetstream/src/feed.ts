/**
 * What a node keeps of one active task: the live tail, shared by all its local readers.
 *
 * Invariants: the ring is contiguous and ends at `nextSeq`; a pack enters it only when it is exactly next, whatever
 * the live hop lost, repeated or reordered; a feed never goes backwards; the leader's tail is compared before silence
 * is believed.
 */
import { fit, isTaskstreamError, packEnd, packFrom, type TaskstreamError } from '@taskstream/core';
import { isTerminal, type TaskStatus } from '@taskstream/protocol';
import type { Subscription } from '@nats-io/transport-node';
import type { Broker } from './broker.js';
import type { LogReads, TaskAddress } from './log-reads.js';
import { Header, liveSubject } from './names.js';
import type { StoreOptions } from './options.js';
import { assertFormat } from './stored-format.js';
import { compact, decodePack, type StoredPack } from './stored-pack.js';
import { sleep } from './waiting.js';

/** Counts for metrics. */
export interface FeedObserver {
  feedJoined(): void;
  /** A pack was missing from the live hop and is read from the log. */
  gapRepaired(): void;
  /** A tail check found what the live hop had lost. */
  tailRepaired(): void;
}

/** Packs that arrived above a gap are kept up to this many; beyond, the repair reads them from the log. */
const HELD_PACKS_MAX = 256;

export class Feed {
  readonly at: TaskAddress;
  /** The seq after the last known event. */
  nextSeq = 0;
  status: TaskStatus = 'working';
  /** The last known pack. Undefined while the log is unknown. */
  last: StoredPack | undefined;
  /** Whether the log was purged while it was followed. */
  expired = false;
  /** Why nothing more can be read here: a later release writes this log now. */
  failure: TaskstreamError | undefined;
  readers = 0;
  idleSince = 0;
  readonly #broker: Broker;
  readonly #reads: LogReads;
  readonly #options: StoreOptions;
  readonly #observer: FeedObserver;
  readonly #ringBytesMax: () => number;
  readonly #barrier: (at: TaskAddress) => Promise<void>;
  #ring: StoredPack[] = [];
  #ringBytes = 0;
  #subscription: Subscription | undefined;
  #joined = false;
  #held: StoredPack[] = [];
  #repairing: Promise<void> | undefined;
  #checkedAt = 0;
  #checkMs: number;
  #checks = 0;
  #checking = false;
  #waiting = new Set<() => void>();

  constructor(
    at: TaskAddress,
    broker: Broker,
    reads: LogReads,
    options: StoreOptions,
    observer: FeedObserver,
    ringBytesMax: () => number,
    barrier: (at: TaskAddress) => Promise<void>,
  ) {
    this.at = at;
    this.#broker = broker;
    this.#reads = reads;
    this.#options = options;
    this.#observer = observer;
    this.#ringBytesMax = ringBytesMax;
    this.#barrier = barrier;
    this.#checkMs = options.tailCheckMs;
  }

  get terminal(): boolean {
    return isTerminal(this.status);
  }

  /** The first seq of the ring; `nextSeq` when it is empty. */
  get ringFirstSeq(): number {
    return this.#ring[0]?.firstSeq ?? this.nextSeq;
  }

  get ringBytes(): number {
    return this.#ringBytes;
  }

  /** Subscribes, then learns the join point. Resolves with false when the log is empty. */
  async join(): Promise<boolean> {
    this.#subscription = this.#broker.nc.subscribe(liveSubject(this.at.evt), {
      callback: (error, m) => {
        if (error !== null || m.headers === undefined) return;
        const streamSeq = Number(m.headers.get('Nats-Sequence'));
        const pack = decodePack(m.headers, streamSeq, compact(m.data));
        if (pack !== undefined) return this.#arrived(pack);
        try {
          assertFormat(m.headers.get(Header.version), this.at.evt, streamSeq);
        } catch (unknown) {
          this.#fail(unknown);
        }
      },
    });
    await this.#barrier(this.at);
    const tail = await this.#reads.leaderTail(this.at);
    if (tail === undefined) {
      this.stop();
      return false;
    }
    this.#observer.feedJoined();
    this.last = tail.pack;
    this.nextSeq = packEnd(tail.pack);
    this.status = tail.pack.status;
    await this.#fill(tail.pack);
    this.#joined = true;
    this.#checkedAt = performance.now();
    this.#release();
    return true;
  }

  /**
   * Gives the ring what it would hold if this feed had lingered: readers that come back from another node are served by
   * one read instead of one each.
   */
  async #fill(tail: StoredPack): Promise<void> {
    const since = new Date(Date.now() - this.#options.feedLingerMs);
    // Without it readers ask the log themselves.
    const recent = await this.#reads.since(this.at, since).catch((): StoredPack[] => []);
    this.#ring = upTo(tail, recent, this.#ringBytesMax());
    this.#ringBytes = this.#ring.reduce((sum, pack) => sum + pack.data.byteLength, 0);
  }

  /** Only what will not pass ends the feed. */
  #fail(error: unknown): void {
    if (!isTaskstreamError(error, 'format_unknown')) return;
    this.failure = error;
    this.stop();
  }

  stop(): void {
    this.#subscription?.unsubscribe();
    this.#subscription = undefined;
    this.#wake();
  }

  /** The log is gone: what the ring still holds is given to nobody any more. */
  purged(): void {
    this.expired = true;
    this.#ring = [];
    this.#ringBytes = 0;
    this.stop();
  }

  /** The packs of the ring from a seq on; undefined when the ring begins above it. */
  from(seq: number): ReadonlyArray<StoredPack> | undefined {
    if (seq >= this.nextSeq) return [];
    if (seq < this.ringFirstSeq) return undefined;
    let i = this.#ring.length - 1;
    while (i > 0 && (this.#ring[i] as StoredPack).firstSeq > seq) i--;
    return this.#ring.slice(i);
  }

  /**
   * Calls `wake` once at the next change. False, without calling it, when the feed already differs from what the
   * caller saw.
   */
  wait(seenNextSeq: number, wake: () => void): boolean {
    if (this.nextSeq !== seenNextSeq || this.terminal || this.expired || this.failure !== undefined) return false;
    this.#waiting.add(wake);
    return true;
  }

  /** A reader that goes away wakes nobody else. */
  forget(wake: () => void): void {
    this.#waiting.delete(wake);
  }

  #wake(): void {
    if (this.#waiting.size === 0) return;
    const waiting = this.#waiting;
    this.#waiting = new Set();
    for (const wake of waiting) wake();
  }

  #arrived(pack: StoredPack): void {
    this.#checkedAt = performance.now();
    this.#checkMs = this.#options.tailCheckMs;
    if (!this.#joined || this.#repairing !== undefined) {
      if (this.#held.length < HELD_PACKS_MAX) this.#held.push(pack);
      return;
    }
    switch (fit(this.nextSeq, pack)) {
      case 'next':
        this.#push(pack);
        this.#wake();
        return;
      case 'gap':
        this.#observer.gapRepaired();
        this.#held.push(pack);
        void this.#repair(packEnd(pack));
        return;
      default:
        return;
    }
  }

  #push(pack: StoredPack): void {
    this.#ring.push(pack);
    this.#ringBytes += pack.data.byteLength;
    this.last = pack;
    this.nextSeq = packEnd(pack);
    this.status = pack.status;
    const max = this.#ringBytesMax();
    let drop = 0;
    while (this.#ringBytes > max && drop < this.#ring.length - 1) {
      this.#ringBytes -= (this.#ring[drop] as StoredPack).data.byteLength;
      drop++;
    }
    if (drop > 0) this.#ring.splice(0, drop);
    if (this.terminal) {
      this.#subscription?.unsubscribe();
      this.#subscription = undefined;
    }
  }

  /** Hands on what arrived while it could not be placed. */
  #release(): void {
    const held = this.#held.toSorted((a, b) => a.firstSeq - b.firstSeq);
    this.#held = [];
    for (const pack of held) {
      const how = fit(this.nextSeq, pack);
      if (how === 'next') this.#push(pack);
      else if (how === 'gap') {
        this.#held.push(pack);
        void this.#repair(packEnd(pack));
      }
    }
    this.#wake();
  }

  /** Reads the log up to `target` (a seq), however long the replicas lag, until it is reached or the log is gone. */
  #repair(target: number): Promise<void> {
    this.#repairing ??= (async () => {
      try {
        let position = (this.last?.streamSeq ?? 0) + 1;
        for (
          let fruitless = 0;
          this.nextSeq < target && fruitless < this.#options.historyRetriesMax && !this.expired;
        ) {
          const before = position;
          const page = await this.#reads.page(this.at, position);
          position = page.next;
          for (const pack of page.packs) {
            const how = fit(this.nextSeq, pack);
            if (how === 'next') this.#push(pack);
            else if (how === 'overlap') this.#push({ ...pack, ...packFrom(pack, this.nextSeq) });
            else if (how === 'gap' && !(await this.#skipTrimmed(pack))) {
              position = (this.last?.streamSeq ?? 0) + 1;
              break;
            }
          }
          if (position <= before) {
            fruitless++;
            await sleep(Math.min(20 * 2 ** fruitless, 500));
          }
          this.#wake();
        }
      } catch (error) {
        // Unreadable now: the next tail check tries again.
        this.#fail(error);
      } finally {
        this.#repairing = undefined;
        if (this.nextSeq >= target) this.#release();
        else this.#held = [];
      }
    })();
    return this.#repairing;
  }

  /** A pack above a gap in the log itself: what is missing was trimmed if the leader says so too. */
  async #skipTrimmed(pack: StoredPack): Promise<boolean> {
    const first = await this.#reads.leaderNext(this.at, (this.last?.streamSeq ?? 0) + 1);
    if (first === undefined || first.firstSeq !== pack.firstSeq) return false;
    this.#ring = [];
    this.#ringBytes = 0;
    this.#push(pack);
    return true;
  }

  /** Whether the tail should be checked now. Times are of `performance.now()`. */
  checkDue(nowMs: number): boolean {
    const over = this.terminal || this.expired || this.failure !== undefined;
    return this.#joined && !over && nowMs - this.#checkedAt >= this.#checkMs;
  }

  /** Compares the tail with the log: cheaply with a replica, every fourth time and when `leader` with the leader. */
  async check(leader: boolean): Promise<void> {
    // A check that waits for an answer must not hold up the one that a reconnect asks for.
    // A log that is over can only be removed: the leader is asked for that when messages may have been missed.
    if ((this.#checking || this.terminal) && !leader) return;
    if (!this.#joined || this.expired) return;
    this.#checking = true;
    try {
      const askLeader = leader || this.#checks++ % 4 === 3;
      const above = (this.last?.streamSeq ?? 0) + 1;
      if (askLeader) {
        const tail = await this.#reads.leaderTail(this.at);
        if (tail === undefined) {
          this.purged();
        } else if (packEnd(tail.pack) > this.nextSeq) {
          this.#observer.tailRepaired();
          await this.#repair(packEnd(tail.pack));
        }
      } else {
        const next = await this.#reads.directNext(this.at, above);
        if (next !== undefined && packEnd(next) > this.nextSeq) {
          this.#observer.tailRepaired();
          await this.#repair(packEnd(next));
        }
      }
    } catch (error) {
      // The interval below brings the next check.
      this.#fail(error);
    } finally {
      this.#checking = false;
      this.#checkedAt = performance.now();
      this.#checkMs = Math.min(this.#checkMs * 1.5, this.#options.tailCheckMsMax);
    }
  }
}

/** The packs that lead to the tail without a gap, within a number of bytes; none when they do not reach it. */
function upTo(tail: StoredPack, packs: readonly StoredPack[], bytesMax: number): StoredPack[] {
  let begin = packs.findIndex((pack) => pack.streamSeq === tail.streamSeq);
  if (begin < 0) return [];
  const end = begin + 1;
  let bytes = tail.data.byteLength;
  for (; begin > 0; begin--) {
    const [before, first] = [packs[begin - 1] as StoredPack, packs[begin] as StoredPack];
    bytes += before.data.byteLength;
    if (packEnd(before) !== first.firstSeq || bytes > bytesMax) break;
  }
  return packs.slice(begin, end);
}
