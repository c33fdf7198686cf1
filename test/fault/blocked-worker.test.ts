/** A tool that blocks the event loop of its worker: the lease is kept by another thread, for a while. DESIGN §3.8. */
import { SystemEvent, type TaskEvent } from '@taskstream/protocol';
import { beforeAll, describe, expect, it } from 'vitest';
import type { TestStore } from '../support/nats.js';
import { createTask, readTask } from '../support/task-logs.js';
import { workerScene } from './scene.js';

const LEASE_MS = 1_200;

const scene = workerScene({ TASKSTREAM_LEASE_MS: String(LEASE_MS) });
const { worker } = scene;
let on: TestStore;

beforeAll(() => {
  ({ on } = scene);
});

async function eventsOf(taskId: string): Promise<TaskEvent[]> {
  return (await readTask(on, taskId)).lines.map((line) => JSON.parse(line) as TaskEvent);
}

const startsOf = (events: ReadonlyArray<TaskEvent>) =>
  events.filter((e) => e.type === SystemEvent.attemptStarted).map((e) => e.payload['cause']);

describe('a tool that blocks the event loop', () => {
  it('for three leases keeps its task: nobody takes it over, and its neighbours go on afterwards', async () => {
    await worker();
    const neighbour = await createTask(on, { tool: 'count', arguments: { n: 40, everyMs: 50 } });
    await expect.poll(async () => (await on.store.tasks.read(neighbour.taskId))?.nextSeq ?? 0).toBeGreaterThan(4);
    const blocking = await createTask(on, { tool: 'block', arguments: { ms: LEASE_MS * 3 } });
    await expect.poll(async () => (await on.store.tasks.read(blocking.taskId))?.nextSeq ?? 0).toBeGreaterThan(2);
    // Somebody who would take over what is free.
    const other = await worker();
    const events = await eventsOf(blocking.taskId);
    expect(startsOf(events)).toEqual(['first']);
    expect(events.at(-1)?.payload).toMatchObject({ status: 'completed' });
    expect(startsOf(await eventsOf(neighbour.taskId))).toEqual(['first']);
    expect(other.log()).not.toContain('attempt started');
  });

  it('for longer than blockedMsMax: its worker says so and ends, and another one takes the task over', async () => {
    const blocked = await worker({ TASKSTREAM_BLOCKED_MS_MAX: '1500' });
    const task = await createTask(on, { tool: 'block', arguments: { ms: 60_000, upTo: 1 } });
    await expect.poll(async () => (await on.store.tasks.read(task.taskId))?.nextSeq ?? 0).toBeGreaterThan(2);
    await worker();
    expect(await blocked.exited).toEqual({ code: null, signal: 'SIGKILL' });
    expect(blocked.log()).toMatch(
      new RegExp(`"blockedMsMax":1500,"taskIds":\\["${task.taskId}"\\],"msg":"The event loop`),
    );
    const events = await eventsOf(task.taskId);
    expect(startsOf(events)).toEqual(['first', 'lease_lost']);
    expect(events.at(-1)?.payload).toMatchObject({ status: 'completed' });
  });
});

describe('tools that do not stop', () => {
  it('hold their slots; when they hold all of them, the worker ends and a fresh one goes on', async () => {
    const stuck = await worker({ TASKSTREAM_SLOTS: '2', TASKSTREAM_STOP_GRACE_MS: '100' });
    const deaf = [];
    for (let i = 0; i < 2; i++) deaf.push(await createTask(on, { tool: 'stubborn', arguments: { ms: 300_000 } }));
    for (const { taskId } of deaf) {
      await expect.poll(async () => (await on.store.tasks.read(taskId))?.nextSeq ?? 0).toBeGreaterThan(1);
      await on.store.tasks.cancel(taskId);
    }
    const next = await createTask(on, { tool: 'count', arguments: { n: 1 } });
    for (const { taskId } of deaf) expect((await readTask(on, taskId)).end).toMatchObject({ status: 'cancelled' });
    expect(await stuck.exited).toEqual({ code: 0, signal: null });
    expect(stuck.log()).toContain('every slot is held by a tool that does not stop');
    await worker();
    expect((await readTask(on, next.taskId)).end).toMatchObject({ status: 'completed' });
  });
});
