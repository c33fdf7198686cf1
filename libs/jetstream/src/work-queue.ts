/**
 * The work queue: one item a task, leased to one worker at a time.
 *
 * Invariants: the server refuses a second item of the same task; an item is extended, given back or removed only while
 * connected, and given back only within its lease, because what is sent late would act on somebody else's.
 */
import type { ClaimedItem, TaskSpec, WorkQueue } from '@taskstream/core';
import { parseTaskId, TaskstreamError } from '@taskstream/core';
import type { Consumer, JsMsg } from '@nats-io/jetstream';
import type { Broker } from './broker.js';
import { queueConsumer, WORK_STREAM, workSubject, workTaskId } from './names.js';
import { isNatsFault } from './nats-errors.js';
import type { StoreOptions } from './options.js';
import { provisionQueue } from './provision.js';
import { sleepOrAbort, whileUnavailable } from './waiting.js';

/** Publishes the item of a task. Resolves also when the item is there already. @throws TaskstreamError log_unavailable, stream_full */
export async function publishWorkItem(broker: Broker, options: StoreOptions, spec: TaskSpec): Promise<void> {
  await whileUnavailable(`queueing ${spec.taskId}`, options.publishRetryMsMax, async () => {
    try {
      await broker.js.publish(workSubject(spec), undefined, { timeout: options.publishTimeoutMs });
    } catch (error) {
      if (isNatsFault(error, 'subject_taken')) return;
      if (!isNatsFault(error, 'stream_full')) throw error;
      throw new TaskstreamError('stream_full', `The stream ${WORK_STREAM} is full`, { cause: error });
    }
  });
}

export class JetStreamWorkQueue implements WorkQueue {
  readonly #broker: Broker;
  readonly #options: StoreOptions;
  readonly #consumers = new Map<string, Promise<Consumer>>();
  readonly #onForeign: (subject: string, streamSeq: number) => void;

  constructor(broker: Broker, options: StoreOptions, onForeign: (subject: string, streamSeq: number) => void) {
    this.#broker = broker;
    this.#options = options;
    this.#onForeign = onForeign;
  }

  async pull(queue: string, count: number, onItem: (item: ClaimedItem) => void, signal: AbortSignal): Promise<void> {
    if (signal.aborted || count <= 0) return;
    try {
      const consumer = await this.#consumer(queue);
      if (signal.aborted) return;
      const messages = await consumer.fetch({ max_messages: count, expires: this.#options.claimMsMax });
      const stop = () => messages.stop();
      signal.addEventListener('abort', stop);
      if (signal.aborted) stop();
      // A restarted server knows nothing of the pulls that waited at it.
      const off = this.#broker.onDisturbance(stop);
      try {
        for await (const m of messages) {
          const item = this.#item(m);
          if (item !== undefined) onItem(item);
        }
      } finally {
        signal.removeEventListener('abort', stop);
        off();
      }
    } catch (error) {
      this.#consumers.delete(queue);
      throw error;
    }
  }

  #consumer(queue: string): Promise<Consumer> {
    let consumer = this.#consumers.get(queue);
    if (consumer === undefined) {
      consumer = provisionQueue(this.#broker, this.#options, queue).then(() =>
        this.#broker.js.consumers.get(WORK_STREAM, queueConsumer(queue)),
      );
      this.#consumers.set(queue, consumer);
    }
    return consumer;
  }

  #item(m: JsMsg): ClaimedItem | undefined {
    const taskId = workTaskId(m.subject);
    if (parseTaskId(taskId) === undefined) {
      this.#onForeign(m.subject, m.seq);
      m.term('not a work item');
      return undefined;
    }
    const broker = this.#broker;
    const { leaseMs } = this.#options;
    let leasedAtMs = performance.now();
    const whenConnected = async (send: () => unknown) => {
      for (let i = 0; !broker.connected && i < 300; i++) await sleepOrAbort(100, NEVER);
      if (broker.connected) await send();
    };
    return {
      itemId: String(m.seq),
      delivery: m.info.deliveryCount,
      taskId,
      queuedAtMs: Number(m.timestampNanos / 1_000_000n),
      extend: () => {
        if (!broker.connected) return false;
        m.working();
        leasedAtMs = performance.now();
        return true;
      },
      ack: () => whenConnected(() => m.ackAck({ timeout: this.#options.readTimeoutMs })),
      nak: (delayMs) =>
        whenConnected(() => {
          if (performance.now() - leasedAtMs < leaseMs) m.nak(delayMs);
        }),
      term: (reason) => whenConnected(() => m.term(reason)),
    };
  }
}

const NEVER = new AbortController().signal;
