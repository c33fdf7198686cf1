/**
 * What every scene ends with: wait until tasks are over, read their logs, look for what was left behind.
 */
import { isTerminal, type TaskEvent } from '@taskstream/protocol';
import { setTimeout as delay } from 'node:timers/promises';
import { storedLines } from '../../support/task-logs.js';
import type { TaskLog } from './checks.js';
import type { Ground } from './ground.js';

const LOOK_MS = 250;
const AT_ONCE = 20;
const READS_MAX = 8;

/** `of` each, some at a time, in their order. */
export async function inTurns<T, R>(all: ReadonlyArray<T>, of: (one: T, index: number) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  let next = 0;
  const turn = async () => {
    while (next < all.length) {
      const index = next++;
      results[index] = await of(all[index] as T, index);
    }
  };
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, all.length) }, turn));
  return results;
}

/** Asks about each task until it is so, for at most `msMax`. Returns the tasks of which it is not. */
export async function until(
  taskIds: ReadonlyArray<string>,
  msMax: number,
  isSo: (taskId: string) => Promise<boolean>,
): Promise<string[]> {
  const deadline = performance.now() + msMax;
  let left = [...taskIds];
  for (;;) {
    // An outage of NATS is no answer: ask again.
    const so = await inTurns(left, (taskId) => isSo(taskId).catch(() => false));
    left = left.filter((_taskId, i) => so[i] !== true);
    if (left.length === 0 || performance.now() > deadline) return left;
    await delay(LOOK_MS);
  }
}

export const untilOver = ({ on }: Ground, taskIds: ReadonlyArray<string>, msMax: number): Promise<string[]> =>
  until(taskIds, msMax, async (taskId) => {
    const snapshot = await on.store.tasks.read(taskId);
    return snapshot !== undefined && isTerminal(snapshot.status.status);
  });

/**
 * The logs as they are stored. A read that fails says nothing of the log: it is done again, and what it still finds
 * wrong at the end is in `gaps`.
 */
export async function readLogs({ on }: Ground, taskIds: ReadonlyArray<string>) {
  const gaps: string[] = [];
  const read = async (taskId: string): Promise<TaskLog> => {
    const lines = await storedLines(on, taskId);
    const { nextSeq } = (await on.store.tasks.read(taskId)) ?? {};
    if (lines.length !== nextSeq) throw new Error(`${lines.length} of ${String(nextSeq)} events were read`);
    return { taskId, events: lines.map((line) => JSON.parse(line) as TaskEvent) };
  };
  const logs = await inTurns(taskIds, async (taskId): Promise<TaskLog[]> => {
    for (let tries = 1; ; tries++) {
      try {
        return [await read(taskId)];
      } catch (error) {
        if (tries < READS_MAX) await delay(LOOK_MS * tries);
        else {
          gaps.push(`${taskId}: ${error instanceof Error ? error.message : String(error)}`);
          return [];
        }
      }
    }
  });
  return { logs: logs.flat(), gaps };
}

export async function itemsIn({ on }: Ground): Promise<string[]> {
  const info = await on.broker.jsm.streams.info('WORK', { subjects_filter: 'work.>' });
  return Object.keys(info.state.subjects ?? {});
}

/** Work items, once the workers have had time to remove them. */
export async function leftovers(ground: Ground, msMax: number): Promise<string[]> {
  const deadline = performance.now() + msMax;
  for (;;) {
    const subjects = await itemsIn(ground);
    if (subjects.length === 0 || performance.now() > deadline)
      return subjects.map((subject) => `a work item was left behind: ${subject}`);
    await delay(LOOK_MS);
  }
}
