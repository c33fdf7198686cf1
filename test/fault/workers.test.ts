/** Workers that stop, die, are told to go or cannot bear their task: real processes, one log. DESIGN §3.8. */
import type { TaskSpec } from '@taskstream/core';
import { SystemEvent, type TaskEvent } from '@taskstream/protocol';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { connectStore, startNats, type TestNats, type TestStore } from '../support/nats.js';
import { startWorker, stopAll, type TestProcess } from '../support/system.js';
import { createTask, readEvents, storedLines, type Read } from '../support/task-logs.js';

const LEASE_MS = 1_500;
const COUNT = 'com.example.count';

let nats: TestNats;
let on: TestStore;
let workers: TestProcess[] = [];

beforeAll(async () => {
  nats = await startNats();
  on = await connectStore(nats.url);
});

afterAll(async () => {
  await on?.[Symbol.asyncDispose]();
  await nats?.[Symbol.asyncDispose]();
});

afterEach(async () => {
  await stopAll(workers, 'SIGKILL');
  workers = [];
});

async function worker(env: Record<string, string> = {}): Promise<TestProcess> {
  const started = await startWorker(nats.url, { TASKSTREAM_LEASE_MS: String(LEASE_MS), ...env });
  workers.push(started);
  return started;
}

/** A task and a reader that follows it from its first event. */
async function begin(tool: string, args: Record<string, unknown>, overrides: Partial<TaskSpec> = {}) {
  const spec = await createTask(on, { tool, arguments: args, ...overrides });
  const session = await on.store.events.open(spec.taskId, undefined);
  const events: TaskEvent[] = [];
  const reading = (async (): Promise<Read> => {
    const lines: string[] = [];
    for (;;) {
      const next = await session.next();
      if (next.type !== 'packs') return { lines, end: next };
      for (const pack of next.packs) {
        for (const line of Buffer.from(pack.data).toString().trimEnd().split('\n')) {
          lines.push(line);
          events.push(JSON.parse(line) as TaskEvent);
        }
      }
    }
  })();
  return {
    spec,
    events,
    reading,
    counted: (attempt: number) => events.filter((e) => e.type === COUNT && attemptOf(e) === attempt),
  };
}

const attemptOf = (event: TaskEvent) => (event._meta?.['dev.taskstream/event'] as { attempt: number }).attempt;
const atOf = (event: TaskEvent) => (event._meta?.['dev.taskstream/event'] as { at: string }).at;
const startsOf = (events: ReadonlyArray<TaskEvent>) =>
  events.filter((e) => e.type === SystemEvent.attemptStarted).map((e) => [e.payload['attempt'], e.payload['cause']]);
const endsOf = (events: ReadonlyArray<TaskEvent>) =>
  events.filter((e) => e.type === SystemEvent.attemptEnded).map((e) => e.payload);

async function itemsOf(spec: TaskSpec): Promise<number> {
  const info = await on.broker.jsm.streams.info('WORK', { subjects_filter: `work.*.*.*.${spec.taskId}` });
  return Object.values(info.state.subjects ?? {}).reduce((sum, n) => sum + n, 0);
}

/** The task has ended so; the log has no gap and no duplicate; the reader got exactly it; no item is left. */
async function expectEnd(task: Awaited<ReturnType<typeof begin>>, status: string): Promise<void> {
  const { lines, end } = await task.reading;
  expect(end).toMatchObject({ type: 'end', reason: 'terminal', status, nextSeq: lines.length });
  expect(lines).toEqual(await storedLines(on, task.spec.taskId));
  const attempts = task.events.map(attemptOf);
  expect(attempts).toEqual(attempts.toSorted((a, b) => a - b));
  await expect.poll(() => itemsOf(task.spec), { timeout: 10_000 }).toBe(0);
}

const waitFor = (what: () => boolean) => expect.poll(what, { timeout: 20_000, interval: 20 }).toBe(true);
const allOf = (n: number) => Array.from({ length: n }, (_e, i) => i);

describe('a worker that is stopped past its lease and then goes on', () => {
  it('while its tool emits: it is fenced, says nothing, and leaves the item to its successor', async () => {
    const stopped = await worker();
    const task = await begin('count', { n: 250, everyMs: 20 });
    await waitFor(() => task.counted(1).length > 10);
    stopped.kill('SIGSTOP');
    const successor = await worker();
    await waitFor(() => task.counted(2).length > 5);
    const before = task.counted(1).length;
    stopped.kill('SIGCONT');
    await waitFor(() => /attempt stopped without a word|"how":"silent"/.test(stopped.log()));
    // The successor is still at work: its item is there, and its lease is its own.
    expect(task.counted(2).length).toBeLessThan(250);
    expect(await itemsOf(task.spec)).toBe(1);
    await expectEnd(task, 'completed');
    expect(task.counted(1)).toHaveLength(before);
    expect(task.counted(2).map((e) => e.payload['i'])).toEqual(allOf(250));
    expect(startsOf(task.events)).toEqual([
      [1, 'first'],
      [2, 'lease_lost'],
    ]);
    expect(stopped.log()).not.toMatch(/"how":"completed"/);
    expect(successor.log()).toMatch(/"how":"completed"/);
  });

  it('while its tool is silent: it confirms first, learns that it is fenced, and touches nothing', async () => {
    const stopped = await worker();
    const task = await begin('stubborn', { ms: 3_000 });
    await waitFor(() => startsOf(task.events).length === 1);
    stopped.kill('SIGSTOP');
    await worker();
    await waitFor(() => startsOf(task.events).length === 2);
    stopped.kill('SIGCONT');
    await waitFor(() => stopped.log().includes('lease in doubt'));
    await expectEnd(task, 'completed');
    expect(startsOf(task.events)).toEqual([
      [1, 'first'],
      [2, 'lease_lost'],
    ]);
    expect(stopped.log()).not.toMatch(/"how":"completed"/);
  });

  it('for less than its lease: it goes on as if nothing had been', async () => {
    const paused = await worker();
    const task = await begin('count', { n: 60, everyMs: 20 });
    await waitFor(() => task.counted(1).length > 5);
    paused.kill('SIGSTOP');
    await delay(LEASE_MS / 4);
    paused.kill('SIGCONT');
    await expectEnd(task, 'completed');
    expect(startsOf(task.events)).toEqual([[1, 'first']]);
    expect(task.counted(1).map((e) => e.payload['i'])).toEqual(allOf(60));
  });
});

describe('a worker that is killed', () => {
  it('is followed by another attempt that goes on with the next seq', async () => {
    const victim = await worker();
    const task = await begin('count', { n: 80, everyMs: 15 });
    await waitFor(() => task.counted(1).length > 20);
    victim.kill('SIGKILL');
    await victim.exited;
    const lastOfFirst = () => task.events.findLast((e) => attemptOf(e) === 1)?.seq;
    const firstOfSecond = () => task.events.find((e) => attemptOf(e) === 2);
    await worker();
    await expectEnd(task, 'completed');
    expect(startsOf(task.events)).toEqual([
      [1, 'first'],
      [2, 'lease_lost'],
    ]);
    expect(firstOfSecond()?.seq).toBe((lastOfFirst() ?? 0) + 1);
    expect(firstOfSecond()?.type).toBe(SystemEvent.attemptStarted);
    expect(task.counted(2).map((e) => e.payload['i'])).toEqual(allOf(80));
  });

  it('by its own task, every time: the task fails after its attempts, and the queue goes on', async () => {
    const task = await begin('exit', { upTo: 99 }, { attemptsMax: 2 });
    const other = await begin('count', { n: 3 });
    let over = false;
    const supervisor = (async () => {
      while (!over) {
        const started = await worker({ TASKSTREAM_SLOTS: '1' });
        await Promise.race([started.exited, task.reading]);
      }
    })();
    await expectEnd(task, 'failed');
    over = true;
    await supervisor;
    await expectEnd(other, 'completed');
    expect(startsOf(task.events)).toEqual([
      [1, 'first'],
      [2, 'lease_lost'],
    ]);
    expect(task.events.at(-1)?.payload['error']).toMatchObject({
      code: -32603,
      message: expect.stringContaining('ended its worker 2 times') as string,
    });
  });
});

describe('a worker that is told to go', () => {
  it('hands its task over: the next attempt is no failure, and the process ends by itself', async () => {
    const leaving = await worker({ TASKSTREAM_DRAIN_MS_MAX: '300' });
    const task = await begin('count', { n: 150, everyMs: 20 }, { attemptsMax: 1 });
    await waitFor(() => task.counted(1).length > 5);
    await worker();
    leaving.kill('SIGTERM');
    expect(await leaving.exited).toEqual({ code: 0, signal: null });
    await expectEnd(task, 'completed');
    expect(endsOf(task.events)).toEqual([{ attempt: 1, reason: 'handed_over' }]);
    expect(startsOf(task.events)).toEqual([
      [1, 'first'],
      [2, 'handed_over'],
    ]);
    expect(task.counted(2).map((e) => e.payload['i'])).toEqual(allOf(150));
  });

  it('finishes what is nearly done', async () => {
    const leaving = await worker({ TASKSTREAM_DRAIN_MS_MAX: '10000' });
    const task = await begin('count', { n: 40, everyMs: 20 });
    await waitFor(() => task.counted(1).length > 5);
    leaving.kill('SIGTERM');
    expect(await leaving.exited).toEqual({ code: 0, signal: null });
    await expectEnd(task, 'completed');
    expect(startsOf(task.events)).toEqual([[1, 'first']]);
  });
});

describe('a tool that fails for a while', () => {
  it('is tried again after its backoff, until it succeeds', async () => {
    await worker();
    const task = await begin('flaky', { until: 3 });
    await expectEnd(task, 'completed');
    expect(startsOf(task.events)).toEqual([
      [1, 'first'],
      [2, 'retry'],
      [3, 'retry'],
    ]);
    const ends = endsOf(task.events);
    expect(ends.map((e) => e['reason'])).toEqual(['error', 'error']);
    const starts = task.events.filter((e) => e.type === SystemEvent.attemptStarted);
    ends.forEach((end, i) => {
      expect(atOf(starts[i + 1] as TaskEvent).localeCompare(String(end['retryAt']))).toBeGreaterThanOrEqual(0);
    });
  });

  it('fails the task when its attempts are used up', async () => {
    await worker();
    const task = await begin('flaky', { until: 9 });
    await expectEnd(task, 'failed');
    expect(startsOf(task.events)).toHaveLength(3);
    expect(task.events.at(-1)?.payload['error']).toMatchObject({
      message: 'Attempt 3 failed and was the last one: attempt 3 fails',
    });
  });
});

describe('a cancel', () => {
  it('ends a task that nobody has begun, and the worker that finds it lets it go', async () => {
    const task = await begin('count', { n: 5 });
    await on.store.tasks.cancel(task.spec.taskId, 'never mind');
    const late = await worker();
    await expectEnd(task, 'cancelled');
    expect(startsOf(task.events)).toEqual([]);
    await waitFor(() => late.log().includes('item released without an attempt'));
  });

  it('ends a task that runs, by its tool or after a grace, and the worker goes on with the next', async () => {
    await worker({ TASKSTREAM_STOP_GRACE_MS: '300', TASKSTREAM_SLOTS: '2' });
    const listening = await begin('count', { n: 100_000, everyMs: 20 });
    const deaf = await begin('stubborn', { ms: 60_000 });
    await waitFor(() => listening.counted(1).length > 3 && startsOf(deaf.events).length === 1);
    const next = await begin('count', { n: 3 });
    await Promise.all([listening, deaf].map(({ spec }) => on.store.tasks.cancel(spec.taskId, 'enough')));
    await expectEnd(listening, 'cancelled');
    await expectEnd(deaf, 'cancelled');
    await expectEnd(next, 'completed');
    expect(listening.events.at(-1)?.payload).toMatchObject({ status: 'cancelled', statusMessage: 'enough' });
  });

  it('that comes while the worker is dead is heard by the next one, which does not call the tool', async () => {
    const victim = await worker();
    const task = await begin('count', { n: 100_000, everyMs: 20 });
    await waitFor(() => task.counted(1).length > 3);
    victim.kill('SIGKILL');
    await victim.exited;
    await on.store.tasks.cancel(task.spec.taskId);
    await worker();
    await expectEnd(task, 'cancelled');
    expect(task.counted(2)).toEqual([]);
  });
});

describe('a reader that comes when all is over', () => {
  it('gets every attempt, from the first event to the last', async () => {
    await worker();
    const task = await begin('flaky', { until: 2 });
    await expectEnd(task, 'completed');
    const late = await connectStore(nats.url);
    const { lines } = await readEvents(await late.store.events.open(task.spec.taskId, undefined));
    expect(lines).toEqual((await task.reading).lines);
    await late[Symbol.asyncDispose]();
  });
});
