/** Deletion: nothing of a task stays, on any node, and whoever reads or writes it is told. PROTOCOL Cursor, SEP2694-CLIENT-DELETES. */
import type { AttemptLog, EventStream, TaskSpec } from '@taskstream/core';
import { WORK_STREAM } from '@taskstream/jetstream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connectStore, startNats, type TestNats, type TestStore } from '../../support/nats.js';
import { createTask, emitSteps, readEvents, runningTask, storedMessages } from '../../support/task-logs.js';

let nats: TestNats;
let on: TestStore;
/** Another node: it remembers what it has read. Small pages, no ring. */
let other: TestStore;

beforeAll(async () => {
  nats = await startNats();
  on = await connectStore(nats.url, { purgeMessages: 7 });
  other = await connectStore(nats.url, { historyBatchMessages: 2, feedRingBytesMax: 1 });
});
afterAll(async () => {
  for (const store of [on, other]) await store?.[Symbol.asyncDispose]();
  await nats?.[Symbol.asyncDispose]();
});

const finish = (log: AttemptLog) => log.appendStatus({ status: 'completed', result: { content: [] } });

/** Subjects that still hold something of the task. */
async function leftOf(spec: TaskSpec): Promise<string[]> {
  const left: string[] = [];
  for await (const { config } of on.broker.jsm.streams.list()) {
    const { state } = await on.broker.jsm.streams.info(config.name, { subjects_filter: '>' });
    left.push(...Object.keys(state.subjects ?? {}).filter((s) => s.includes(spec.taskId)));
  }
  return left;
}

async function finishedTask(events: number): Promise<TaskSpec> {
  const { spec, log } = await runningTask(on);
  await emitSteps(log, events, 'awaited');
  await finish(log);
  return spec;
}

describe('deleting a task', () => {
  it('removes events, spec, mailbox, state and work item, and touches no other task', async () => {
    const { spec, log } = await runningTask(on);
    const neighbour = await createTask(on);
    await emitSteps(log, 30, 'awaited');
    await on.store.tasks.send(spec.taskId, { type: 'input', key: 'k', response: {} });
    const [retentionClass, shard] = ['d', 0];
    await on.broker.js.publish(`state.${retentionClass}.${shard}.${spec.taskId}.step`, '{}');
    await finish(log);
    expect(new Set((await leftOf(spec)).map((s) => s.split('.')[0]))).toEqual(
      new Set(['evt', 'spec', 'cmd', 'state', 'work']),
    );
    await on.store.tasks.delete(spec.taskId);
    expect(await leftOf(spec)).toEqual([]);
    expect((await on.store.tasks.read(neighbour.taskId))?.status.status).toBe('working');
    expect((await leftOf(neighbour)).length).toBe(3);
  });

  it('makes it unknown on every node, also where it was just read and followed', async () => {
    const spec = await finishedTask(3);
    for (const { store } of [on, other]) {
      expect(await store.tasks.read(spec.taskId)).toBeDefined();
      await readEvents(await store.events.open(spec.taskId, undefined));
    }
    await on.store.tasks.delete(spec.taskId);
    for (const { store } of [on, other]) {
      expect(await store.tasks.read(spec.taskId)).toBeUndefined();
      await expect(store.events.open(spec.taskId, undefined)).rejects.toMatchObject({ code: 'unknown_task' });
      await expect.poll(() => store.tasks.readSpec(spec.taskId)).toBeUndefined();
      await expect(store.tasks.cancel(spec.taskId)).rejects.toMatchObject({ code: 'unknown_task' });
      await expect(store.tasks.delete(spec.taskId)).rejects.toMatchObject({ code: 'unknown_task' });
    }
  });

  it('of one that waits takes it out of the queue', async () => {
    const spec = await createTask(on);
    await other.store.tasks.delete(spec.taskId);
    expect(await leftOf(spec)).toEqual([]);
    const { state } = await on.broker.jsm.streams.info(WORK_STREAM, { subjects_filter: `work.*.*.*.${spec.taskId}` });
    expect(state.subjects ?? {}).toEqual({});
  });

  it('of one that runs fences its attempt: it learns that it must stop, not that data were lost', async () => {
    const { spec, log } = await runningTask(on);
    await emitSteps(log, 20, 'awaited');
    await other.store.tasks.delete(spec.taskId);
    await expect(log.append([{ type: 'com.example.step', payload: {} }])).rejects.toMatchObject({ code: 'fenced' });
    expect(await leftOf(spec)).toEqual([]);
  });

  it('frees its id: the same creation makes a new task, which every node sees as it is now', async () => {
    const first = await finishedTask(2);
    expect((await other.store.tasks.read(first.taskId))?.spec.tool).toBe(first.tool);
    await on.store.tasks.delete(first.taskId);
    const again = await createTask(on, { taskId: first.taskId, arguments: { second: true } });
    await expect
      .poll(async () => (await other.store.tasks.read(first.taskId))?.spec.arguments)
      .toEqual(again.arguments);
    expect((await other.store.tasks.read(first.taskId))?.nextSeq).toBe(1);
  });
});

describe('a stream that is open when its task is deleted', () => {
  const openAndRead = async (store: TestStore, spec: TaskSpec, after?: number): Promise<EventStream> => {
    const session = await store.store.events.open(spec.taskId, after);
    expect((await session.next()).type).toBe('packs');
    return session;
  };

  it.each([
    ['this node', () => on],
    ['another node', () => other],
  ])('on %s is gone when events that it had not read were removed', async (_where, node) => {
    const spec = await finishedTask(60);
    // The first page of a replay is small: most of the log is still unread.
    const session = await openAndRead(node(), spec, 0);
    const { nextSeq } = (await on.store.tasks.read(spec.taskId))!;
    await on.store.tasks.delete(spec.taskId);
    const read = await readEvents(session);
    expect(read.end).toEqual({ type: 'gone', earliestSeq: nextSeq });
  });

  it.each([
    ['this node', () => on],
    ['another node', () => other],
  ])('on %s ends when it had read everything', async (_where, node) => {
    const { spec } = await runningTask(on);
    const session = await openAndRead(node(), spec);
    const reading = readEvents(session);
    await on.store.tasks.delete(spec.taskId);
    const { end, lines } = await reading;
    // It gets the end of the task when that comes first; in any case it ends, and nothing is passed over.
    expect(end).toMatchObject({ type: 'end' });
    expect(['terminal', 'expired']).toContain((end as { reason: string }).reason);
    if ((end as { reason: string }).reason === 'terminal') {
      expect(JSON.parse(lines.at(-1) ?? '')).toMatchObject({ payload: { status: 'cancelled' } });
    }
  });
});

it('a node that missed the news of it finds out by the log', async () => {
  const deaf = await connectStore(nats.url);
  try {
    const spec = await finishedTask(2);
    expect(await deaf.store.tasks.read(spec.taskId)).toBeDefined();
    await readEvents(await deaf.store.events.open(spec.taskId, undefined));
    // As the broker would do it for somebody who cannot tell the nodes.
    const filter = `*.d.0.${spec.taskId}`;
    await on.broker.jsm.streams.purge('TASKS_d_0', { filter });
    expect(await deaf.store.tasks.read(spec.taskId)).toBeUndefined();
    expect(await storedMessages(on, spec.taskId)).toEqual([]);
  } finally {
    await deaf[Symbol.asyncDispose]();
  }
});
