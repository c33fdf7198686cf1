/**
 * Workers that die, hang, drain and fail, as real processes with real signals: the log goes on, in order and once.
 */
import { WORK_STREAM } from '@taskstream/jetstream';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { connectStore, startNats, type TestNats, type TestStore } from '../support/nats.js';
import { callTask, expectContiguous, readStream, rpc, type ReadStream } from '../support/rpc.js';
import { startFrontEnd, startWorker, stopAll, type FrontEnd, type TestProcess } from '../support/system.js';

const LEASE_MS = 2_000;
let nats: TestNats;
let frontEnd: FrontEnd;
let observer: TestStore;
let workers: TestProcess[] = [];

beforeAll(async () => {
  nats = await startNats();
  frontEnd = await startFrontEnd(nats.url);
  observer = await connectStore(nats.url, { leaseMs: LEASE_MS });
});

afterEach(async () => {
  await stopAll(workers, 'SIGKILL');
  workers = [];
});

afterAll(async () => {
  await observer[Symbol.asyncDispose]();
  await stopAll([frontEnd]);
  await nats[Symbol.asyncDispose]();
});

async function worker(env: Record<string, string> = {}): Promise<TestProcess> {
  const started = await startWorker(nats.url, { TASKSTREAM_LEASE_MS: String(LEASE_MS), ...env });
  workers.push(started);
  return started;
}

interface Event {
  readonly seq: number;
  readonly type: string;
  readonly payload: Record<string, unknown>;
}

const eventsOf = (stream: ReadStream): Event[] => stream.params.map((text) => JSON.parse(text) as Event);
const ofType = (events: readonly Event[], type: string) => events.filter((e) => e.type === type);
const causes = (events: readonly Event[]) =>
  ofType(events, 'dev.taskstream.attempt.started').map((e) => e.payload['cause']);

/** Resolves when the task has emitted at least `count` events of its own. */
async function whenCounted(taskId: string, count: number): Promise<void> {
  await readStream(frontEnd.endpoint, taskId, undefined, {
    stop: (params) => (JSON.parse(params) as Event).payload['i'] === count,
  });
}

async function workItems(): Promise<number> {
  return (await observer.broker.jsm.streams.info(WORK_STREAM)).state.messages;
}

/** The numbers that an attempt counted: each from 0, in order, without a hole. */
function expectCounted(events: readonly Event[], attempts: number, n: number): void {
  const counted = ofType(events, 'com.example.count').map((e) => Number(e.payload['i']));
  const runs: number[][] = [];
  for (const i of counted) {
    if (i === 0) runs.push([]);
    const run = runs.at(-1);
    expect(i).toBe(run?.length);
    run?.push(i);
  }
  expect(runs).toHaveLength(attempts);
  expect(runs.at(-1)).toHaveLength(n);
}

test('a worker killed in mid-task: the next one continues the log with the next seq', async () => {
  const first = await worker();
  const taskId = await callTask(frontEnd.endpoint, 'count', { n: 100, everyMs: 20 });
  const reading = readStream(frontEnd.endpoint, taskId);
  await whenCounted(taskId, 10);
  first.kill('SIGKILL');
  await worker();
  const stream = await reading;
  expect(stream.broken).toBe(false);
  expectContiguous(stream.params, 0);
  const events = eventsOf(stream);
  expect(causes(events)).toEqual(['first', 'lease_lost']);
  expectCounted(events, 2, 100);
  expect(stream.result).toMatchObject({
    _meta: { 'dev.taskstream/stream': { reason: 'terminal', status: 'completed' } },
  });
});

test('a worker stopped past its lease and continued is fenced, and leaves the item of its successor alone', async () => {
  const zombie = await worker();
  const taskId = await callTask(frontEnd.endpoint, 'count', { n: 150, everyMs: 40 });
  const reading = readStream(frontEnd.endpoint, taskId);
  await whenCounted(taskId, 5);
  zombie.kill('SIGSTOP');
  await worker();
  await readStream(frontEnd.endpoint, taskId, undefined, {
    stop: (params) => (JSON.parse(params) as Event).payload['cause'] === 'lease_lost',
  });
  zombie.kill('SIGCONT');
  await whenCounted(taskId, 60);
  // The successor still works on it: its item must still be there.
  expect(await workItems()).toBe(1);
  const stream = await reading;
  expectContiguous(stream.params, 0);
  const events = eventsOf(stream);
  expect(causes(events)).toEqual(['first', 'lease_lost']);
  expectCounted(events, 2, 150);
  expect(zombie.log()).toContain('attempt stopped without a word');
  await expect.poll(workItems).toBe(0);
});

test('a tool that kills its worker each time fails after its attempts, and the queue goes on', async () => {
  await worker();
  const taskId = await callTask(frontEnd.endpoint, 'exit', { upTo: 99 });
  const reading = readStream(frontEnd.endpoint, taskId);
  // As a supervisor would: one dies, the next one starts.
  let over = false;
  const replacing = (async () => {
    for (let started = 0; !over && started < 5; started++) {
      await workers.at(-1)?.exited;
      if (!over) await worker();
    }
  })();
  const stream = await reading;
  expectContiguous(stream.params, 0);
  const events = eventsOf(stream);
  expect(causes(events)).toEqual(['first', 'lease_lost', 'lease_lost']);
  const task = await rpc(frontEnd.endpoint, 'tasks/get', { taskId });
  expect(task.result).toMatchObject({ status: 'failed', error: { code: -32603 } });
  expect(JSON.stringify(task.result)).toContain('3 times');
  const after = await callTask(frontEnd.endpoint, 'count', { n: 3 });
  const next = await readStream(frontEnd.endpoint, after);
  await expect.poll(workItems).toBe(0);
  over = true;
  workers.at(-1)?.kill('SIGKILL');
  await replacing;
  expect(next.result).toBeDefined();
});

test('a drained worker hands its task over, and that is not counted as a failure', async () => {
  const first = await worker({ TASKSTREAM_DRAIN_MS_MAX: '100' });
  const taskId = await callTask(frontEnd.endpoint, 'count', { n: 100, everyMs: 20 });
  const reading = readStream(frontEnd.endpoint, taskId);
  await whenCounted(taskId, 5);
  await worker();
  first.kill('SIGTERM');
  expect(await first.exited).toMatchObject({ code: 0 });
  const events = eventsOf(await reading);
  expect(causes(events)).toEqual(['first', 'handed_over']);
  expect(ofType(events, 'dev.taskstream.attempt.ended')).toMatchObject([{ payload: { reason: 'handed_over' } }]);
  expectCounted(events, 2, 100);
  const tail = await observer.store.attempts.readTail(taskId);
  expect(tail).toMatchObject({ attempt: 2, failures: 0, status: 'completed' });
});

test('an error that may pass is tried again after its backoff, until the attempts are used up', async () => {
  await worker();
  const passes = await callTask(frontEnd.endpoint, 'flaky', { until: 2 });
  const events = eventsOf(await readStream(frontEnd.endpoint, passes));
  expect(causes(events)).toEqual(['first', 'retry']);
  expect(ofType(events, 'dev.taskstream.attempt.ended')).toMatchObject([
    { payload: { reason: 'error', message: 'attempt 1 fails' } },
  ]);
  const fails = await callTask(frontEnd.endpoint, 'flaky', { until: 99 });
  const all = eventsOf(await readStream(frontEnd.endpoint, fails));
  expect(causes(all)).toEqual(['first', 'retry', 'retry']);
  expect((await rpc(frontEnd.endpoint, 'tasks/get', { taskId: fails })).result).toMatchObject({ status: 'failed' });
});

test('a cancel needs no worker before the start, reaches a running tool, and does not wait for a stubborn one', async () => {
  const queued = await callTask(frontEnd.endpoint, 'count', { n: 5 });
  await rpc(frontEnd.endpoint, 'tasks/cancel', { taskId: queued });
  const before = await readStream(frontEnd.endpoint, queued);
  expect(eventsOf(before).at(-1)?.payload).toMatchObject({ status: 'cancelled' });
  await worker({ TASKSTREAM_STOP_GRACE_MS: '300' });
  for (const [tool, args] of [
    ['count', { n: 10_000, everyMs: 20 }],
    ['stubborn', { ms: 60_000 }],
  ] as const) {
    const taskId = await callTask(frontEnd.endpoint, tool, args);
    await readStream(frontEnd.endpoint, taskId, undefined, {
      stop: (params) => params.includes('dev.taskstream.attempt.started'),
    });
    expect((await rpc(frontEnd.endpoint, 'tasks/cancel', { taskId })).result).toMatchObject({ resultType: 'complete' });
    const events = eventsOf(await readStream(frontEnd.endpoint, taskId));
    expect(events.at(-1)?.payload).toMatchObject({ status: 'cancelled' });
  }
  await expect.poll(workItems).toBe(0);
});
