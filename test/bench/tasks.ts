/**
 * Tasks whose logs the benchmark writes, and their events.
 */
import type { AttemptLog, EventDraft, TaskSpec } from '@taskstream/core';
import { testSpec } from '../support/specs.js';
import { PAYLOAD_BYTES } from './figure.js';
import type { Ground } from './ground.js';

export interface WrittenTask {
  readonly taskId: string;
  readonly log: AttemptLog;
}

export const EVENT_TYPE = 'com.example.bench.step';

/** A task in the hands of this process. Its log begins with two system events. */
export async function startTask(ground: Ground, overrides: Partial<TaskSpec> = {}): Promise<WrittenTask> {
  const spec = testSpec(overrides);
  const { tasks, attempts } = ground.store;
  await tasks.create(spec);
  const tail = await attempts.readTail(spec.taskId);
  if (tail === undefined) throw new Error(`the task ${spec.taskId} has no log`);
  const start = { attempt: 1, failures: 0, itemId: '1', delivery: 1, worker: 'bench', cause: 'first' } as const;
  return { taskId: spec.taskId, log: await attempts.beginAttempt(spec, tail, start) };
}

/** `count` tasks, a bounded number of them at a time. */
export async function startTasks(ground: Ground, count: number): Promise<WrittenTask[]> {
  const started: WrittenTask[] = [];
  while (started.length < count) {
    const batch = Math.min(50, count - started.length);
    started.push(...(await Promise.all(Array.from({ length: batch }, () => startTask(ground)))));
  }
  return started;
}

const WORDS =
  'the file was read and holds many lines of code whose longest one has more than a hundred characters so'.split(' ');

/** Text of exactly `length` characters that compresses about as well as prose does. */
function prose(length: number, salt: number): string {
  let text = '';
  for (let i = salt * 7_919 + 1; text.length < length; i = (i * 48_271) % 2_147_483_647) {
    text += `${WORDS[i % WORDS.length]} ${i % 1_000} `;
  }
  return text.slice(0, length);
}

const PADS = Array.from({ length: 256 }, (_, i) => prose(PAYLOAD_BYTES, i));

/** An event with a payload of PAYLOAD_BYTES. `sentAtUs` (microseconds) tells when it was made. */
export function benchEvent(i: number, sentAtUs = 0): EventDraft {
  const own = `{"sentAtUs":${sentAtUs},"text":""}`.length;
  return {
    type: EVENT_TYPE,
    payload: { sentAtUs, text: (PADS[i % PADS.length] as string).slice(0, PAYLOAD_BYTES - own) },
  };
}

export function nowUs(): number {
  return Math.round(performance.now() * 1_000);
}

/** Appends `count` events, `packing` of them in each pack. */
export async function writeLog(task: WrittenTask, count: number, packing: number): Promise<void> {
  for (let written = 0; written < count; written += packing) {
    const events = Math.min(packing, count - written);
    await task.log.append(Array.from({ length: events }, (_, i) => benchEvent(written + i)));
  }
}
