/**
 * The log of a task in the hands of somebody who runs no attempt: a front end, a sweep.
 *
 * Invariant: it keeps the attempt's number and what the one before left behind; what it appends ends whatever ran.
 */
import { NOTHING_TAKEN, type TaskSpec } from '@taskstream/core';
import { nanoid } from 'nanoid';
import { Appender, type AppendObserver } from './appender.js';
import { JetStreamAttemptLog } from './attempt-log.js';
import type { Broker } from './broker.js';
import type { LeaderTail, LogReads, TaskAddress } from './log-reads.js';
import type { StoreOptions } from './options.js';

export interface LogParts {
  readonly broker: Broker;
  readonly options: StoreOptions;
  readonly reads: LogReads;
  readonly observer: AppendObserver;
}

/** `who` is named in the events. Without a tail it begins the log. */
export function bystanderLog(
  { broker, options, reads, observer }: LogParts,
  at: TaskAddress,
  spec: TaskSpec,
  tail: LeaderTail | undefined,
  who: string,
): JetStreamAttemptLog {
  return new JetStreamAttemptLog(
    {
      spec,
      at,
      attempt: tail?.pack.attempt ?? 0,
      failures: tail?.pack.failures ?? 0,
      itemId: undefined,
      delivery: 0,
      worker: who,
      nextSeq: tail === undefined ? 0 : tail.pack.firstSeq + tail.pack.count,
      taken: tail?.pack.taken ?? NOTHING_TAKEN,
      handedOver: tail?.pack.handedOver ?? false,
      suspended: tail?.pack.suspended ?? false,
      status: { status: tail?.pack.status ?? 'working' },
      statusAt: tail?.pack.statusAt ?? 0,
      nonce: nanoid(),
    },
    new Appender(broker, reads, options, at, tail?.expected ?? 0, observer),
    reads,
    options,
    () => true,
    observer.limitHit,
  );
}
