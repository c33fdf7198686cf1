/**
 * Tasks for workers: read what is to be tried, take a log over, follow its mailbox.
 *
 * Invariant: a takeover is one compare-and-set on the tail that was read; whoever loses it reads again.
 */
import type {
  AttemptLog,
  AttemptStart,
  AttemptState,
  AttemptStore,
  MailboxCommand,
  MailboxEntry,
  Suspension,
  Tail,
  TaskSpec,
} from '@taskstream/core';
import { TaskstreamError } from '@taskstream/core';
import type { StatusPayload } from '@taskstream/protocol';
import { nanoid } from 'nanoid';
import { Appender } from './appender.js';
import { JetStreamAttemptLog } from './attempt-log.js';
import { JetStreamAttemptState } from './attempt-state.js';
import { addressOf, type LeaderTail } from './log-reads.js';
import { latestStatus } from './status-reads.js';
import { readSuspension } from './suspension.js';
import type { StoreParts } from './task-store.js';

/** A tail with what only this library may know about it. */
interface ReadTail extends Tail {
  readonly leaderTail: LeaderTail;
}

export class JetStreamAttemptStore implements AttemptStore {
  readonly #parts: StoreParts;

  constructor(parts: StoreParts) {
    this.#parts = parts;
  }

  readSpec(taskId: string): Promise<TaskSpec | undefined> {
    return this.#parts.specs.read(addressOf(taskId));
  }

  async readTail(taskId: string): Promise<ReadTail | undefined> {
    const leaderTail = await this.#parts.reads.leaderTail(addressOf(taskId));
    if (leaderTail === undefined) return undefined;
    const { pack } = leaderTail;
    return {
      status: pack.status,
      attempt: pack.attempt,
      runningItem: pack.runningItem,
      runningDelivery: pack.runningDelivery,
      failures: pack.failures,
      handedOver: pack.handedOver,
      suspended: pack.suspended,
      taken: pack.taken,
      nextSeq: pack.firstSeq + pack.count,
      leaderTail,
    };
  }

  async beginAttempt(spec: TaskSpec, tail: Tail, start: AttemptStart): Promise<AttemptLog> {
    const log = await this.#log(spec, tail, start);
    await log.begin({ attempt: start.attempt, worker: start.worker, cause: start.cause });
    return log;
  }

  async failTask(spec: TaskSpec, tail: Tail, status: StatusPayload): Promise<void> {
    const log = await this.#log(spec, tail, {
      attempt: tail.attempt,
      failures: tail.failures,
      itemId: '',
      delivery: 0,
      worker: 'worker',
      cause: 'lease_lost',
    });
    await log.appendStatus(status);
  }

  readSuspension(taskId: string): Promise<Suspension | undefined> {
    return readSuspension(this.#parts, addressOf(taskId));
  }

  openState(taskId: string, attempt: number): AttemptState {
    return new JetStreamAttemptState(this.#parts, addressOf(taskId), attempt);
  }

  followMailbox(
    taskId: string,
    onCommand: (command: MailboxCommand, entry: MailboxEntry) => void,
    signal: AbortSignal,
  ): Promise<void> {
    return this.#parts.mailbox.follow(addressOf(taskId), onCommand, signal);
  }

  async #log(spec: TaskSpec, tail: Tail, start: AttemptStart): Promise<JetStreamAttemptLog> {
    const { broker, reads, options, observer, fill } = this.#parts;
    const at = addressOf(spec.taskId);
    if (!isReadTail(tail)) throw new TypeError('the tail must come from readTail of the same store');
    const { leaderTail } = tail;
    const status = (await latestStatus(reads, at, leaderTail.pack))?.payload ?? { status: tail.status };
    if (status.status !== tail.status) {
      throw new TaskstreamError('log_unavailable', `The latest status event of ${spec.taskId} is missing from the log`);
    }
    return new JetStreamAttemptLog(
      {
        spec,
        at,
        attempt: start.attempt,
        failures: start.failures,
        itemId: start.itemId,
        delivery: start.delivery,
        worker: start.worker,
        nextSeq: tail.nextSeq,
        taken: tail.taken,
        status,
        statusAt: leaderTail.pack.statusAt,
        nonce: nanoid(),
      },
      new Appender(broker, reads, options, at, leaderTail.expected, observer),
      reads,
      options,
      () => fill.admits('event', at.stream),
      observer.limitHit,
    );
  }
}

function isReadTail(tail: Tail): tail is ReadTail {
  return 'leaderTail' in tail;
}
