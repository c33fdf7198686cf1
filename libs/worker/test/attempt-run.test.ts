/** One attempt from claim to release, and every way that its tool can end. DESIGN §3.8. */
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import * as z from 'zod';
import { defineTool, type Task } from '../src/define-tool.js';
import type { ToolResult } from '../src/tool-result.js';
import { RetryableError, ToolError, ToolProtocolError } from '../src/tool-errors.js';
import { FakeTask, specOf } from './support/fakes.js';
import { never, scene, toolOf, type Body } from './support/scene.js';

beforeEach(
  () =>
    void vi.useFakeTimers({
      toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'Date', 'performance'],
    }),
);
afterEach(() => void vi.useRealTimers());

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
