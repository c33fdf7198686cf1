/**
 * The one writer of a log: compare-and-set appends, one at a time, that survive lost acks and elections.
 *
 * Invariants: a pack lands once or its writer learns that it is fenced; the same bytes are sent again, never others,
 * until the answer is known; after `fenced` nothing is ever written again; the expectation always names the last
 * message that this writer knows to be its own predecessor.
 */
import { TaskstreamError, type LimitHit } from '@taskstream/core';
import type { Broker } from './broker.js';
import type { LeaderTail, LogReads, TaskAddress } from './log-reads.js';
import { classifyNatsError } from './nats-errors.js';
import type { StoreOptions } from './options.js';
import { encodeHead, type PackHead } from './stored-pack.js';
import { sleep } from './waiting.js';

/** Counts of what happened to a writer's packs, for metrics. */
export interface AppendObserver {
  /** A limit kept something back, by its key among the options; `slowed`: it only waits, or goes behind others. */
  readonly limitHit: LimitHit;
  packAppended(events: number, bytes: number, ackMs: number, taskId: string): void;
  appendRetried(why: 'transient' | 'unavailable' | 'deposed_leader'): void;
  lostAckResolved(): void;
  writerFenced(): void;
  /** A writer gave up for another reason than being fenced; `code` of the error. */
  appendFailed(code: string): void;
}

export class Appender {
  readonly #broker: Broker;
  readonly #reads: LogReads;
  readonly #options: StoreOptions;
  readonly #at: TaskAddress;
  readonly #observer: AppendObserver;
  /** Stream sequence that the next append expects. */
  #expected: number;
  #closed: TaskstreamError | undefined;

  constructor(
    broker: Broker,
    reads: LogReads,
    options: StoreOptions,
    at: TaskAddress,
    expected: number,
    observer: AppendObserver,
  ) {
    this.#broker = broker;
    this.#reads = reads;
    this.#options = options;
    this.#at = at;
    this.#expected = expected;
    this.#observer = observer;
  }

  get closed(): TaskstreamError | undefined {
    return this.#closed;
  }

  /**
   * Appends one pack and resolves with its stream sequence.
   * @throws TaskstreamError fenced, data_lost, stream_full, payload_too_large, log_unavailable
   */
  async append(head: PackHead, data: Uint8Array): Promise<number> {
    if (this.#closed !== undefined) throw this.#closed;
    const startedAt = performance.now();
    const deadline = startedAt + this.#options.publishRetryMsMax;
    for (let waitMs = 10; ;) {
      try {
        const ack = await this.#broker.js.publish(this.#at.evt, data, {
          headers: encodeHead(head),
          timeout: this.#options.publishTimeoutMs,
          expect: { lastSubjectSequence: this.#expected },
        });
        return this.#landed(ack.seq, ack.seq, head, data, startedAt);
      } catch (error) {
        const fault = classifyNatsError(error);
        if (fault === 'wrong_last') {
          const landed = await this.#resolve(head, deadline);
          if (landed !== undefined) {
            this.#observer.lostAckResolved();
            // A foreign message may lie above it.
            return this.#landed(landed.pack.streamSeq, landed.expected, head, data, startedAt);
          }
        } else if (fault === 'transient') {
          this.#observer.appendRetried('transient');
          await sleep(1 + Math.random() * 4);
        } else if (fault === 'unavailable') {
          this.#observer.appendRetried('unavailable');
          await sleep(waitMs);
          waitMs = Math.min(waitMs * 2, 250);
        } else {
          throw this.#close(this.#fatal(fault, error));
        }
        if (performance.now() > deadline) {
          throw this.#close(
            new TaskstreamError(
              'log_unavailable',
              `No append to ${this.#at.taskId} for ${this.#options.publishRetryMsMax} ms`,
              {
                cause: error,
              },
            ),
          );
        }
      }
    }
  }

  /** After a failed compare-and-set: where the pack has landed all the same, or undefined to send it again. */
  async #resolve(head: PackHead, deadline: number): Promise<LeaderTail | undefined> {
    for (;;) {
      const above = await this.#reads.above(this.#at, this.#expected, head.writeId);
      if (above?.pack !== undefined) {
        const { pack, expected } = above;
        if (pack.writeId === head.writeId) return { pack, expected };
        this.#observer.writerFenced();
        throw this.#close(
          new TaskstreamError('fenced', `Attempt ${head.attempt} of ${this.#at.taskId} is no longer the writer`, {
            details: { attempt: head.attempt, byAttempt: pack.attempt },
          }),
        );
      }
      if (above !== undefined) {
        // Only foreign messages: they count for the expectation and for nothing else.
        this.#expected = above.expected;
        return undefined;
      }
      const tail = await this.#reads.leaderTail(this.#at);
      this.#observer.appendRetried('deposed_leader');
      if ((tail?.expected ?? 0) >= this.#expected) {
        await sleep(1 + Math.random() * 4);
        return undefined;
      }
      if (tail === undefined && (await this.#reads.isRemoved(this.#at, this.#expected))) {
        this.#observer.writerFenced();
        throw this.#close(
          new TaskstreamError('fenced', `The task ${this.#at.taskId} was deleted`, {
            details: { attempt: head.attempt },
          }),
        );
      }
      // Below what was acknowledged: a deposed leader answered, or acknowledged data are gone.
      if (performance.now() > deadline) {
        throw this.#close(
          new TaskstreamError(
            'data_lost',
            `The log of ${this.#at.taskId} ends at stream sequence ${tail?.expected ?? 0}, below the acknowledged ${this.#expected}`,
          ),
        );
      }
      await sleep(100);
    }
  }

  #landed(streamSeq: number, expected: number, head: PackHead, data: Uint8Array, startedAt: number): number {
    this.#expected = expected;
    this.#observer.packAppended(head.count, data.byteLength, performance.now() - startedAt, this.#at.taskId);
    return streamSeq;
  }

  #fatal(fault: string, error: unknown): TaskstreamError {
    const why = error instanceof Error ? error.message : String(error);
    switch (fault) {
      case 'stream_full':
        return new TaskstreamError('stream_full', `The stream ${this.#at.stream} is full`, { cause: error });
      case 'too_large':
        return new TaskstreamError('payload_too_large', `A pack of ${this.#at.taskId} is too large: ${why}`, {
          cause: error,
        });
      default:
        return new TaskstreamError('log_unavailable', `Appending to ${this.#at.taskId} failed: ${why}`, {
          cause: error,
        });
    }
  }

  #close(error: TaskstreamError): TaskstreamError {
    if (error.code !== 'fenced') this.#observer.appendFailed(error.code);
    this.#closed = error;
    return error;
  }
}
