/** Workers at the edges of their leases, as real processes: what a successor owns is left alone. DESIGN §3.8. */
import type { TaskSpec } from '@taskstream/core';
import { SystemEvent, type TaskEvent } from '@taskstream/protocol';
import { setTimeout as delay } from 'node:timers/promises';
import { beforeAll, describe, expect, it } from 'vitest';
import type { TestStore } from '../support/nats.js';
import { createTask, storedLines, type Read } from '../support/task-logs.js';
import { workerScene } from './scene.js';

const LEASE_MS = 1_500;
const COUNT = 'com.example.count';

const scene = workerScene({ TASKSTREAM_LEASE_MS: String(LEASE_MS) });
const { worker } = scene;
let on: TestStore;

beforeAll(() => {
  ({ on } = scene);
});

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

const attemptOf = (event: TaskEvent) =>
  (event._meta?.['dev.taskstream/event'] as { attempt: number } | undefined)?.attempt ?? -1;
const startsOf = (events: ReadonlyArray<TaskEvent>) =>
  events.filter((e) => e.type === SystemEvent.attemptStarted).map((e) => [e.payload['attempt'], e.payload['cause']]);
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
    const task = await begin('count', { n: 120, everyMs: 20 });
    await waitFor(() => task.counted(1).length > 10);
    stopped.kill('SIGSTOP');
    const successor = await worker();
    await waitFor(() => task.counted(2).length > 5);
    const before = task.counted(1).length;
    stopped.kill('SIGCONT');
    await waitFor(() => /attempt stopped without a word|"how":"silent"/.test(stopped.log()));
    // The successor is still at work: its item is there, and its lease is its own.
    expect(task.counted(2).length).toBeLessThan(120);
    expect(await itemsOf(task.spec)).toBe(1);
    await expectEnd(task, 'completed');
    expect(task.counted(1)).toHaveLength(before);
    expect(task.counted(2).map((e) => e.payload['i'])).toEqual(allOf(120));
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

describe('a worker that is told to go', () => {
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

describe('a cancel', () => {
  it('ends a task that nobody has begun, and the worker that finds it lets it go', async () => {
    const task = await begin('count', { n: 5 });
    await on.store.tasks.cancel(task.spec.taskId, 'never mind');
    const late = await worker();
    await expectEnd(task, 'cancelled');
    expect(startsOf(task.events)).toEqual([]);
    await waitFor(() => late.log().includes('item released without an attempt'));
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
