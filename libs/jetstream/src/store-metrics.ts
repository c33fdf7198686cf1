/**
 * What the store tells, as metrics and log lines, for whichever service uses it.
 *
 * Invariant: the factory is whatever makes counters and histograms; no metrics library is imported here.
 */
import type { LimitHit, Repair } from '@taskstream/core';
import type { StoreObserver } from './store.js';

const REPAIRS: ReadonlyArray<Exclude<Repair, 'nothing'>> = ['queue', 'expire', 'cancel', 'orphan'];

interface Counts {
  inc(labels: Readonly<Record<string, string>>, by?: number): void;
}

export interface MetricFactory {
  counter(options: { name: string; unit: 'none' | 'bytes'; help: string; labels?: readonly string[] }): Counts;
  histogram(options: { name: string; unit: 'seconds'; help: string; buckets: readonly number[] }): {
    observe(value: number): void;
  };
}

export interface WarnLog {
  warn(facts: Readonly<Record<string, unknown>>, message: string): void;
}

export function observeStore(metrics: MetricFactory, log: WarnLog, limitHit: LimitHit): StoreObserver {
  const counter = (name: string, help: string, labels: readonly string[] = []) =>
    metrics.counter({ name, unit: 'none', help, labels });
  const packs = counter('packs_appended', 'Packs that this process has appended to event logs');
  const events = counter('events_appended', 'Events that this process has appended to event logs');
  const bytes = metrics.counter({
    name: 'appended',
    unit: 'bytes',
    help: 'Bytes of the packs that this process has appended',
  });
  const ack = metrics.histogram({
    name: 'append_duration',
    unit: 'seconds',
    help: 'From sending a pack to knowing that it is stored',
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5, 30],
  });
  const retries = counter('append_retries', 'Packs sent again, by reason', ['reason']);
  const lostAcks = counter('lost_acks_resolved', 'Packs that were stored though their ack was lost');
  const fenced = counter('writers_fenced', 'Writers that lost their log to a newer attempt');
  const failed = counter(
    'append_failures',
    'Writers that gave up, by the code of the error; not those that were fenced',
    ['code'],
  );
  const joins = counter('feeds_joined', 'Tasks that this node began to follow');
  const repairs = counter('feed_repairs', 'Packs that the live hop lost and the log gave, by how it was noticed', [
    'how',
  ]);
  const foreign = counter('foreign_messages', 'Messages in our subjects that are not ours; they are passed over');
  // An alert sees the first failure only when it has seen none before; so with sweeps and repairs below.
  for (const code of ['log_unavailable', 'stream_full', 'payload_too_large', 'data_lost']) failed.inc({ code }, 0);
  const sweeps = counter('sweeps', 'Sweeps over all tasks that this process has ended, by how', ['how']);
  const swept = counter('swept_tasks', 'Tasks that those sweeps passed');
  const lookFailed = counter('swept_tasks_failed', 'Tasks that a sweep could not look at or set right');
  const repaired = counter('tasks_repaired', 'Tasks that a sweep set right, by how', ['how']);
  for (const how of ['complete', 'failed']) sweeps.inc({ how }, 0);
  for (const how of REPAIRS) repaired.inc({ how }, 0);
  return {
    limitHit,
    packAppended(count, size, ackMs) {
      packs.inc({});
      events.inc({}, count);
      bytes.inc({}, size);
      ack.observe(ackMs / 1_000);
    },
    appendRetried: (reason) => retries.inc({ reason }),
    lostAckResolved: () => lostAcks.inc({}),
    writerFenced: () => fenced.inc({}),
    appendFailed: (code) => failed.inc({ code }),
    feedJoined: () => joins.inc({}),
    gapRepaired: () => repairs.inc({ how: 'gap' }),
    tailRepaired: () => repairs.inc({ how: 'tail_check' }),
    foreignMessage(subject, streamSeq) {
      foreign.inc({});
      log.warn(
        { subject, streamSeq },
        'a message that is not ours was passed over; see who may publish to this subject',
      );
    },
    taskRepaired({ taskId, how }) {
      repaired.inc({ how });
      log.warn({ taskId, how }, 'a sweep set a task right that nothing else would have brought forward');
    },
    sweepEnded({ tasks }) {
      sweeps.inc({ how: 'complete' });
      swept.inc({}, tasks);
    },
    sweepFailed({ error, taskId }) {
      if (taskId === undefined) {
        sweeps.inc({ how: 'failed' });
        log.warn({ err: error }, 'a sweep failed; the next one follows');
      } else {
        lookFailed.inc({});
        log.warn({ err: error, taskId }, 'a sweep could not look at a task or set it right; the next one tries again');
      }
    },
  };
}
