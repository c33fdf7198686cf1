/**
 * One scene: tasks are created, faults strike until they have done so for long enough, every task is read and judged.
 */
import { isTerminal, type TaskEvent } from '@taskstream/protocol';
import { setTimeout as delay } from 'node:timers/promises';
import { createTask, storedLines } from '../../support/task-logs.js';
import { judge, type TaskLog, type Verdict } from './checks.js';
import { FAULTS, randomOf, type FaultName } from './faults.js';
import { layGround, type Ground } from './ground.js';

export interface SceneOptions {
  readonly fault: FaultName;
  readonly nodes: 1 | 3;
  readonly seed: number;
  readonly workers: number;
  readonly tasks: number;
  readonly steps: number;
  readonly stepMs: number;
  /** Between two faults. */
  readonly everyMs: number;
  /** How long faults strike; they stop early when every task is over. */
  readonly strikeMs: number;
  /** Until every task must be over, from the last fault on. */
  readonly settleMsMax: number;
}

export interface SceneResult extends Verdict {
  readonly fault: FaultName;
  readonly nodes: number;
  readonly seed: number;
  readonly hits: number;
  readonly seconds: number;
}

const CREATIONS_AT_ONCE = 20;
const LOOK_MS = 250;

export async function playScene(options: SceneOptions): Promise<SceneResult> {
  await using ground = await layGround(options.nodes, options.workers);
  const startedAt = performance.now();
  await ground.workers.fill();
  const taskIds = await createTasks(ground, options);
  const over = new AbortController();
  const striking = FAULTS[options.fault](ground, randomOf(options.seed), options.everyMs, over.signal);
  await untilOver(ground, taskIds, options.strikeMs);
  over.abort();
  const hits = await striking;
  const left = await untilOver(ground, taskIds, options.settleMsMax);
  const logs: TaskLog[] = [];
  const gaps: string[] = [];
  for (const taskId of taskIds) {
    try {
      const lines = await storedLines(ground.on, taskId);
      logs.push({ taskId, events: lines.map((line) => JSON.parse(line) as TaskEvent) });
    } catch (error) {
      gaps.push(`${taskId}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  const verdict = judge(logs, await ground.journal(), options.steps);
  const faults = [
    ...gaps,
    ...left.map((taskId) => `${taskId}: not over ${options.settleMsMax} ms after the last fault`),
    ...verdict.faults,
    ...(hits === 0 ? ['no fault was done'] : []),
    ...(await leftovers(ground)),
  ];
  const { fault, nodes, seed } = options;
  return { ...verdict, faults, fault, nodes, seed, hits, seconds: (performance.now() - startedAt) / 1_000 };
}

async function createTasks(ground: Ground, { tasks, steps, stepMs }: SceneOptions): Promise<string[]> {
  const taskIds: string[] = [];
  while (taskIds.length < tasks) {
    const size = Math.min(CREATIONS_AT_ONCE, tasks - taskIds.length);
    const made = await Promise.all(
      Array.from({ length: size }, () =>
        createTask(ground.on, { tool: 'chaos', arguments: { steps, stepMs }, attemptsMax: 1_000 }),
      ),
    );
    taskIds.push(...made.map((spec) => spec.taskId));
  }
  return taskIds;
}

/** Waits until every task is over, for at most `msMax`. Returns those that are not. */
async function untilOver(ground: Ground, taskIds: ReadonlyArray<string>, msMax: number): Promise<string[]> {
  const deadline = performance.now() + msMax;
  let left = [...taskIds];
  while (left.length > 0 && performance.now() < deadline) {
    await delay(LOOK_MS);
    const open = await Promise.all(
      left.map(async (taskId) => {
        // An outage of NATS is no answer: ask again.
        const snapshot = await ground.on.store.tasks.read(taskId).catch(() => undefined);
        return snapshot === undefined || !isTerminal(snapshot.status.status);
      }),
    );
    left = left.filter((_taskId, i) => open[i]);
  }
  return left;
}

/** Work items of tasks that are over, once the workers have had time to remove them. */
async function leftovers(ground: Ground): Promise<string[]> {
  for (let looks = 0; ; looks++) {
    const info = await ground.on.broker.jsm.streams.info('WORK', { subjects_filter: 'work.>' });
    const subjects = Object.keys(info.state.subjects ?? {});
    if (subjects.length === 0 || looks > 100)
      return subjects.map((subject) => `a work item was left behind: ${subject}`);
    await delay(LOOK_MS);
  }
}
