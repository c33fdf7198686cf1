/** One attempt from claim to release, over a log, a mailbox and an item in memory. DESIGN §3.8. */
import { TaskstreamError, type ClaimedItem, type TaskSpec } from '@taskstream/core';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import * as z from 'zod';
import { AttemptRun } from '../src/attempt-run.js';
import { defineTool, type Task, type Tool, type ToolOptions, type ToolResult } from '../src/define-tool.js';
import { RetryableError, ToolError, ToolProtocolError } from '../src/tool-errors.js';
import type { WorkerOptions } from '../src/worker-options.js';
import { FakeTask, fencedError, gate, itemOf, OPTIONS, recordingObserver, specOf } from './support/fakes.js';

beforeEach(
  () =>
    void vi.useFakeTimers({
      toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'Date', 'performance'],
    }),
);
afterEach(() => void vi.useRealTimers());

type Body = (task: Task) => Promise<ToolResult | string> | ToolResult | string;

function toolOf(run: Body, options: Partial<ToolOptions<z.ZodObject, z.ZodObject>> = {}): Tool {
  return defineTool({
    name: 'tool',
    description: 'A tool',
    inputSchema: z.object({}),
    ...options,
    run: (_input, task) => run(task),
  });
}

interface Scene {
  readonly task: FakeTask;
  readonly item: ReturnType<typeof itemOf>;
  readonly run: AttemptRun;
  readonly told: ReturnType<typeof recordingObserver>['told'];
  /** Names of what was told. */
  names(): string[];
}

function scene(
  tool: Tool | Body,
  parts: {
    task?: FakeTask;
    spec?: Partial<TaskSpec>;
    item?: Partial<ClaimedItem>;
    options?: Partial<WorkerOptions>;
  } = {},
): Scene {
  const task = parts.task ?? new FakeTask(specOf(parts.spec));
  const item = itemOf(task, parts.item);
  const { observer, told } = recordingObserver();
  const made = typeof tool === 'function' ? toolOf(tool) : tool;
  const run = new AttemptRun(item, task, new Map([['tool', made]]), { ...OPTIONS, ...parts.options }, observer);
  return { task, item, run, told, names: () => told.map((t) => t.what) };
}

const never: Body = () => new Promise(() => undefined);
const obedient: Body = (task) =>
  new Promise((_resolve, reject) => task.signal.addEventListener('abort', () => reject(task.signal.reason as Error)));

describe('an attempt that goes well', () => {
  it('starts, emits, ends the task, and only then lets go of the item', async () => {
    const { task, run, told, names } = scene(async (t) => {
      await t.emit('com.example.step', { i: 1 });
      await t.status('half way');
      await t.progress(1, 2, 'one of two');
      return 'done';
    });
    await run.run();
    expect(task.journal).toEqual([
      'started 1 first after 0',
      'event com.example.step',
      'status working',
      'event dev.taskstream.task.progress',
      'status completed',
      'ack',
    ]);
    expect(task.statuses.at(-1)).toEqual({
      status: 'completed',
      result: { content: [{ type: 'text', text: 'done' }] },
    });
    expect(names()).toEqual(['attemptStarted', 'attemptEnded']);
    expect(told[1]?.fact).toMatchObject({ taskId: run.taskId, attempt: 1, tool: 'tool', how: 'completed' });
  });

  it('stores events that nobody awaited before it ends', async () => {
    const { task, run } = scene((t) => {
      for (let i = 0; i < 3; i++) void t.emit('com.example.step', { i });
      return 'done';
    });
    await run.run();
    expect(task.journal).toEqual([
      'started 1 first after 0',
      ...Array<string>(3).fill('event com.example.step'),
      'status completed',
      'ack',
    ]);
  });

  it('hands the tool its arguments, its attempt and a signal that aborts when all is over', async () => {
    let seen: Task | undefined;
    const tool = defineTool({
      name: 'tool',
      description: 'Adds',
      inputSchema: z.object({ a: z.number(), b: z.number().default(2) }),
      run({ a, b }, t) {
        seen = t;
        expect(t.signal.aborted).toBe(false);
        return String(a + b);
      },
    });
    const { task, run } = scene(tool, { spec: { arguments: { a: 40 } } });
    await run.run();
    expect(task.statuses.at(-1)?.result).toEqual({ content: [{ type: 'text', text: '42' }] });
    expect(seen).toMatchObject({ id: run.taskId, attempt: 1 });
    expect(seen?.signal.aborted).toBe(true);
  });
});

describe('what a tool throws or returns', () => {
  const ends: ReadonlyArray<readonly [string, Body, object]> = [
    [
      'a ToolError',
      () => Promise.reject(new ToolError('no')),
      { status: 'completed', isError: true, statusMessage: 'no', result: { isError: true } },
    ],
    [
      'an ordinary error',
      () => Promise.reject(new Error('oops')),
      { status: 'completed', isError: true, result: { content: [{ type: 'text', text: 'oops' }], isError: true } },
    ],
    [
      'a protocol error',
      () => Promise.reject(new ToolProtocolError(-32001, 'not today', { why: 'x' })),
      { status: 'failed', error: { code: -32001, message: 'not today', data: { why: 'x' } } },
    ],
    [
      'something that is no error',
      // oxlint-disable-next-line prefer-promise-reject-errors -- what authors do
      () => Promise.reject('only text'),
      { status: 'completed', isError: true, statusMessage: 'The tool threw string: only text' },
    ],
    [
      'a result that is none',
      () => ({ nothing: true }) as unknown as ToolResult,
      { status: 'failed', error: { code: -32603, message: expect.stringContaining('invalid result') as string } },
    ],
    [
      'a result that says it is an error',
      () => ({ content: [], isError: true }),
      { status: 'completed', isError: true, result: { isError: true } },
    ],
    [
      'a result that no message can hold',
      () => 'x'.repeat(200_000),
      { status: 'failed', error: { code: -32603, message: expect.stringContaining('cannot be stored') as string } },
    ],
    [
      'a result that JSON cannot hold',
      () => ({ content: [], structuredContent: { n: 1n } }),
      { status: 'failed', error: { code: -32603, message: expect.stringContaining('cannot be stored') as string } },
    ],
  ];

  it.each(ends)('ends the task once and for all: %s', async (_what, body, status) => {
    const { task, run } = scene(body);
    await run.run();
    expect(task.statuses.at(-1)).toMatchObject(status);
    expect(task.journal.at(-1)).toBe('ack');
    expect(JSON.stringify(task.statuses)).not.toMatch(/ at .*:\d+:\d+/);
  });

  it('ends it as an error when an emit failed and nobody looked', async () => {
    const { task, run } = scene((t) => {
      void t.emit('bad', {});
      return 'not seen';
    });
    await run.run();
    expect(task.statuses.at(-1)).toMatchObject({ status: 'completed', isError: true });
    expect(JSON.stringify(task.statuses.at(-1))).toContain('type: bad');
  });

  it('but not when the tool caught the failure', async () => {
    const { task, run } = scene(async (t) => {
      await t.emit('bad', {}).catch(() => undefined);
      try {
        await t.emit('bad', {});
      } catch {
        return 'caught';
      }
      return 'not caught';
    });
    await run.run();
    expect(task.statuses.at(-1)).toEqual({
      status: 'completed',
      result: { content: [{ type: 'text', text: 'caught' }] },
    });
  });

  it('refuses a tool that emits under our own prefix', async () => {
    const { task, run } = scene(async (t) => {
      await t.emit('dev.taskstream.task.status', { status: 'failed' });
      return 'x';
    });
    await run.run();
    expect(task.statuses.at(-1)).toMatchObject({ status: 'completed', isError: true });
    expect(task.events).toEqual([]);
  });
});

describe('another attempt follows', () => {
  const flaky: Body = () => Promise.reject(new RetryableError('try again'));

  it('after a passing fault: the end of this one is in the log before the item goes back, with a backoff', async () => {
    const tool = toolOf(flaky, { retry: { attemptsMax: 3, backoffMsBase: 1_000, backoffMsMax: 10_000 } });
    const { task, run } = scene(tool);
    const startedAt = Date.now();
    await run.run();
    expect(task.journal).toEqual([
      'started 1 first after 0',
      'ended error try again',
      expect.stringMatching(/^nak \d+$/),
    ]);
    const delayMs = Number(task.journal.at(-1)?.slice(4));
    expect(delayMs).toBeGreaterThanOrEqual(500);
    expect(delayMs).toBeLessThanOrEqual(1_000);
    expect(task.tail).toMatchObject({ failures: 1, runningItem: undefined });
    expect(startedAt).toBeLessThanOrEqual(Date.now());
  });

  it('until the allowed ones are used up: then the task fails with the last reason', async () => {
    const task = new FakeTask(specOf({ attemptsMax: 3 }), { attempt: 2, failures: 2 });
    const { run } = scene(flaky, { task });
    await run.run();
    expect(task.journal).toEqual(['started 3 retry after 2', 'status failed', 'ack']);
    expect(task.statuses.at(-1)).toMatchObject({
      status: 'failed',
      error: { code: -32603, message: 'Attempt 3 failed and was the last one: try again' },
    });
  });

  it('after a timeout, which the tool hears as its signal', async () => {
    let heard: unknown;
    const tool = toolOf(
      (t) => {
        t.signal.addEventListener('abort', () => (heard = t.signal.reason));
        return new Promise(() => undefined);
      },
      { timeoutMs: 5_000 },
    );
    const { task, run } = scene(tool);
    const done = run.run();
    await vi.advanceTimersByTimeAsync(4_999);
    expect(task.journal).toEqual(['started 1 first after 0']);
    await vi.advanceTimersByTimeAsync(1);
    await done;
    expect(String(heard)).toContain('longer than 5000 ms');
    expect(task.journal[1]).toBe('ended timeout The attempt took longer than 5000 ms');
  });

  it('with a message of bearable length, however long the fault is', async () => {
    const { task, run } = scene(() => Promise.reject(new RetryableError('x'.repeat(1_000_000))));
    await run.run();
    expect(task.journal[1]).toMatch(/^ended error x{4000}$/);
    expect(task.journal[2]).toMatch(/^nak/);
  });

  it('not before a timeout of a month is over', async () => {
    const monthMs = 30 * 86_400_000;
    const tool = toolOf(never, { timeoutMs: monthMs });
    const { task, run, item } = scene(tool, { options: { leaseMs: 3 * 86_400_000 } });
    const done = run.run();
    await vi.advanceTimersByTimeAsync(monthMs - 1);
    expect(task.journal).toEqual(['started 1 first after 0']);
    await vi.advanceTimersByTimeAsync(1);
    await done;
    expect(task.journal[1]).toMatch(/^ended timeout/);
    expect(item.extensions).toBeGreaterThan(10);
  });
});

describe('what is done with an item is decided by the tail', () => {
  it('of a dead worker: its attempt counts as failed, the next one starts', async () => {
    const task = new FakeTask(specOf(), { attempt: 1, runningItem: 'item-1' });
    const { run } = scene(() => 'done', { task });
    await run.run();
    expect(task.journal).toEqual(['started 2 lease_lost after 1', 'status completed', 'ack']);
  });

  it('of the last dead worker: the task fails without another try', async () => {
    const task = new FakeTask(specOf({ attemptsMax: 3 }), { attempt: 3, failures: 2, runningItem: 'item-1' });
    const { run, told } = scene(() => 'never called', { task });
    await run.run();
    expect(task.journal).toEqual(['status failed', 'ack']);
    expect(task.statuses[0]?.error?.message).toContain('ended its worker 3 times');
    expect(told).toEqual([{ what: 'released', fact: { taskId: run.taskId, why: 'attempts exhausted' } }]);
  });

  it('of a hand-over: the next one starts, and nothing counts as failed', async () => {
    const task = new FakeTask(specOf(), { attempt: 1, handedOver: true });
    const { run } = scene(() => 'done', { task });
    await run.run();
    expect(task.journal[0]).toBe('started 2 handed_over after 0');
  });

  const released: ReadonlyArray<readonly [string, FakeTask, Partial<ClaimedItem>, string[], string]> = [
    ['a task that is over', new FakeTask(specOf(), { status: 'cancelled' }), {}, ['ack'], 'terminal'],
    ['a twin', new FakeTask(specOf(), { attempt: 1, runningItem: 'other' }), {}, ['ack'], 'twin'],
    [
      'a delivery that lay about while another worker took over',
      new FakeTask(specOf(), { attempt: 2, runningItem: 'item-1', runningDelivery: 3 }),
      { delivery: 3 },
      [],
      'stale delivery',
    ],
    ['no log yet', new FakeTask(specOf(), null), {}, ['nak 111'], 'not visible yet'],
    ['no spec yet', new FakeTask(undefined), {}, ['nak 111'], 'not visible yet'],
    ['no task any more', new FakeTask(undefined, null), { queuedAtMs: 0 }, ['term'], 'orphan'],
  ];
  it.each(released)('%s: nothing is written', async (_what, task, item, journal, why) => {
    const { run, told } = scene(() => 'never called', { task, item });
    await run.run();
    expect(task.journal).toEqual(journal);
    expect(task.statuses).toEqual([]);
    expect(told).toEqual([{ what: 'released', fact: { taskId: run.taskId, why } }]);
  });

  it('a tool that is not here: the item goes back, and nothing is written', async () => {
    const { task, run, told } = scene(() => 'x', { spec: { tool: 'elsewhere' } });
    await run.run();
    expect(task.journal).toEqual(['nak 222']);
    expect(told[0]?.fact['why']).toContain('elsewhere');
  });

  it('a task that has expired: it fails, and the tool is not called', async () => {
    const createdAt = new Date(Date.now() - 10_000).toISOString();
    const { task, run } = scene(() => 'never called', { spec: { createdAt, ttlMs: 9_000 } });
    await run.run();
    expect(task.journal).toEqual(['status failed', 'ack']);
    expect(task.statuses[0]?.statusMessage).toBe('The task expired 9000 ms after its creation');
  });
});

describe('a race', () => {
  it('that is lost is looked at again: what the winner wrote decides', async () => {
    const { task, run, told } = scene(() => 'never called');
    task.beforeBegin = () => {
      task.tail = { ...(task.tail as NonNullable<typeof task.tail>), status: 'cancelled', version: 99 };
    };
    await run.run();
    expect(task.journal).toEqual(['ack']);
    expect(told[0]?.fact['why']).toBe('terminal');
  });

  it('that is lost again and again leaves the item to its lease', async () => {
    const { task, run, told } = scene(() => 'never called');
    task.beforeBegin = () => task.takeOver();
    await run.run();
    expect(task.journal).toEqual([]);
    expect(told).toEqual([{ what: 'released', fact: { taskId: run.taskId, why: 'contended' } }]);
  });

  it('that cannot be decided is no race: the fault comes out, and the item is left alone', async () => {
    const { task, run } = scene(() => 'never called');
    task.appendFailures = [new TaskstreamError('log_unavailable', 'no leader')];
    await expect(run.run()).rejects.toMatchObject({ code: 'log_unavailable' });
    expect(task.journal).toEqual([]);
  });
});

describe('an attempt that has been fenced', () => {
  it('learns it from its next event, says nothing, and touches the item no more', async () => {
    const waiting = gate();
    const { task, run, told, item } = scene(async (t) => {
      await waiting.promise;
      await t.emit('com.example.step', {});
      return 'not told';
    });
    const done = run.run();
    await vi.advanceTimersByTimeAsync(0);
    task.takeOver();
    waiting.open();
    await done;
    expect(task.journal).toEqual(['started 1 first after 0']);
    expect(told.at(-1)).toMatchObject({ what: 'attemptEnded', fact: { how: 'silent' } });
    const { extensions } = item;
    await vi.advanceTimersByTimeAsync(60_000);
    expect(item.extensions).toBe(extensions);
  });

  it('learns it from its result', async () => {
    const waiting = gate<string>();
    const { task, run, told } = scene(() => waiting.promise);
    const done = run.run();
    await vi.advanceTimersByTimeAsync(0);
    task.takeOver();
    waiting.open('too late');
    await done;
    expect(task.journal).toEqual(['started 1 first after 0']);
    expect(told.at(-1)).toMatchObject({ what: 'attemptEnded', fact: { how: 'silent' } });
  });

  it('does not wait for a tool that does not notice', async () => {
    const emitted = gate();
    const { task, run } = scene(async (t) => {
      void t.emit('com.example.step', {});
      await emitted.promise;
      void t.emit('com.example.step', {});
      return new Promise(() => undefined);
    });
    const done = run.run();
    await vi.advanceTimersByTimeAsync(0);
    task.takeOver();
    emitted.open();
    await done;
    expect(task.journal).toEqual(['started 1 first after 0', 'event com.example.step']);
  });

  it('says nothing either when the log itself is lost to it', async () => {
    for (const code of ['log_unavailable', 'data_lost', 'stream_full'] as const) {
      const { task, run } = scene(async (t) => {
        task.appendFailures = [new TaskstreamError(code, 'gone')];
        await t.emit('com.example.step', {});
        return 'x';
      });
      await run.run();
      expect(task.journal).toEqual(['started 1 first after 0']);
    }
  });
});

describe('a lease', () => {
  it('is extended three times in its length, until the attempt is over', async () => {
    const waiting = gate<string>();
    const { run, item } = scene(() => waiting.promise);
    const done = run.run();
    await vi.advanceTimersByTimeAsync(9_000);
    expect(item.extensions).toBe(9);
    waiting.open('done');
    await done;
    await vi.advanceTimersByTimeAsync(9_000);
    expect(item.extensions).toBe(9);
  });

  it('that could not be extended in time is confirmed before it is extended again', async () => {
    const { task, run, item, told } = scene(never);
    void run.run();
    await vi.advanceTimersByTimeAsync(1_000);
    item.connected = false;
    await vi.advanceTimersByTimeAsync(5_000);
    expect(item.extensions).toBe(1);
    expect(task.journal).toContain('confirm');
    item.connected = true;
    await vi.advanceTimersByTimeAsync(1_000);
    expect(item.extensions).toBe(2);
    expect(told.find((t) => t.what === 'leaseInDoubt')?.fact).toMatchObject({ taskId: run.taskId, attempt: 1 });
    task.journal.length = 0;
    await vi.advanceTimersByTimeAsync(5_000);
    expect(task.journal).toEqual([]);
    expect(item.extensions).toBe(7);
  });

  it('that ran out while another took over: the doubt is cleared first, and the fenced one is silent', async () => {
    const { task, run, item, told } = scene(never);
    const done = run.run();
    await vi.advanceTimersByTimeAsync(1_000);
    // No heartbeat comes through for longer than the lease, and another worker takes over.
    task.takeOver();
    item.connected = false;
    await vi.advanceTimersByTimeAsync(3_000);
    item.connected = true;
    await vi.advanceTimersByTimeAsync(2_000);
    await done;
    expect(item.extensions).toBe(1);
    expect(told.at(-1)).toMatchObject({ what: 'attemptEnded', fact: { how: 'silent' } });
    expect(task.journal.filter((entry) => entry !== 'confirm')).toEqual(['started 1 first after 0']);
  });

  it('counts from the claim: one that ran out while the attempt was begun is confirmed before the first heartbeat', async () => {
    const { task, run, item } = scene(never);
    const begin = task.beginAttempt.bind(task);
    task.beginAttempt = async (...args) => {
      const log = await begin(...args);
      await new Promise((resolve) => setTimeout(resolve, 4_000));
      return log;
    };
    void run.run();
    await vi.advanceTimersByTimeAsync(5_100);
    expect(task.journal).toEqual(['started 1 first after 0', 'confirm']);
    expect(item.extensions).toBe(1);
  });
});

describe('a stop', () => {
  it('by a cancel: the tool hears it, the task is cancelled with its reason', async () => {
    const { task, run } = scene(obedient);
    const done = run.run();
    await vi.advanceTimersByTimeAsync(0);
    task.send({ type: 'cancel', reason: 'enough' });
    await done;
    expect(task.journal).toEqual(['started 1 first after 0', 'status cancelled', 'ack']);
    expect(task.statuses.at(-1)).toEqual({ status: 'cancelled', statusMessage: 'enough' });
  });

  it('by a cancel of a tool that does not listen: cancelled after its grace, and what it does later is refused', async () => {
    const released = gate();
    let late: unknown;
    const { task, run } = scene(async (t) => {
      await released.promise;
      late = await t.emit('com.example.step', {}).catch((error: unknown) => error);
      return 'too late';
    });
    const done = run.run();
    await vi.advanceTimersByTimeAsync(0);
    task.send({ type: 'cancel' });
    await vi.advanceTimersByTimeAsync(499);
    expect(task.statuses).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    await done;
    expect(task.journal).toEqual(['started 1 first after 0', 'status cancelled', 'ack']);
    released.open();
    await vi.advanceTimersByTimeAsync(0);
    expect(late).toMatchObject({ code: 'task_ended' });
  });

  it('by a cancel that was sent before the attempt began: the tool is not called at all', async () => {
    let called = false;
    const { task, run } = scene(() => {
      called = true;
      return 'x';
    });
    task.send({ type: 'cancel', reason: 'before' });
    await run.run();
    expect(called).toBe(false);
    expect(task.journal).toEqual(['started 1 first after 0', 'status cancelled', 'ack']);
  });

  it('by the end of its ttl: the task fails', async () => {
    const { task, run } = scene(obedient, { spec: { ttlMs: 5_000 } });
    const done = run.run();
    await vi.advanceTimersByTimeAsync(4_999);
    expect(task.statuses).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    await done;
    expect(task.statuses.at(-1)).toMatchObject({
      status: 'failed',
      error: { code: -32603, message: 'The task expired 5000 ms after its creation' },
    });
    expect(task.journal.at(-1)).toBe('ack');
  });

  it('not before a ttl of a year is over', async () => {
    const yearMs = 365 * 86_400_000;
    const { task, run } = scene(obedient, { spec: { ttlMs: yearMs }, options: { leaseMs: 30 * 86_400_000 } });
    const done = run.run();
    await vi.advanceTimersByTimeAsync(yearMs - 1_000);
    expect(task.statuses).toEqual([]);
    await vi.advanceTimersByTimeAsync(1_000);
    await done;
    expect(task.statuses.at(-1)?.status).toBe('failed');
  });

  it('by a hand-over: the end of the attempt is in the log, then the item goes back at once', async () => {
    const { task, run } = scene(obedient);
    const done = run.run();
    await vi.advanceTimersByTimeAsync(0);
    run.handOver();
    await done;
    expect(task.journal).toEqual(['started 1 first after 0', 'ended handed_over', 'nak 0']);
    expect(task.tail).toMatchObject({ failures: 0, handedOver: true, runningItem: undefined });
  });

  it('by a hand-over of a tool that does not listen: after its grace', async () => {
    const { task, run } = scene(never);
    const done = run.run();
    await vi.advanceTimersByTimeAsync(0);
    run.handOver();
    await vi.advanceTimersByTimeAsync(500);
    await done;
    expect(task.journal).toEqual(['started 1 first after 0', 'ended handed_over', 'nak 0']);
  });

  it('by a hand-over that comes too late for a tool that is done: the task completes', async () => {
    const waiting = gate<string>();
    const { task, run } = scene(() => waiting.promise);
    const done = run.run();
    await vi.advanceTimersByTimeAsync(0);
    run.handOver();
    waiting.open('done');
    await done;
    expect(task.journal).toEqual(['started 1 first after 0', 'status completed', 'ack']);
  });

  it('by a cancel during a hand-over stays a hand-over: the next attempt reads the mailbox', async () => {
    const { task, run } = scene(never);
    const done = run.run();
    await vi.advanceTimersByTimeAsync(0);
    run.handOver();
    task.send({ type: 'cancel' });
    await vi.advanceTimersByTimeAsync(500);
    await done;
    expect(task.journal.at(-1)).toBe('nak 0');
    const next = scene(() => 'never called', { task });
    await next.run.run();
    expect(task.statuses.at(-1)?.status).toBe('cancelled');
  });
});

describe('when the ending cannot be written', () => {
  it('the item is left to its lease, and the reason is told', async () => {
    const { task, run, told } = scene(async () => {
      task.appendFailures = [new TaskstreamError('log_unavailable', 'no leader')];
      return 'done';
    });
    await run.run();
    expect(task.journal).toEqual(['started 1 first after 0']);
    expect(told.at(-1)).toMatchObject({
      what: 'attemptEnded',
      fact: { how: 'silent', error: { code: 'log_unavailable' } },
    });
  });

  it('an ack that fails is told too: the task is over all the same', async () => {
    const { task, run, told } = scene(() => 'done', { item: { ack: () => Promise.reject(new Error('timeout')) } });
    await run.run();
    expect(task.statuses.at(-1)?.status).toBe('completed');
    expect(told.at(-1)).toMatchObject({ what: 'attemptEnded', fact: { how: 'silent' } });
  });

  it('a fenced end of a retry gives nothing back', async () => {
    const { task, run } = scene(() => {
      task.appendFailures = [fencedError()];
      throw new RetryableError('again');
    });
    await run.run();
    expect(task.journal).toEqual(['started 1 first after 0']);
  });
});

describe('real time', () => {
  it('a whole attempt needs no timer of the test', async () => {
    vi.useRealTimers();
    const { task, run } = scene(async (t) => {
      await delay(5, undefined, { signal: t.signal });
      return 'done';
    });
    await run.run();
    expect(task.journal.at(-1)).toBe('ack');
  });
});
