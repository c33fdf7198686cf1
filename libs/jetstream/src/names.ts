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
 * | consumers `FIRST_`, `QUEUE_`, `LAST_`, `REST_<queue>` on `WORK` | leases, one a line | for ever            |
 * | `work.hold.<scope>.<taskId>` in `WORK`    | one running task of a limited scope | until its attempt ends  |
 * | bucket `TASKSTREAM_TOOLS`, key: tool name | tool definitions               | until removed                |
 * | bucket `TASKSTREAM_QUESTIONS`             | who puts a question to a client, who sweeps | an hour         |
 * | `ctl.cancelled`                           | cancelled requests, core only  | not stored                   |
 * | `ctl.deleted`                             | removed tasks, core only       | not stored                   |
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
export const DELETED_SUBJECT = 'ctl.deleted';
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
  /** `1` when the latest attempt ended to wait for an answer. */
  suspended: 'Ts-Suspended',
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

/** The place whose tasks a stream holds; undefined for a stream of another kind. */
export function placeOfStream(name: string): TaskPlace | undefined {
  const [, retentionClass, shard] = /^TASKS_([a-z]{1,8})_(\d{1,5})$/.exec(name) ?? [];
  return retentionClass === undefined ? undefined : { retentionClass, shard: Number(shard) };
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

/** Every message of a task but its state, in one pattern. */
export function taskSubjects(place: TaskPlace, taskId: string): string {
  return `*.${place.retentionClass}.${place.shard}.${taskId}`;
}

/** The specs of all tasks of a stream. */
export function specSubjects(place: TaskPlace): string {
  return subject('spec', place, '*');
}

/** Everything that attempts of a task have left for later ones. */
export function stateSubjects(place: TaskPlace, taskId: string): string {
  return `state.${place.retentionClass}.${place.shard}.${taskId}.*`;
}

export function liveSubject(storedSubject: string): string {
  return LIVE_PREFIX + storedSubject;
}

export function workSubject(item: { queue: string; priority: number; fairnessKey: string; taskId: string }): string {
  return `work.${item.queue}.${item.priority}.${item.fairnessKey}.${item.taskId}`;
}

/**
 * The lines of a queue in the order in which workers serve them, and the priorities that stand in each. `QUEUE` is
 * where tasks stand that nobody has ranked; `REST` is for what one owner queues beyond its share of the others.
 */
export const LINES = [
  { name: 'FIRST', priorities: [0, 1, 2] },
  { name: 'QUEUE', priorities: [3, 4, 5] },
  { name: 'LAST', priorities: [6, 7, 8] },
  { name: 'REST', priorities: [9] },
] as const;
export type Line = (typeof LINES)[number];
/** The priority of what an owner queues beyond its share. */
export const REST_PRIORITY = 9;

/** The consumer of a line. Its pending and unacknowledged messages are the tasks that wait and run. */
export function lineConsumer(queue: string, line: Line): string {
  return `${line.name}_${queue}`;
}

export function lineSubjects(queue: string, line: Line): string[] {
  return line.priorities.map((p) => `work.${queue}.${p}.*.*`);
}

/** The consumers of a queue, as `LINES` orders them. */
export function queueConsumers(queue: string): string[] {
  return LINES.map((line) => lineConsumer(queue, line));
}

/** The items of one owner at one priority of a queue, running ones included. */
export function ownerSubjects(item: { queue: string; priority: number; fairnessKey: string }): string {
  return `work.${item.queue}.${item.priority}.${item.fairnessKey}.*`;
}

/** The item of a task, in whichever line it stands. */
export function anyItemSubject(taskId: string): string {
  return `work.*.*.*.${taskId}`;
}

/** A place among the running tasks of a scope. It has one token less than an item, so no consumer is handed it. */
export function holdSubject(scope: string, taskId: string): string {
  return `work.hold.${scope}.${taskId}`;
}

/** The task id of a work item's subject. */
export function workTaskId(workItemSubject: string): string {
  return workItemSubject.slice(workItemSubject.lastIndexOf('.') + 1);
}
