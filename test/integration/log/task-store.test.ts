/** Tasks as front ends see them: created once, read as they are, cancelled wherever they stand. DESIGN §3.8. */
import { parseTaskId, type MailboxCommand, type TaskPlace, type TaskSpec } from '@taskstream/core';
import { evtSubject, WORK_STREAM } from '@taskstream/jetstream';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connectStore, startNats, type TestNats, type TestStore } from '../../support/nats.js';
import { testSpec } from '../../support/specs.js';
import {
  beginAttempt,
  createTask,
  emitSteps,
  readEvents,
  readTask,
  runningTask,
  storedLines,
} from '../../support/task-logs.js';
import { startTcpProxy } from '../../support/tcp-proxy.js';

let nats: TestNats;
let on: TestStore;
let other: TestStore;

beforeAll(async () => {
  nats = await startNats();
  on = await connectStore(nats.url);
  other = await connectStore(nats.url);
});

afterAll(async () => {
  await on?.[Symbol.asyncDispose]();
  await other?.[Symbol.asyncDispose]();
  await nats?.[Symbol.asyncDispose]();
});

async function itemOf(spec: TaskSpec): Promise<number> {
  const info = await on.broker.jsm.streams.info(WORK_STREAM, { subjects_filter: `work.*.*.*.${spec.taskId}` });
  return Object.values(info.state.subjects ?? {}).reduce((sum, n) => sum + n, 0);
}

async function mailOf(spec: TaskSpec): Promise<MailboxCommand[]> {
  const got: MailboxCommand[] = [];
  const over = new AbortController();
  await on.store.attempts.followMailbox(spec.taskId, (c) => void got.push(c), over.signal);
  over.abort();
  return got;
}

describe('creation', () => {
  it('makes a spec, a first event and a work item, and is visible everywhere when it resolves', async () => {
    const spec = testSpec({
      tool: 'count',
      arguments: { n: 3, deep: { list: [1, null, 'x'] } },
      traceparent: undefined,
    });
    expect(await on.store.tasks.create(spec)).toBe(true);
    expect(await other.store.tasks.readSpec(spec.taskId)).toEqual(JSON.parse(JSON.stringify(spec)));
    expect(await other.store.tasks.read(spec.taskId)).toMatchObject({ status: { status: 'working' }, nextSeq: 1 });
    const [first] = await storedLines(other, spec.taskId);
    expect(JSON.parse(first ?? '')).toMatchObject({
      seq: 0,
      taskId: spec.taskId,
      type: 'dev.taskstream.task.status',
      payload: { status: 'working' },
      _meta: { 'dev.taskstream/event': { attempt: 0, worker: 'front-end' } },
    });
    expect(await itemOf(spec)).toBe(1);
  });

  it('again with the same digest finds the task, however far it is', async () => {
    const spec = testSpec({ requestDigest: 'digest' });
    expect(await on.store.tasks.create(spec)).toBe(true);
    // The second call is made later, elsewhere, with a clock of its own.
    const again = { ...spec, createdAt: new Date(Date.now() + 5_000).toISOString() };
    expect(await other.store.tasks.create(again)).toBe(false);
    const log = await beginAttempt(on, spec);
    await emitSteps(log, 3);
    expect(await other.store.tasks.create(again)).toBe(false);
    await log.appendStatus({ status: 'completed', result: { content: [] } });
    expect(await other.store.tasks.create(again)).toBe(false);
    expect(await other.store.tasks.read(spec.taskId)).toMatchObject({ spec, status: { status: 'completed' } });
    expect(await storedLines(on, spec.taskId)).toHaveLength(6);
    expect(await itemOf(spec)).toBe(1);
  });

  it('with another digest is refused, and changes nothing', async () => {
    const spec = await createTask(on, { requestDigest: 'one', arguments: { n: 1 } });
    const conflicting = { ...spec, requestDigest: 'two', arguments: { n: 2 } };
    for (const store of [on, other]) {
      await expect(store.store.tasks.create(conflicting)).rejects.toMatchObject({ code: 'idempotency_conflict' });
    }
    expect(await other.store.tasks.readSpec(spec.taskId)).toEqual(spec);
    expect(await storedLines(on, spec.taskId)).toHaveLength(1);
    expect(await itemOf(spec)).toBe(1);
  });

  it('by many at the same time makes one task, and only one of them made it', async () => {
    const spec = testSpec({ requestDigest: 'same' });
    const made = await Promise.all(
      Array.from({ length: 10 }, (_e, i) => (i % 2 === 0 ? on : other).store.tasks.create(spec)),
    );
    expect(made.filter(Boolean)).toHaveLength(1);
    expect(await storedLines(on, spec.taskId)).toHaveLength(1);
    expect(await itemOf(spec)).toBe(1);
  });

  it('that was interrupted after any of its steps is completed by the next one', async () => {
    const whole = testSpec({ requestDigest: 'same' });
    await on.store.tasks.create(whole);
    const place = parseTaskId(whole.taskId) as TaskPlace;
    const lose: Array<() => Promise<unknown>> = [
      () => on.broker.jsm.streams.purge('TASKS_d_0', { filter: evtSubject(place, whole.taskId) }),
      () => on.broker.jsm.streams.purge(WORK_STREAM, { filter: `work.*.*.*.${whole.taskId}` }),
    ];
    for (const step of lose) {
      await step();
      expect(await other.store.tasks.create(whole)).toBe(false);
      expect(await itemOf(whole)).toBe(1);
      expect(await other.store.tasks.read(whole.taskId)).toMatchObject({ status: { status: 'working' }, nextSeq: 1 });
    }
  });

  it('of a spec that no message can hold is refused', async () => {
    const spec = testSpec({ arguments: { text: 'x'.repeat(on.options.messageBytesMax) } });
    await expect(on.store.tasks.create(spec)).rejects.toMatchObject({ code: 'payload_too_large' });
    expect(await on.store.tasks.readSpec(spec.taskId)).toBeUndefined();
    expect(await itemOf(spec)).toBe(0);
  });

  it('that cannot be queued ends the task, so that nobody waits for it', async () => {
    const proxy = await startTcpProxy(nats.url);
    const unlucky = await connectStore(proxy.url, { publishTimeoutMs: 100, publishRetryMsMax: 700 });
    // The queue is full; the streams of the tasks are not.
    const config = (await on.broker.jsm.streams.info(WORK_STREAM)).config;
    await on.broker.jsm.streams.update(WORK_STREAM, { ...config, max_msgs: 1 });
    const spec = testSpec();
    try {
      await createTask(on).catch(() => undefined);
      await expect(unlucky.store.tasks.create(spec)).rejects.toThrow(/full/);
    } finally {
      await on.broker.jsm.streams.update(WORK_STREAM, config);
    }
    const snapshot = await other.store.tasks.read(spec.taskId);
    expect(snapshot?.status).toMatchObject({ status: 'failed', error: { code: -32603 } });
    expect((await readTask(other, spec.taskId)).end).toMatchObject({ type: 'end', reason: 'terminal' });
    await unlucky[Symbol.asyncDispose]();
    await proxy[Symbol.asyncDispose]();
  });
});

describe('reading', () => {
  it('shows the latest status with its time and its whole payload', async () => {
    const { spec, log } = await runningTask(on);
    await log.appendStatus({ status: 'working', statusMessage: 'one' });
    await delay(5);
    const before = new Date().toISOString();
    await log.appendStatus({ status: 'working', statusMessage: 'two' });
    await emitSteps(log, 250);
    const snapshot = await other.store.tasks.read(spec.taskId);
    expect(snapshot?.status).toEqual({ status: 'working', statusMessage: 'two' });
    expect(snapshot?.nextSeq).toBe(log.nextSeq);
    expect(snapshot?.statusUpdatedAt.localeCompare(before)).toBeGreaterThanOrEqual(0);
  });

  it('takes the last of several statuses in one pack, in the middle of other events', async () => {
    const { spec, log } = await runningTask(on);
    await Promise.all([
      log.appendStatus({ status: 'working', statusMessage: 'first' }),
      emitSteps(log, 3),
      log.appendStatus({ status: 'working', statusMessage: 'last' }),
      log.append([{ type: 'com.example.quotes', payload: { text: '"type":"dev.taskstream.task.status"' } }]),
    ]);
    expect((await other.store.tasks.read(spec.taskId))?.status.statusMessage).toBe('last');
  });

  it('never shows less than this node has already seen', async () => {
    const { spec, log } = await runningTask(on);
    const session = await other.store.events.open(spec.taskId, undefined);
    const reading = readEvents(session, {
      onLines: async (soFar) => {
        expect((await other.store.tasks.read(spec.taskId))?.nextSeq).toBeGreaterThanOrEqual(soFar);
      },
    });
    await emitSteps(log, 40, 'awaited');
    await log.appendStatus({ status: 'completed', result: { content: [] } });
    expect((await reading).lines).toHaveLength(43);
    expect((await other.store.tasks.read(spec.taskId))?.status.status).toBe('completed');
  });

  it.each([
    ['was never created', () => Promise.resolve(testSpec())],
    ['has expired', () => createTask(on, { createdAt: new Date(Date.now() - 10_000).toISOString(), ttlMs: 9_000 })],
  ])('finds nothing of a task that %s', async (_what, make) => {
    const spec = await make();
    expect(await on.store.tasks.read(spec.taskId)).toBeUndefined();
    expect(await other.store.tasks.read(spec.taskId)).toBeUndefined();
  });

  it('finds a task up to the last moment of its life, and not after it', async () => {
    const spec = await createTask(on, { ttlMs: 1_500 });
    expect(await other.store.tasks.read(spec.taskId)).toBeDefined();
    await expect.poll(() => other.store.tasks.read(spec.taskId), { timeout: 5_000 }).toBeUndefined();
    expect(Date.now()).toBeGreaterThanOrEqual(Date.parse(spec.createdAt) + 1_500);
  });

  it('finds a task without age for as long as it is there', async () => {
    const spec = await createTask(on, { createdAt: '2020-01-01T00:00:00.000Z', ttlMs: null });
    expect(await other.store.tasks.read(spec.taskId)).toMatchObject({ status: { status: 'working' } });
  });

  it.each(['', 'nonsense', 'd0-short', 'd0-'.padEnd(10_000, 'x'), 'evt.>', 'd0-aaaaaaaaaaaaaaaaaaaaa.'])(
    'refuses what is no task id: "%s"',
    async (id) => {
      await expect(on.store.tasks.read(id)).rejects.toMatchObject({ code: 'unknown_task' });
      await expect(on.store.tasks.cancel(id)).rejects.toMatchObject({ code: 'unknown_task' });
      await expect(on.store.tasks.send(id, { type: 'cancel' })).rejects.toMatchObject({ code: 'unknown_task' });
    },
  );
});

describe('a command', () => {
  it('that no message can hold is refused, and the mailbox stays as it was', async () => {
    const { spec } = await runningTask(on);
    const response = { text: 'x'.repeat(on.options.messageBytesMax) };
    await expect(on.store.tasks.send(spec.taskId, { type: 'input', key: 'k', response })).rejects.toMatchObject({
      code: 'payload_too_large',
    });
    expect(await mailOf(spec)).toEqual([]);
  });
});

describe('cancel', () => {
  it('ends a task that nobody works on, without a worker', async () => {
    const spec = await createTask(on);
    await other.store.tasks.cancel(spec.taskId, 'changed my mind');
    expect((await on.store.tasks.read(spec.taskId))?.status).toEqual({
      status: 'cancelled',
      statusMessage: 'changed my mind',
    });
    expect(await mailOf(spec)).toEqual([]);
  });

  it('ends a task between two attempts', async () => {
    const { spec, log } = await runningTask(on);
    await log.appendAttemptEnd({ reason: 'error', message: 'no', retryAt: new Date().toISOString() });
    await other.store.tasks.cancel(spec.taskId);
    expect(await on.store.attempts.readTail(spec.taskId)).toMatchObject({
      status: 'cancelled',
      attempt: 1,
      failures: 1,
    });
  });

  it('asks the attempt that runs', async () => {
    const { spec, log } = await runningTask(on);
    await other.store.tasks.cancel(spec.taskId, 'enough');
    expect(await mailOf(spec)).toEqual([{ type: 'cancel', reason: 'enough' }]);
    expect((await on.store.tasks.read(spec.taskId))?.status.status).toBe('working');
    await log.append([{ type: 'com.example.step', payload: {} }]);
  });

  it('of a task that is over changes nothing', async () => {
    const { spec, log } = await runningTask(on);
    await log.appendStatus({ status: 'completed', result: { content: [] } });
    const lines = await storedLines(on, spec.taskId);
    await other.store.tasks.cancel(spec.taskId);
    await other.store.tasks.cancelNow(spec.taskId);
    expect(await storedLines(on, spec.taskId)).toEqual(lines);
    expect(await mailOf(spec)).toEqual([]);
  });

  it('by many at the same time cancels once', async () => {
    const spec = await createTask(on);
    await Promise.all(Array.from({ length: 8 }, (_e, i) => (i % 2 === 0 ? on : other).store.tasks.cancel(spec.taskId)));
    const statuses = (await storedLines(on, spec.taskId)).map(
      (line) => (JSON.parse(line) as { payload: { status: string } }).payload.status,
    );
    expect(statuses).toEqual(['working', 'cancelled']);
  });

  it('at once fences the attempt that runs, while it writes', async () => {
    const { spec, log } = await runningTask(on);
    const writing = (async () => {
      for (;;) {
        await log.append([{ type: 'com.example.step', payload: {} }]);
        await delay(10);
      }
    })();
    const fenced = expect(writing).rejects.toMatchObject({ code: 'fenced' });
    await delay(50);
    await other.store.tasks.cancelNow(spec.taskId, 'now');
    await fenced;
    const lines = await storedLines(on, spec.taskId);
    expect(JSON.parse(lines.at(-1) ?? '')).toMatchObject({ payload: { status: 'cancelled', statusMessage: 'now' } });
  });
});
