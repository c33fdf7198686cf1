/**
 * Puts the parts of the library together for a service.
 *
 * Invariant: the only place where adapters are constructed from a connection; nothing is provisioned implicitly.
 */
import type { AttemptStore, EventReader, QuestionLeases, TaskStore, ToolCatalogue, WorkQueue } from '@taskstream/core';
import type { AppendObserver } from './appender.js';
import { JetStreamAttemptStore } from './attempt-store.js';
import type { Broker } from './broker.js';
import { onDeletion } from './deletions.js';
import type { FeedObserver } from './feed.js';
import { HubReader } from './hub-reader.js';
import type { LeaseKeeper } from './lease-keeper.js';
import { LogReads } from './log-reads.js';
import { Mailbox } from './mailbox.js';
import type { StoreOptions } from './options.js';
import { RunningLimits } from './running-limits.js';
import { SpecReads } from './spec-reads.js';
import { StreamFill } from './stream-fill.js';
import { Sweeper, type SweepObserver } from './sweeper.js';
import { JetStreamTaskStore, type StoreParts } from './task-store.js';
import { JetStreamWorkQueue } from './work-queue.js';

/** What happened, for metrics and logs. */
export interface StoreObserver extends AppendObserver, FeedObserver, SweepObserver {
  /** A message that is not ours lies in one of our subjects; it is passed over. */
  foreignMessage(subject: string, streamSeq: number): void;
}

export interface SweeperParts {
  readonly leases: QuestionLeases;
  /** Says how long a tool's tasks may take. */
  readonly catalogue: Pick<ToolCatalogue, 'get'>;
  /** This process among all that could sweep. */
  readonly holder: string;
}

export interface Store {
  readonly tasks: TaskStore;
  readonly attempts: AttemptStore;
  readonly events: EventReader & { readonly feeds: number };
  readonly work: WorkQueue;
  /** Sweeps over all tasks, again and again, whenever no other node does; see `sweeper.ts`. */
  startSweeper(parts: SweeperParts): { close(): Promise<void> };
  close(): void;
}

/** `keeper` keeps leases through blocks of the event loop; only a worker has one. */
export function openStore(broker: Broker, options: StoreOptions, observer: StoreObserver, keeper?: LeaseKeeper): Store {
  const onForeign = (subject: string, streamSeq: number) => observer.foreignMessage(subject, streamSeq);
  const reads = new LogReads(broker, options, onForeign, observer.limitHit);
  const parts: StoreParts = {
    broker,
    options,
    reads,
    specs: new SpecReads(reads, options.snapshotCacheMax, onForeign),
    mailbox: new Mailbox(broker, reads, options, onForeign, observer.limitHit),
    fill: new StreamFill(broker, observer.limitHit),
    observer,
    onForeign,
  };
  const hub = new HubReader(broker, reads, options, observer);
  const offDeletion = onDeletion(broker, ({ taskId, streamSeq }) => {
    parts.specs.forget(taskId);
    hub.forget(taskId, streamSeq);
  });
  const offDisturbance = broker.onDisturbance((what) => {
    if (what === 'reconnect') parts.specs.forgetAll();
  });
  return {
    tasks: new JetStreamTaskStore(parts, hub),
    attempts: new JetStreamAttemptStore(parts),
    events: hub,
    work: new JetStreamWorkQueue(broker, options, new RunningLimits(broker, reads, options), keeper, onForeign),
    startSweeper: ({ leases, catalogue, holder }) => {
      const sweeper = new Sweeper(parts, observer, leases, (tool) => catalogue.get(tool), holder);
      sweeper.start();
      return sweeper;
    },
    close: () => {
      offDeletion();
      offDisturbance();
      hub.close();
    },
  };
}

export const SILENT_OBSERVER: StoreObserver = {
  packAppended: () => undefined,
  appendRetried: () => undefined,
  lostAckResolved: () => undefined,
  writerFenced: () => undefined,
  appendFailed: () => undefined,
  feedJoined: () => undefined,
  gapRepaired: () => undefined,
  tailRepaired: () => undefined,
  foreignMessage: () => undefined,
  limitHit: () => undefined,
  taskRepaired: () => undefined,
  sweepEnded: () => undefined,
  sweepFailed: () => undefined,
};
