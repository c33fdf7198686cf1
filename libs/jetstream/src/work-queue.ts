/**
 * The work queue: one item a task, leased to one worker at a time.
 *
 * Invariants: the server refuses a second item of the same task; an item is extended, given back or removed only while
 * connected, and given back only within its lease, because what is sent late would act on somebody else's; that nobody
 * answers an ack is no fault of the item's.
 */
import type { ClaimedItem, TaskSpec, WorkQueue } from '@taskstream/core';
import { isTaskstreamError, parseTaskId, TaskstreamError } from '@taskstream/core';
import type { Broker } from './broker.js';
import type { LeaseKeeper } from './lease-keeper.js';
import type { LeasedMessage } from './leased-message.js';
import { queueConsumers, WORK_STREAM, workSubject, workTaskId } from './names.js';
import { isNatsFault } from './nats-errors.js';
import type { StoreOptions } from './options.js';
import { provisionQueue } from './provision.js';
import { QueueLines } from './queue-lines.js';
import type { RunningLimits } from './running-limits.js';
import { sleepOrAbort, whileUnavailable } from './waiting.js';

/** An answer is waited for so long at the least, though the lease is nearly over. */
const ACK_MS_MIN = 50;

/** Publishes the item of a task. Resolves with false when an item is there already. @throws TaskstreamError log_unavailable, stream_full */
export async function publishWorkItem(broker: Broker, options: StoreOptions, spec: TaskSpec): Promise<boolean> {
  return whileUnavailable(`queueing ${spec.taskId}`, options.publishRetryMsMax, async () => {
    try {
      await broker.js.publish(workSubject(spec), undefined, { timeout: options.publishTimeoutMs });
      return true;
    } catch (error) {
      if (isNatsFault(error, 'subject_taken')) return false;
      if (!isNatsFault(error, 'stream_full')) throw error;
      throw new TaskstreamError('stream_full', `The stream ${WORK_STREAM} is full`, { cause: error });
    }
  });
}

/** Whether a message of the work stream is there, and an item of the task. */
async function isQueued(broker: Broker, options: StoreOptions, taskId: string, itemId: string): Promise<boolean> {
  return whileUnavailable(`looking for an item of ${taskId}`, options.readRetryMsMax, async () => {
    try {
      const m = await broker.jsm.streams.getMessage(WORK_STREAM, { seq: Number(itemId) });
      return m !== null && workTaskId(m.subject) === taskId;
    } catch (error) {
      if (isNatsFault(error, 'not_found')) return false;
      throw error;
    }
  });
}

export class JetStreamWorkQueue implements WorkQueue {
  readonly #broker: Broker;
  readonly #options: StoreOptions;
  readonly #limits: RunningLimits;
  readonly #keeper: LeaseKeeper | undefined;
  readonly #queues = new Map<string, QueueLines>();
  readonly #onForeign: (subject: string, streamSeq: number) => void;

  constructor(
    broker: Broker,
    options: StoreOptions,
    limits: RunningLimits,
    keeper: LeaseKeeper | undefined,
    onForeign: (subject: string, streamSeq: number) => void,
  ) {
    this.#broker = broker;
    this.#options = options;
    this.#limits = limits;
    this.#keeper = keeper;
    this.#onForeign = onForeign;
  }

  async pull(queue: string, count: number, onItem: (item: ClaimedItem) => void, signal: AbortSignal): Promise<void> {
    await this.#lines(queue).claim(
      count,
      (m) => {
        const item = this.#item(m);
        if (item !== undefined) onItem(item);
      },
      signal,
    );
  }

  #lines(queue: string): QueueLines {
    let lines = this.#queues.get(queue);
    if (lines === undefined) {
      const prepare = () => provisionQueue(this.#broker, this.#options, queue);
      lines = new QueueLines(this.#broker, this.#options, queueConsumers(queue), prepare);
      this.#queues.set(queue, lines);
    }
    return lines;
  }

  #item(m: LeasedMessage): ClaimedItem | undefined {
    const taskId = workTaskId(m.subject);
    if (parseTaskId(taskId) === undefined) {
      this.#onForeign(m.subject, m.streamSeq);
      m.term('not a work item');
      return undefined;
    }
    const broker = this.#broker;
    const { leaseMs } = this.#options;
    const keeper = this.#keeper;
    keeper?.keep(m.ackSubject, taskId);
    let leasedAtMs = performance.now();
    const whenConnected = async (send: () => unknown) => {
      for (let i = 0; !broker.connected && i < 300; i++) await sleepOrAbort(100, NEVER);
      if (broker.connected) await send();
    };
    const leftMs = () => leasedAtMs + leaseMs - performance.now();
    // Not heard by the end of the lease: the item comes back, and whoever gets it sees what its log says.
    const ack = async () => {
      const timeoutMs = () => Math.max(ACK_MS_MIN, Math.min(this.#options.readTimeoutMs, leftMs()));
      await whileUnavailable(`removing an item of ${m.subject}`, leftMs(), () => m.ack(timeoutMs())).catch(
        (error: unknown) => {
          if (!isTaskstreamError(error, 'log_unavailable') && !isNatsFault(error, 'closed')) throw error;
        },
      );
    };
    return {
      itemId: String(m.streamSeq),
      delivery: m.delivery,
      taskId,
      queuedAtMs: m.storedAtMs,
      extend: () => {
        if (!broker.connected) return false;
        m.extend();
        leasedAtMs = performance.now();
        return true;
      },
      ack: () => whenConnected(ack),
      ackInTime: () =>
        whenConnected(async () => {
          if (leftMs() > 0) await ack();
        }),
      nak: (delayMs) =>
        whenConnected(() => {
          if (leftMs() > 0) m.nak(delayMs);
        }),
      term: (reason) => whenConnected(() => m.term(reason)),
      forget: () => keeper?.release(m.ackSubject),
      isThere: (itemId) => isQueued(this.#broker, this.#options, taskId, itemId),
      enter: (limits) => this.#limits.enter(taskId, limits),
      leave: (limits) => this.#limits.leave(taskId, limits),
    };
  }
}

const NEVER = new AbortController().signal;
