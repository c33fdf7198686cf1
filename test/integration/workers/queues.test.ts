/** Who runs when: priorities, owners that flood a queue, limits over all workers, tasks for later. DESIGN §3.8. */
import type { TaskSpec } from '@taskstream/core';
import { anyItemSubject, holdSubject, lineConsumer, LINES, workSubject, WORK_STREAM } from '@taskstream/jetstream';
import { defineTool, type Tool, type ToolOptions } from '@taskstream/worker';
import { nanoid } from 'nanoid';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import * as z from 'zod';
import { connectStore, startNats, type TestNats, type TestStore } from '../../support/nats.js';
import { startRuntime, type TestRuntime } from '../../support/runtimes.js';
import { createTask, readTask } from '../../support/task-logs.js';

let nats: TestNats;
let on: TestStore;
const workers: TestRuntime[] = [];

beforeAll(async () => {
  nats = await startNats();
  on = await connectStore(nats.url);
});

afterEach(async () => {
  for (const worker of workers.splice(0)) await worker[Symbol.asyncDispose]();
});

afterAll(async () => {
  await on?.[Symbol.asyncDispose]();
  await nats?.[Symbol.asyncDispose]();
});

/** A tool with a queue of its own, and in which order its tasks began and how many were at it at once. */
function recorder(ms: number, options: Partial<ToolOptions<z.ZodObject, z.ZodObject>> = {}) {
  const began: Array<{ taskId: string; at: number }> = [];
  const now = { all: 0, most: 0 };
  const queue = `q${nanoid(8)}`;
  const tool: Tool = defineTool({
    name: 'record',
    description: 'Says when it began',
    inputSchema: z.object({}),
    queue,
    ...options,
    async run(_input, task) {
      began.push({ taskId: task.id, at: Date.now() });
      now.most = Math.max(now.most, ++now.all);
      await delay(ms);
      now.all--;
      return 'done';
    },
  });
  const create = (overrides: Partial<TaskSpec> = {}) => createTask(on, { tool: 'record', queue, ...overrides });
  const work = async (options_: Parameters<typeof startRuntime>[2] = {}) => {
    const worker = await startRuntime(nats.url, [tool], options_);
    workers.push(worker);
    return worker;
  };
  const order = () => began.map(({ taskId }) => taskId);
  const until = (count: number) => expect.poll(() => began.length, { timeout: 30_000 }).toBe(count);
  return { queue, tool, began, now, create, work, order, until };
}

async function createMany(count: number, create: (i: number) => Promise<TaskSpec>): Promise<TaskSpec[]> {
  const made: TaskSpec[] = [];
  for (let from = 0; from < count; from += 50) {
    const size = Math.min(50, count - from);
    made.push(...(await Promise.all(Array.from({ length: size }, (_, i) => create(from + i)))));
  }
  return made;
}

const ids = (specs: ReadonlyArray<TaskSpec>) => specs.map((spec) => spec.taskId);
const items = async (taskId: string) =>
  Object.keys(
    (await on.broker.jsm.streams.info(WORK_STREAM, { subjects_filter: anyItemSubject(taskId) })).state.subjects ?? {},
  );

describe('priorities', () => {
  it('are served from the first to the last, whatever came earlier', async () => {
    const scene = recorder(0);
    const byPriority: Record<number, string[]> = {};
    for (const priority of [8, 5, 0]) {
      byPriority[priority] = ids(await createMany(6, () => scene.create({ priority })));
    }
    await scene.work({ slots: 1 });
    await scene.until(18);
    expect(scene.order().slice(0, 6).toSorted()).toEqual(byPriority[0]?.toSorted());
    expect(scene.order().slice(6, 12).toSorted()).toEqual(byPriority[5]?.toSorted());
  });

  it('of tasks that come while a worker is idle cost it nothing: each begins', async () => {
    const scene = recorder(0);
    await scene.work({ slots: 2 });
    for (const priority of [9, 7, 4, 1, 0, 9]) {
      const spec = await scene.create({ priority });
      await expect.poll(scene.order).toContain(spec.taskId);
    }
  });
});

describe('an owner that floods a queue', () => {
  it('does not starve another one: its tasks wait, the five of the other do not wait for them', async () => {
    const scene = recorder(2);
    const flood = await createMany(250, () => scene.create({ owner: 'a', fairnessKey: 'a' }));
    const four = [await scene.work({ slots: 2 }), await scene.work({ slots: 2 })];
    expect(four).toHaveLength(2);
    await expect.poll(() => scene.began.length, { timeout: 30_000 }).toBeGreaterThan(40);
    const before = scene.began.length;
    const created = new Map<string, number>();
    const few = await createMany(5, async () => {
      const spec = await scene.create({ owner: 'b', fairnessKey: 'b' });
      created.set(spec.taskId, Date.now());
      return spec;
    });
    await scene.until(255);
    const last = Math.max(...few.map((spec) => scene.order().indexOf(spec.taskId)));
    const passed = scene
      .order()
      .slice(before, last)
      .filter((id) => ids(flood).includes(id)).length;
    // What ran already, what began while they were being created, and every fourth turn.
    expect(passed).toBeLessThan(60);
    expect(new Set(scene.order()).size).toBe(255);
  });

  it('is served all the same while others keep coming', async () => {
    const scene = recorder(0);
    const flood = await createMany(40, () => scene.create({ fairnessKey: 'a' }));
    const resting = flood.slice(on.options.ownerLineMax);
    const others = await createMany(60, (i) => scene.create({ fairnessKey: `other${i}` }));
    await scene.work({ slots: 1 });
    await scene.until(100);
    const firstHalf = scene.order().slice(0, 50);
    expect(firstHalf.filter((id) => ids(resting).includes(id)).length).toBeGreaterThan(5);
    expect(firstHalf.filter((id) => ids(others).includes(id)).length).toBeGreaterThan(5);
  });

  it('has what it adds stand behind what waits already, and the same call keeps its place', async () => {
    const scene = recorder(0);
    const flood = await createMany(on.options.ownerLineMax, () => scene.create({ fairnessKey: 'a' }));
    const late = await scene.create({ fairnessKey: 'a', requestDigest: 'same' });
    expect(await items(late.taskId)).toEqual([workSubject({ ...late, priority: 9 })]);
    // Its share is free again, yet one of its tasks waits.
    await on.broker.jsm.streams.purge(WORK_STREAM, { filter: workSubject(flood[0] as TaskSpec) });
    const later = await scene.create({ fairnessKey: 'a' });
    expect(await items(later.taskId)).toEqual([workSubject({ ...later, priority: 9 })]);
    const other = await scene.create({ fairnessKey: 'b' });
    expect(await items(other.taskId)).toEqual([workSubject(other)]);
    await on.broker.jsm.streams.purge(WORK_STREAM, { filter: `work.${scene.queue}.5.>` });
    expect(await on.store.tasks.create(late)).toBe(false);
    expect(await items(late.taskId)).toEqual([workSubject({ ...late, priority: 9 })]);
  });
});

describe('a limit over all workers', () => {
  it('of a tool is never exceeded, and everything runs', async () => {
    const scene = recorder(40, { runningMax: 3 });
    await createMany(30, () => scene.create());
    for (let i = 0; i < 3; i++) await scene.work({ slots: 5, limitRetryMs: 20, limitRetryMsMax: 200 });
    await scene.until(30);
    expect(scene.now.most).toBeLessThanOrEqual(3);
    expect(scene.now.most).toBeGreaterThan(1);
  });

  it('of an owner is never exceeded, and holds nobody else up', async () => {
    const scene = recorder(20);
    const mine = await createMany(12, () => scene.create({ fairnessKey: `a-${scene.queue}` }));
    const free = await createMany(12, (i) => scene.create({ fairnessKey: `b-${scene.queue}-${i}` }));
    for (let i = 0; i < 2; i++)
      await scene.work({ slots: 6, ownerRunningMax: 1, limitRetryMs: 20, limitRetryMsMax: 200 });
    await scene.until(24);
    const starts = scene.began.filter(({ taskId }) => ids(mine).includes(taskId)).map(({ at }) => at);
    for (let i = 1; i < starts.length; i++) {
      expect((starts[i] as number) - (starts[i - 1] as number)).toBeGreaterThanOrEqual(19);
    }
    const lastFree = Math.max(...free.map((spec) => scene.order().indexOf(spec.taskId)));
    expect(lastFree).toBeLessThan(20);
  });

  it('is not used up by a task that was taken out by hand', async () => {
    const scene = recorder(0, { runningMax: 1 });
    const gone = await scene.create();
    await on.broker.js.publish(holdSubject('tool-record', gone.taskId));
    await on.broker.jsm.streams.purge(WORK_STREAM, { filter: workSubject(gone) });
    const spec = await scene.create();
    await scene.work({ slots: 2, limitRetryMs: 10, limitRetryMsMax: 50 });
    await expect.poll(scene.order, { timeout: 10_000 }).toEqual([spec.taskId]);
  });

  it('leaves nothing behind', async () => {
    const scene = recorder(0, { name: 'record.dotted', runningMax: 2 });
    for (let i = 0; i < 6; i++) await scene.create({ tool: 'record.dotted' });
    await scene.work({ slots: 4, ownerRunningMax: 2, limitRetryMs: 10, limitRetryMsMax: 50 });
    await scene.until(6);
    const holds = async () =>
      Object.keys(
        (await on.broker.jsm.streams.info(WORK_STREAM, { subjects_filter: 'work.hold.>' })).state.subjects ?? {},
      );
    await expect.poll(holds).toEqual([]);
  });
});

describe('a task for later', () => {
  it('begins when it is due, not before, and holds nobody up', async () => {
    const scene = recorder(0);
    const later = await scene.create({ startAt: new Date(Date.now() + 700).toISOString() });
    const now = await scene.create();
    await scene.work({ slots: 1 });
    await scene.until(2);
    expect(scene.order()).toEqual([now.taskId, later.taskId]);
    expect(scene.began[1]?.at).toBeGreaterThanOrEqual(Date.parse(later.startAt ?? ''));
    expect((await readTask(on, later.taskId)).end).toMatchObject({ status: 'completed' });
  });

  it('can be cancelled before', async () => {
    const scene = recorder(0);
    const later = await scene.create({ startAt: new Date(Date.now() + 60_000).toISOString() });
    await scene.work();
    await on.store.tasks.cancel(later.taskId);
    expect((await readTask(on, later.taskId)).end).toMatchObject({ status: 'cancelled' });
  });
});

describe('the consumers of a queue', () => {
  it('are made out of the one that an older version had', async () => {
    const queue = `q${nanoid(8)}`;
    await on.broker.jsm.consumers.add(WORK_STREAM, {
      durable_name: `QUEUE_${queue}`,
      filter_subject: `work.${queue}.>`,
      ack_policy: 'explicit',
    });
    const [first, second] = [await createTask(on, { queue }), await createTask(on, { queue, priority: 9 })];
    const got: string[] = [];
    await on.store.work.pull(queue, 5, (item) => void got.push(item.taskId), new AbortController().signal);
    expect(got).toEqual([first.taskId, second.taskId]);
    for (const line of LINES) {
      const info = await on.broker.jsm.consumers.info(WORK_STREAM, lineConsumer(queue, line));
      expect(info.config.filter_subjects).toHaveLength(line.priorities.length);
    }
  });
});
