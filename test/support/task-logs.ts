/**
 * Logs of tasks for tests that work on them without a worker: written by an attempt in the test's own hands, read
 * back from the stream without the library's readers.
 */
import { parseTaskId, type AttemptLog, type AttemptStart, type EventStream, type TaskSpec } from '@taskstream/core';
import { evtSubject, Header, streamName } from '@taskstream/jetstream';
import type { TestStore } from './nats.js';
import { testSpec } from './specs.js';

/** A task that exists, with its first event. Nobody works on it. */
export async function createTask(on: TestStore, overrides: Partial<TaskSpec> = {}): Promise<TaskSpec> {
  const spec = testSpec(overrides);
  await on.store.tasks.create(spec);
  return spec;
}

/** Takes a task over as a worker would: from the tail as it is now. */
export async function beginAttempt(
  on: TestStore,
  spec: TaskSpec,
  overrides: Partial<AttemptStart> = {},
): Promise<AttemptLog> {
  const tail = await on.store.attempts.readTail(spec.taskId);
  if (tail === undefined) throw new Error(`${spec.taskId} has no log`);
  return on.store.attempts.beginAttempt(spec, tail, {
    attempt: tail.attempt + 1,
    failures: tail.failures,
    itemId: '1',
    delivery: tail.attempt + 1,
    worker: 'test-worker',
    cause: tail.attempt === 0 ? 'first' : 'lease_lost',
    ...overrides,
  });
}

/** A task whose first attempt is in the test's hands. */
export async function runningTask(
  on: TestStore,
  overrides: Partial<TaskSpec> = {},
): Promise<{ spec: TaskSpec; log: AttemptLog }> {
  const spec = await createTask(on, overrides);
  return { spec, log: await beginAttempt(on, spec) };
}

export const STEP = 'com.example.step';

/** Emits `count` numbered events, one append each: all in one go, or each when the one before is durable. */
export async function emitSteps(log: AttemptLog, count: number, each: 'awaited' | 'together' = 'together') {
  const durable: Array<Promise<void>> = [];
  for (let i = 0; i < count; i++) {
    const step = log.append([{ type: STEP, payload: { i } }]);
    if (each === 'awaited') await step;
    else durable.push(step);
  }
  await Promise.all(durable);
}

export interface StoredMessage {
  readonly streamSeq: number;
  readonly firstSeq: number;
  readonly count: number;
  readonly attempt: number;
  readonly status: string;
  /** One JSON text an event. */
  readonly lines: string[];
}

/** Everything that the stream holds under a task's event subject, oldest first. Messages that are not ours too. */
export async function storedMessages(on: TestStore, taskId: string): Promise<StoredMessage[]> {
  const place = parseTaskId(taskId);
  if (place === undefined) throw new Error(`${taskId} is not a task id`);
  const subject = evtSubject(place, taskId);
  const info = await on.broker.jsm.streams.info(streamName(place), { subjects_filter: subject });
  const total = info.state.subjects?.[subject] ?? 0;
  if (total === 0) return [];
  const consumer = await on.broker.js.consumers.get(streamName(place), { filter_subjects: subject });
  const messages: StoredMessage[] = [];
  const fetched = await consumer.fetch({ max_messages: total, expires: 10_000 });
  for await (const m of fetched) {
    messages.push({
      streamSeq: m.seq,
      firstSeq: Number(m.headers?.get(Header.seq)),
      count: Number(m.headers?.get(Header.count)),
      attempt: Number(m.headers?.get(Header.attempt)),
      status: m.headers?.get(Header.status) ?? '',
      lines: m.string().split('\n').slice(0, -1),
    });
  }
  return messages;
}

/** The lines of a log as they are stored. Throws unless they are exactly seq `first`, `first + 1`, … */
export async function storedLines(on: TestStore, taskId: string, first = 0): Promise<string[]> {
  const messages = await storedMessages(on, taskId);
  let next = first;
  for (const m of messages) {
    if (m.firstSeq !== next) throw new Error(`a pack begins at ${m.firstSeq}, expected ${next}`);
    if (m.lines.length !== m.count) throw new Error(`the pack at ${next} has ${m.lines.length} lines, not ${m.count}`);
    next += m.count;
  }
  const lines = messages.flatMap((m) => m.lines);
  lines.forEach((line, i) => {
    const { seq } = JSON.parse(line) as { seq: number };
    if (seq !== first + i) throw new Error(`line ${i} has seq ${seq}, expected ${first + i}`);
  });
  return lines;
}

export type StreamEnd =
  | { readonly type: 'end'; readonly reason: string; readonly status: string; readonly nextSeq: number }
  | { readonly type: 'gone'; readonly earliestSeq: number }
  | { readonly type: 'stopped' };

export interface Read {
  readonly lines: string[];
  readonly end: StreamEnd;
}

/** Reads a session until it ends, or until it has given `stopAfter` events. */
export async function readEvents(
  session: EventStream,
  options: { stopAfter?: number; onLines?: (soFar: number) => Promise<void> | void } = {},
): Promise<Read> {
  const lines: string[] = [];
  for (;;) {
    const delivery = await session.next();
    if (delivery.type !== 'packs') return { lines, end: delivery };
    for (const pack of delivery.packs) {
      const text = Buffer.from(pack.data).toString('utf8').split('\n').slice(0, -1);
      if (text.length !== pack.count) throw new Error(`a pack of ${pack.count} holds ${text.length} lines`);
      lines.push(...text);
    }
    await options.onLines?.(lines.length);
    if (options.stopAfter !== undefined && lines.length >= options.stopAfter) {
      session.close('rotated');
      return { lines, end: { type: 'stopped' } };
    }
  }
}

/** Opens a session and reads it to its end. */
export async function readTask(on: TestStore, taskId: string, after?: number): Promise<Read> {
  return readEvents(await on.store.events.open(taskId, after));
}

export function typesOf(lines: ReadonlyArray<string>): string[] {
  return lines.map((line) => (JSON.parse(line) as { type: string }).type);
}
