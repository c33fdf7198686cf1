/**
 * Tasks for front ends: create, read, cancel, delete, send commands.
 *
 * Invariants: a task exists once its spec and its first event are durable, and a work item is queued before the
 * client hears of it; a status is never reported below what this node has seen; only creation writes a first event.
 */
import {
  isExpired,
  isTaskstreamError,
  takeCommand,
  TaskstreamError,
  type AttemptLog,
  type EventDraft,
  type MailboxCommand,
  type Taken,
  type TaskSnapshot,
  type TaskSpec,
  type TaskStore,
} from '@taskstream/core';
import { isTerminal } from '@taskstream/protocol';
import { nanoid } from 'nanoid';
import { headers } from '@nats-io/transport-node';
import type { AppendObserver } from './appender.js';
import type { Broker } from './broker.js';
import { bystanderLog } from './bystander-log.js';
import { announceDeletion } from './deletions.js';
import type { HubReader } from './hub-reader.js';
import { addressOf, type LeaderTail, type LogReads, type TaskAddress } from './log-reads.js';
import type { Mailbox } from './mailbox.js';
import { FORMAT_VERSION, Header, specSubject } from './names.js';
import { classifyNatsError } from './nats-errors.js';
import type { StoreOptions } from './options.js';
import { placeInLine } from './placement.js';
import type { SpecReads } from './spec-reads.js';
import { latestStatus } from './status-reads.js';
import type { StoredPack } from './stored-pack.js';
import type { StreamFill } from './stream-fill.js';
import { purgeTask } from './task-purge.js';
import { wake } from './suspension.js';
import { sleep } from './waiting.js';
import { publishWorkItem } from './work-queue.js';

export interface StoreParts {
  readonly broker: Broker;
  readonly options: StoreOptions;
  readonly reads: LogReads;
  readonly specs: SpecReads;
  readonly mailbox: Mailbox;
  readonly fill: StreamFill;
  readonly observer: AppendObserver;
  /** Tells of a message that is not ours. */
  readonly onForeign: (subject: string, streamSeq: number) => void;
}

/** Who writes when a front end does: no attempt, no worker. */
const FRONT_END = 'front-end';
/** Compare-and-sets against a running attempt before a cancel gives up. */
const CANCEL_TRIES_MAX = 50;

export class JetStreamTaskStore implements TaskStore {
  readonly #parts: StoreParts;
  readonly #hub: HubReader;

  constructor(parts: StoreParts, hub: HubReader) {
    this.#parts = parts;
    this.#hub = hub;
  }

  async create(spec: TaskSpec): Promise<boolean> {
    const at = addressOf(spec.taskId);
    if (!this.#parts.fill.admits('creation', at.stream)) {
      throw new TaskstreamError('stream_full', `The stream ${at.stream} takes no new tasks`);
    }
    const { broker, reads, options, specs, observer } = this.#parts;
    const placed = await placeInLine(broker, reads, options, spec, observer.limitHit);
    const [created] = await Promise.all([this.#putSpec(at, placed), this.#putFirstEvent(at, placed)]);
    // Where the first try placed it, so that its item is found instead of a second one made.
    const stored = created ? placed : ((await specs.readFresh(at))?.spec ?? placed);
    try {
      await publishWorkItem(broker, options, stored);
    } catch (error) {
      await this.#giveUp(at, spec, error);
      throw error;
    }
    return created;
  }

  async readSpec(taskId: string): Promise<TaskSpec | undefined> {
    return this.#parts.specs.read(addressOf(taskId));
  }

  async read(taskId: string): Promise<TaskSnapshot | undefined> {
    const at = addressOf(taskId);
    const spec = await this.#parts.specs.read(at);
    if (spec === undefined || isExpired(Date.parse(spec.createdAt), spec.ttlMs, Date.now())) return undefined;
    const last = await this.#lastPack(at);
    if (last === undefined) return undefined;
    const status = await latestStatus(this.#parts.reads, at, last);
    if (status === undefined) return undefined;
    return {
      spec,
      status: status.payload,
      statusUpdatedAt: status.at,
      nextSeq: last.firstSeq + last.count,
      paused: last.taken.paused,
    };
  }

  async cancel(taskId: string, reason?: string): Promise<void> {
    const at = addressOf(taskId);
    const spec = await this.#parts.specs.read(at);
    if (spec === undefined) throw new TaskstreamError('unknown_task', 'No such task');
    let sent = false;
    for (let tries = 0; tries < CANCEL_TRIES_MAX; tries++) {
      const tail = await this.#parts.reads.leaderTail(at);
      if (tail === undefined) throw new TaskstreamError('unknown_task', 'No such task');
      if (isTerminal(tail.pack.status)) return;
      if (tail.pack.runningItem !== undefined) {
        if (sent) return;
        try {
          await this.send(taskId, { type: 'cancel', ...(reason !== undefined && { reason }) });
        } catch (error) {
          if (!isTaskstreamError(error, 'mailbox_full')) throw error;
          return this.cancelNow(taskId, reason);
        }
        // The attempt may have ended meanwhile without having heard: then nobody reads the mailbox for now.
        sent = true;
        continue;
      }
      const status = { status: 'cancelled' as const, statusMessage: reason ?? 'Cancelled before an attempt ran' };
      try {
        return await this.#logFrom(at, spec, tail).appendStatus(status);
      } catch (error) {
        // Somebody has written meanwhile, perhaps a worker that has started: look again.
        if (!isTaskstreamError(error, 'fenced')) throw error;
      }
    }
    return this.cancelNow(taskId, reason);
  }

  async cancelNow(taskId: string, reason?: string): Promise<void> {
    const at = addressOf(taskId);
    const spec = await this.#parts.specs.read(at);
    for (let tries = 0; spec !== undefined && tries < CANCEL_TRIES_MAX; tries++) {
      const tail = await this.#parts.reads.leaderTail(at);
      if (tail === undefined || isTerminal(tail.pack.status)) return;
      try {
        return await this.#logFrom(at, spec, tail).appendStatus({
          status: 'cancelled',
          statusMessage: reason ?? 'Cancelled by request',
        });
      } catch (error) {
        // The running attempt appended meanwhile: try again above it.
        if (!isTaskstreamError(error, 'fenced')) throw error;
      }
    }
    throw new TaskstreamError('log_unavailable', `The task ${taskId} writes too fast to be fenced`);
  }

  async delete(taskId: string): Promise<void> {
    const { broker, options, reads, specs } = this.#parts;
    const at = addressOf(taskId);
    const spec = await specs.read(at);
    if (spec === undefined) throw new TaskstreamError('unknown_task', 'No such task');
    await this.cancelNow(taskId, 'Deleted by its owner');
    const tail = await reads.leaderTail(at);
    await purgeTask(broker, options, at);
    const streamSeq = tail?.expected ?? 0;
    specs.forget(taskId);
    this.#hub.forget(taskId, streamSeq);
    await announceDeletion(broker, { taskId, streamSeq });
  }

  async send(taskId: string, command: MailboxCommand): Promise<void> {
    const at = addressOf(taskId);
    await this.#parts.mailbox.send(at, command);
    if (command.type === 'input') await wake(this.#parts, at);
    else if (command.type !== 'cancel') await this.#tellUnlessRunning(at);
  }

  /** Tells in the log of what is new in the mailbox, unless an attempt runs that does so, or the task is over. */
  async #tellUnlessRunning(at: TaskAddress): Promise<void> {
    const spec = await this.#parts.specs.read(at);
    for (let tries = 0; spec !== undefined && tries < CANCEL_TRIES_MAX; tries++) {
      const tail = await this.#parts.reads.leaderTail(at);
      if (tail === undefined || isTerminal(tail.pack.status) || tail.pack.runningItem !== undefined) return;
      const news: Array<{ event: EventDraft; taken: Taken }> = [];
      await this.#parts.mailbox.read(at, (command, entry) => {
        const next = takeCommand(news.at(-1)?.taken ?? tail.pack.taken, command, entry);
        if (next !== undefined) news.push(next);
      });
      if (news.length === 0) return;
      const log = this.#logFrom(at, spec, tail);
      try {
        await Promise.all(news.map(({ event, taken }) => log.appendTaken(event, taken)));
        return;
      } catch (error) {
        // Somebody has written meanwhile, perhaps a worker that has started: look again.
        if (!isTaskstreamError(error, 'fenced')) throw error;
      }
    }
  }

  /** Feed, then a replica when it says that all is over, then the leader. A task that is over may have been removed. */
  async #lastPack(at: TaskAddress): Promise<StoredPack | undefined> {
    const followed = this.#hub.peek(at.taskId);
    if (followed !== undefined && !isTerminal(followed.last.status)) return followed.last;
    const direct = await this.#parts.reads.directTail(at);
    if (direct !== undefined && isTerminal(direct.status)) return direct;
    return (await this.#parts.reads.leaderTail(at))?.pack;
  }

  /** Resolves with false when the same task exists already. @throws TaskstreamError idempotency_conflict */
  async #putSpec(at: TaskAddress, spec: TaskSpec): Promise<boolean> {
    const { broker, options } = this.#parts;
    const data = JSON.stringify(spec);
    const writeId = nanoid();
    const deadline = performance.now() + options.publishRetryMsMax;
    for (;;) {
      const h = headers();
      h.set(Header.version, FORMAT_VERSION);
      h.set(Header.write, writeId);
      try {
        await broker.js.publish(specSubject(at.place, at.taskId), data, {
          headers: h,
          timeout: options.publishTimeoutMs,
          expect: { lastSubjectSequence: 0 },
        });
        return true;
      } catch (error) {
        const fault = classifyNatsError(error);
        if (fault === 'wrong_last') {
          const there = await this.#parts.specs.readFresh(at);
          if (there?.writeId === writeId) return true;
          if (there !== undefined && there.spec.requestDigest === spec.requestDigest) return false;
          throw new TaskstreamError('idempotency_conflict', 'The idempotency key was used for another call', {
            cause: error,
          });
        }
        if (fault === 'stream_full')
          throw new TaskstreamError('stream_full', `The stream ${at.stream} is full`, { cause: error });
        if (fault === 'too_large') {
          throw new TaskstreamError('payload_too_large', `The arguments of ${spec.tool} are too large to store`, {
            cause: error,
          });
        }
        if (fault !== 'transient' && fault !== 'unavailable') throw error;
        if (performance.now() > deadline) {
          throw new TaskstreamError('log_unavailable', `Creating a task in ${at.stream} got no answer`, {
            cause: error,
          });
        }
        await sleep(fault === 'unavailable' ? 50 : 1 + Math.random() * 4);
      }
    }
  }

  async #putFirstEvent(at: TaskAddress, spec: TaskSpec): Promise<void> {
    try {
      await this.#logFrom(at, spec, undefined).appendStatus({ status: 'working' });
    } catch (error) {
      // A retried creation finds the first event of the first try.
      if (!isTaskstreamError(error, 'fenced')) throw error;
    }
  }

  async #giveUp(at: TaskAddress, spec: TaskSpec, cause: unknown): Promise<void> {
    const tail = await this.#parts.reads.leaderTail(at).catch(() => undefined);
    if (tail === undefined || tail.pack.attempt > 0) return;
    const message = 'The task could not be queued';
    await this.#logFrom(at, spec, tail)
      .appendStatus({ status: 'failed', statusMessage: message, error: { code: -32603, message } })
      .catch((error: unknown) => {
        throw new AggregateError([cause, error], `${message} and could not be ended`);
      });
  }

  #logFrom(at: TaskAddress, spec: TaskSpec, tail: LeaderTail | undefined): AttemptLog {
    return bystanderLog(this.#parts, at, spec, tail, FRONT_END);
  }
}
