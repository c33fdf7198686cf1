/**
 * The `hub` reader: one feed per active task and node, replay by direct gets, any number of local readers.
 *
 * Invariants: a session gets every retained event after its cursor, in order and once, then live ones; absence and
 * loss are told only after the leader has confirmed them; a slow session costs no memory: it falls back to the log.
 */
import { TaskstreamError, type EventReader, type EventStream } from '@taskstream/core';
import { isTerminal } from '@taskstream/protocol';
import type { Broker } from './broker.js';
import { Feed, type FeedObserver } from './feed.js';
import { HubSession, sealed, type Source } from './hub-session.js';
import { addressOf, type LogReads, type TaskAddress } from './log-reads.js';
import { isNatsFault } from './nats-errors.js';
import type { StoreOptions } from './options.js';
import { SharedReads } from './shared-reads.js';
import type { StoredPack } from './stored-pack.js';
import { whileUnavailable } from './waiting.js';

const TICK_MS = 250;

export class HubReader implements EventReader {
  readonly #broker: Broker;
  readonly #reads: LogReads;
  readonly #options: StoreOptions;
  readonly #observer: FeedObserver;
  readonly #feeds = new Map<string, Feed>();
  readonly #finding = new SharedReads<Feed | StoredPack>();
  readonly #timer: NodeJS.Timeout;
  readonly #off: () => void;
  readonly #barriers = new Map<string, Promise<void>>();

  constructor(broker: Broker, reads: LogReads, options: StoreOptions, observer: FeedObserver) {
    this.#broker = broker;
    this.#reads = reads;
    this.#options = options;
    this.#observer = observer;
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
    this.#timer.unref();
    this.#off = broker.onDisturbance(() => {
      for (const feed of this.#feeds.values()) void feed.check(true);
    });
  }

  /** Followed tasks. */
  get feeds(): number {
    return this.#feeds.size;
  }

  close(): void {
    clearInterval(this.#timer);
    this.#off();
    for (const feed of this.#feeds.values()) feed.stop();
    this.#feeds.clear();
  }

  /** The feed of a task that is followed here, when its log is known. */
  peek(taskId: string): { last: StoredPack } | undefined {
    const feed = this.#feeds.get(taskId);
    return feed?.last === undefined || feed.failure !== undefined ? undefined : { last: feed.last };
  }

  /** The log of a task was removed up to a stream sequence: its readers here learn what that means for them. */
  forget(taskId: string, streamSeq: number): void {
    const feed = this.#feeds.get(taskId);
    if (feed?.last === undefined || feed.last.streamSeq > streamSeq) return;
    feed.purged();
    this.#feeds.delete(taskId);
  }

  async open(taskId: string, after: number | undefined): Promise<EventStream> {
    const at = addressOf(taskId);
    const source = await this.#source(at);
    if (source === undefined) throw new TaskstreamError('unknown_task', 'The task has no events');
    const session = new HubSession(at, source, after, this.#reads, this.#options);
    try {
      await session.start();
    } catch (error) {
      session.close('rotated');
      throw error;
    }
    return session;
  }

  async #source(at: TaskAddress): Promise<Source | undefined> {
    const feed = this.#feeds.get(at.taskId);
    if (feed !== undefined && !feed.expired && feed.failure === undefined) return this.#lend(feed);
    const found = await this.#finding.get(at.taskId, () => this.#find(at));
    return found instanceof Feed ? this.#lend(found) : found && sealed(found);
  }

  /** A feed for a live task; for one that is over, its last pack is enough. */
  async #find(at: TaskAddress): Promise<Feed | StoredPack | undefined> {
    const direct = await this.#reads.directTail(at);
    if (direct !== undefined && isTerminal(direct.status)) return direct;
    if (direct === undefined && (await this.#reads.leaderTail(at)) === undefined) return undefined;
    return this.#join(at);
  }

  async #join(at: TaskAddress): Promise<Feed | undefined> {
    const feed = new Feed(
      at,
      this.#broker,
      this.#reads,
      this.#options,
      this.#observer,
      () => Math.min(this.#options.feedRingBytesMax, this.#options.feedRingsBytesMax / Math.max(1, this.#feeds.size)),
      (address) => this.#barrier(address),
    );
    try {
      if (!(await feed.join())) return undefined;
    } catch (error) {
      feed.stop();
      throw error;
    }
    feed.idleSince = performance.now();
    this.#feeds.set(at.taskId, feed);
    return feed;
  }

  /**
   * Returns after every subscription that was made before has reached the stream's leader: a publish that the leader
   * refuses travels the same way. A barrier that has not been sent yet serves all that wait for it.
   */
  #barrier(at: TaskAddress): Promise<void> {
    let barrier = this.#barriers.get(at.stream);
    if (barrier === undefined) {
      barrier = (async () => {
        await Promise.resolve();
        this.#barriers.delete(at.stream);
        await whileUnavailable(`joining ${at.stream}`, this.#options.readRetryMsMax, async () => {
          try {
            await this.#broker.js.publish(at.evt, undefined, {
              timeout: this.#options.publishTimeoutMs,
              expect: { streamName: `${at.stream}_BARRIER` },
            });
          } catch (error) {
            if (!isNatsFault(error, 'wrong_stream')) throw error;
          }
        });
      })();
      this.#barriers.set(at.stream, barrier);
    }
    return barrier;
  }

  #lend(feed: Feed): Source {
    feed.readers++;
    let returned = false;
    return {
      feed,
      release: () => {
        if (returned) return;
        returned = true;
        feed.readers--;
        feed.idleSince = performance.now();
      },
    };
  }

  #tick(): void {
    const now = performance.now();
    for (const [taskId, feed] of this.#feeds) {
      if (feed.readers === 0 && now - feed.idleSince >= this.#options.feedLingerMs) {
        feed.stop();
        this.#feeds.delete(taskId);
      } else if (feed.checkDue(now)) {
        void feed.check(false);
      }
    }
  }
}
