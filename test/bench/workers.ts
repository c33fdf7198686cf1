/**
 * Workers: how fast a task is begun, how many are done, how long a takeover takes, and how long a flood holds others up.
 *
 * Waits are measured from the call that creates a task to the first line of its tool, in one process, so that one clock
 * counts. Takeovers are of real processes.
 */
import { SystemEvent, type TaskEvent } from '@taskstream/protocol';
import { defineTool } from '@taskstream/worker';
import * as z from 'zod';
import { startRuntime } from '../support/runtimes.js';
import { startWorker, stopAll } from '../support/system.js';
import { testSpec } from '../support/specs.js';
import { readEvents } from '../support/task-logs.js';
import type { Scale } from './scale.js';
import { layGround, type Ground } from './ground.js';
import type { Values } from './report.js';
import { median, percentile } from './statistics.js';

const LEASE_MS = 2_000;
const FLOOD_TASK_MS = 10;
const FLOOD_SLOTS = 4;
const FEW = 5;

export async function measureWorkers(scale: Scale, nodes: 1 | 3): Promise<Values> {
  await using ground = await layGround(nodes, { leaseMs: LEASE_MS });
  const dispatch = await dispatchLatency(ground, scale.dispatches);
  return {
    'workers.dispatch.p50': percentile(dispatch, 0.5),
    'workers.dispatch.p99': percentile(dispatch, 0.99),
    'workers.rate': await emptyTasks(ground, scale.emptyTasks),
    'workers.takeover.kill': median(await takeovers(ground, scale.rounds, 'SIGKILL')),
    'workers.takeover.drain': median(await takeovers(ground, scale.rounds, 'SIGTERM')),
    ...(await flood(ground, scale.floodTasks, 'fifo', 1_000_000)),
    ...(await flood(ground, scale.floodTasks, 'fair', 20)),
  };
}

type Tasks = Pick<Ground, 'store'>;

async function createTask({ store }: Tasks, overrides: Parameters<typeof testSpec>[0]) {
  const spec = testSpec(overrides);
  await store.tasks.create(spec);
  return spec;
}

/** A tool that tells when it began, on the clock of this process. */
function beginner(queue: string, ms: number) {
  const began = new Map<string, number>();
  const tool = defineTool({
    name: queue,
    description: 'Begins',
    inputSchema: z.object({}),
    queue,
    async run(_input, task) {
      began.set(task.id, performance.now());
      if (ms > 0) await new Promise((resolve) => setTimeout(resolve, ms));
      return 'done';
    },
  });
  return { tool, began };
}

async function until(what: () => boolean): Promise<void> {
  while (!what()) await new Promise((resolve) => setTimeout(resolve, 5));
}

async function dispatchLatency(ground: Ground, count: number): Promise<number[]> {
  const { tool, began } = beginner('dispatch', 0);
  await using _worker = await startRuntime(ground.urls, [tool], { store: { replicas: ground.replicas } });
  const waits: number[] = [];
  for (let i = 0; i < count; i++) {
    const createdAt = performance.now();
    const { taskId } = await createTask(ground, { tool: 'dispatch', queue: 'dispatch', fairnessKey: `f${i}` });
    await until(() => began.has(taskId));
    waits.push((began.get(taskId) ?? 0) - createdAt);
  }
  return waits;
}

/** Tasks a second from creation to their end, with one worker process and a tool that does nothing. */
async function emptyTasks(ground: Ground, count: number): Promise<number> {
  const worker = await startWorker(ground.urls, {
    TASKSTREAM_REPLICAS: String(ground.replicas),
    TASKSTREAM_LEASE_MS: String(LEASE_MS),
    TASKSTREAM_LOG_LEVEL: 'warn',
    TASKSTREAM_SLOTS: '50',
  });
  try {
    const startedAt = performance.now();
    const ends: Array<Promise<unknown>> = [];
    for (let made = 0; made < count; made += 50) {
      const specs = await Promise.all(
        Array.from({ length: Math.min(50, count - made) }, (_, i) =>
          createTask(ground, { tool: 'count', arguments: { n: 0 }, fairnessKey: `f${made + i}` }),
        ),
      );
      ends.push(
        ...specs.map(({ taskId }) =>
          ground.store.events.open(taskId, undefined).then((session) => readEvents(session)),
        ),
      );
    }
    await Promise.all(ends);
    return count / ((performance.now() - startedAt) / 1_000);
  } finally {
    await stopAll([worker], 'SIGKILL');
  }
}

/** From the signal, or from the end of the drained attempt, to the start of the next one. */
async function takeovers(ground: Ground, rounds: number, signal: 'SIGKILL' | 'SIGTERM'): Promise<number[]> {
  const waits: number[] = [];
  const start = () =>
    startWorker(ground.urls, {
      TASKSTREAM_REPLICAS: String(ground.replicas),
      TASKSTREAM_LEASE_MS: String(LEASE_MS),
      TASKSTREAM_LOG_LEVEL: 'warn',
      TASKSTREAM_DRAIN_MS_MAX: '50',
    });
  for (let round = 0; round < rounds; round++) {
    const first = await start();
    const spec = await createTask(ground, { tool: 'count', arguments: { n: 1_000_000, everyMs: 200 } });
    const started = async (nextSeq: number) => ((await ground.store.tasks.read(spec.taskId))?.nextSeq ?? 0) > nextSeq;
    while (!(await started(3))) await new Promise((resolve) => setTimeout(resolve, 20));
    const second = await start();
    const signalledAt = Date.now();
    first.kill(signal);
    await first.exited;
    const at = await secondStart(ground, spec.taskId, signalledAt);
    waits.push(at.started - at.ended);
    await ground.store.tasks.cancelNow(spec.taskId);
    await stopAll([second], 'SIGKILL');
  }
  return waits;
}

async function secondStart(ground: Ground, taskId: string, signalledAt: number) {
  const session = await ground.store.events.open(taskId, undefined);
  const isSecond = (e: TaskEvent) => e.type === SystemEvent.attemptStarted && e.payload['attempt'] === 2;
  const events: TaskEvent[] = [];
  while (!events.some(isSecond)) {
    const delivery = await session.next();
    if (delivery.type !== 'packs') throw new Error(`the stream of ${taskId} ended before its second attempt`);
    for (const pack of delivery.packs) {
      const lines = Buffer.from(pack.data).toString('utf8').trimEnd().split('\n');
      events.push(...lines.map((line) => JSON.parse(line) as TaskEvent));
    }
  }
  session.close('rotated');
  const timeOf = (event: TaskEvent | undefined) =>
    Date.parse((event?._meta?.['dev.taskstream/event'] as { at?: string } | undefined)?.at ?? '');
  const started = events.find(isSecond);
  const ended = events.find((e) => e.type === SystemEvent.attemptEnded);
  return { ended: ended === undefined ? signalledAt : timeOf(ended), started: timeOf(started) };
}

/** One owner queues many tasks, another one few: how long these wait. */
async function flood(ground: Ground, count: number, how: 'fifo' | 'fair', ownerLineMax: number): Promise<Values> {
  const queue = `flood-${how}`;
  const { tool, began } = beginner(queue, FLOOD_TASK_MS);
  const store = { replicas: ground.replicas, ownerLineMax };
  await using worker = await startRuntime(ground.urls, [], { store });
  const create = (owner: string) => createTask(worker.on, { tool: queue, queue, owner, fairnessKey: owner });
  for (let made = 0; made < count; made += 50) {
    await Promise.all(Array.from({ length: Math.min(50, count - made) }, () => create('a')));
  }
  await using _worker = await startRuntime(ground.urls, [tool], { store, slots: FLOOD_SLOTS });
  await until(() => began.size > FLOOD_SLOTS);
  const created = new Map<string, number>();
  for (let i = 0; i < FEW; i++) {
    const at = performance.now();
    created.set((await create('b')).taskId, at);
  }
  await until(() => began.size === count + FEW);
  const waits = [...created].map(([taskId, at]) => (began.get(taskId) ?? Number.NaN) - at);
  return { [`workers.flood.${how}.p50`]: median(waits), [`workers.flood.${how}.max`]: Math.max(...waits) };
}
