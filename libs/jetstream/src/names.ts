/**
 * Every name that is persisted in NATS: streams, subjects, consumers, buckets, headers, with layout and lifetime.
 *
 * Invariant: persisted names are an API. A change here needs a new layout version and a migration.
 *
 * | Name                                      | Content                        | Lifetime                     |
 * |-------------------------------------------|--------------------------------|------------------------------|
 * | stream `TASKS_<class>_<shard>`            | the four subjects below        | for ever                     |
 * | `evt.<class>.<shard>.<taskId>`            | packs                          | class bound + slack          |
 * | `spec.<class>.<shard>.<taskId>`           | one spec                       | class bound + slack          |
 * | `cmd.<class>.<shard>.<taskId>`            | mailbox entries                | class bound + slack          |
 * | `state.<class>.<shard>.<taskId>.<key>`    | what later attempts need       | class bound + slack          |
 * | `live.>`                                  | republished messages, core only| not stored                   |
 * | stream `WORK`, `work.<queue>.<priority>.<fairnessKey>.<taskId>` | work items | until acked              |
 * | consumer `QUEUE_<queue>` on `WORK`        | leases                         | for ever                     |
 * | bucket `TASKSTREAM_TOOLS`, key: tool name | tool definitions               | until removed                |
 * | bucket `TASKSTREAM_QUESTIONS`             | who puts a question to a client| an hour                      |
 * | `ctl.cancelled`                           | cancelled requests, core only  | not stored                   |
 */
import type { TaskPlace } from '@taskstream/core';
import { createHash } from 'node:crypto';

export const LAYOUT_VERSION = '1';
export const LAYOUT_METADATA_KEY = 'taskstream_layout';

export const WORK_STREAM = 'WORK';
export const WORK_SUBJECTS = 'work.>';
export const CATALOGUE_BUCKET = 'TASKSTREAM_TOOLS';
export const QUESTIONS_BUCKET = 'TASKSTREAM_QUESTIONS';
export const CANCELLED_SUBJECT = 'ctl.cancelled';
export const LIVE_PREFIX = 'live.';

export const Header = {
  /** Stored format of the message. */
  version: 'Ts-V',
  /** Seq of the first event. */
  seq: 'Ts-Seq',
  count: 'Ts-Count',
  attempt: 'Ts-Attempt',
  /** Attempts that ended by a fault. */
  failures: 'Ts-Failures',
  /** Work item of the running attempt; absent when none runs. */
  item: 'Ts-Item',
  /** Which delivery of that item it began with. */
  delivery: 'Ts-Delivery',
  /** `1` when the latest attempt was handed over. */
  handedOver: 'Ts-Handed-Over',
  /** Number of the last mailbox entry that became an event; absent before the first. */
  taken: 'Ts-Taken',
  /** `1` when the task is paused. */
  paused: 'Ts-Paused',
  /** Writer nonce : counter. */
  write: 'Ts-Write',
  /** The task's status after this pack. */
  status: 'Ts-Status',
  /** Stream sequence of the pack that holds the latest status event; absent when it is this one. */
  statusAt: 'Ts-Status-At',
  /** Number of a mailbox entry, from 1. */
  entry: 'Ts-Entry',
} as const;

export const FORMAT_VERSION = '1';

export function streamName(place: TaskPlace): string {
  return `TASKS_${place.retentionClass}_${place.shard}`;
}

export function streamSubjects(place: TaskPlace): string[] {
  const { retentionClass: c, shard: s } = place;
  return [`evt.${c}.${s}.*`, `spec.${c}.${s}.*`, `cmd.${c}.${s}.*`, `state.${c}.${s}.*.*`];
}

function subject(kind: 'evt' | 'spec' | 'cmd', place: TaskPlace, taskId: string): string {
  return `${kind}.${place.retentionClass}.${place.shard}.${taskId}`;
}

export function evtSubject(place: TaskPlace, taskId: string): string {
  return subject('evt', place, taskId);
}

export function specSubject(place: TaskPlace, taskId: string): string {
  return subject('spec', place, taskId);
}

export function cmdSubject(place: TaskPlace, taskId: string): string {
  return subject('cmd', place, taskId);
}

/** A name may hold anything, a subject may not: the key is the name's digest. */
export function stateSubject(place: TaskPlace, taskId: string, kind: 'step' | 'checkpoint', name: string): string {
  const digest = createHash('sha256').update(name).digest('base64url').slice(0, 22);
  return `state.${place.retentionClass}.${place.shard}.${taskId}.${kind}-${digest}`;
}

export function liveSubject(storedSubject: string): string {
  return LIVE_PREFIX + storedSubject;
}

export function workSubject(item: { queue: string; priority: number; fairnessKey: string; taskId: string }): string {
  return `work.${item.queue}.${item.priority}.${item.fairnessKey}.${item.taskId}`;
}

export function queueSubjects(queue: string): string {
  return `work.${queue}.>`;
}

export function queueConsumer(queue: string): string {
  return `QUEUE_${queue}`;
}

/** The task id of a work item's subject. */
export function workTaskId(workItemSubject: string): string {
  return workItemSubject.slice(workItemSubject.lastIndexOf('.') + 1);
}
