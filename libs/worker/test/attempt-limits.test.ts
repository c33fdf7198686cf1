/** Limits of time, and what is worth another attempt. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { deadlineOf } from '@taskstream/core';
import { dueInMs, limitsOf } from '../src/admission.js';
import { defineTool } from '../src/define-tool.js';
import { ToolError } from '../src/tool-errors.js';
import { specOf } from './support/fakes.js';
import { never, scene, toolOf } from './support/scene.js';
import * as z from 'zod';

beforeEach(
  () =>
    void vi.useFakeTimers({
      toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'Date', 'performance'],
    }),
);
afterEach(() => void vi.useRealTimers());

describe('an idle timeout', () => {
  it('ends an attempt whose tool says nothing, as a timeout that is tried again', async () => {
    const { task, run } = scene(toolOf(never, { idleTimeoutMs: 1_000 }));
    const done = run.run();
    await vi.advanceTimersByTimeAsync(900);
    expect(task.journal).toEqual(['started 1 first after 0']);
    await vi.advanceTimersByTimeAsync(400);
    await done;
    expect(task.journal[1]).toBe('ended timeout The tool said nothing for 1000 ms');
  });

  it('does not end one that emits, reports progress or beats', async () => {
    let alive = 0;
    const { task, run } = scene(
      toolOf(
        async (t) => {
          const say = [
            () => t.emit('com.example.step', {}),
            () => t.progress(1),
            () => t.status('still here'),
            async () => t.heartbeat(),
            async () => t.heartbeat(),
          ];
          for (const one of say) {
            await new Promise((resolve) => setTimeout(resolve, 700));
            alive++;
            await one();
          }
          return 'done';
        },
        { idleTimeoutMs: 1_000 },
      ),
    );
    const done = run.run();
    await vi.advanceTimersByTimeAsync(5_000);
    await done;
    expect(alive).toBe(5);
    expect(task.statuses.at(-1)?.status).toBe('completed');
  });

  it('does not run while a question is open', async () => {
    const tool = toolOf(
      async (t) => {
        await t.ask('name', { method: 'elicitation/create', params: {} });
        return never(t);
      },
      { idleTimeoutMs: 1_000 },
    );
    const { task, run } = scene(tool, { spec: { clientCapabilities: { elicitation: {} } } });
    const done = run.run();
    await vi.advanceTimersByTimeAsync(10_000);
    expect(task.journal.filter((entry) => entry.startsWith('ended'))).toEqual([]);
    const [key = ''] = Object.keys(task.statuses.at(-1)?.inputRequests ?? {});
    task.send({ type: 'input', key, response: {} });
    await vi.advanceTimersByTimeAsync(2_000);
    await done;
    expect(task.journal.some((entry) => entry.startsWith('ended timeout'))).toBe(true);
  });
});

describe('a task timeout', () => {
  it('fails the task over all attempts, from creation or from its start time on', async () => {
    const { task, run } = scene(toolOf(never, { taskTimeoutMs: 5_000 }));
    const done = run.run();
    await vi.advanceTimersByTimeAsync(5_600);
    await done;
    expect(task.statuses.at(-1)).toMatchObject({
      status: 'failed',
      error: { code: -32603, message: 'The task took longer than 5000 ms' },
    });
    expect(task.journal.at(-1)).toBe('ack');
  });

  it('that is over before an attempt begins: the tool is not called', async () => {
    let called = false;
    const tool = toolOf(
      () => {
        called = true;
        return 'x';
      },
      { taskTimeoutMs: 1_000 },
    );
    const { task, run } = scene(tool, { spec: { createdAt: new Date(Date.now() - 2_000).toISOString() } });
    await run.run();
    expect(called).toBe(false);
    expect(task.journal).toEqual(['status failed', 'ack']);
  });

  it('is the earlier of ttl and task timeout', () => {
    const tool = toolOf(never, { taskTimeoutMs: 5_000 });
    const createdAt = new Date(0).toISOString();
    expect(deadlineOf(specOf({ createdAt, ttlMs: null }), tool)?.atMs).toBe(5_000);
    expect(deadlineOf(specOf({ createdAt, ttlMs: 3_000 }), tool)?.atMs).toBe(3_000);
    expect(deadlineOf(specOf({ createdAt, ttlMs: 9_000, startAt: new Date(2_000).toISOString() }), tool)?.atMs).toBe(
      7_000,
    );
    expect(deadlineOf(specOf({ ttlMs: null }), undefined)).toBeUndefined();
  });
});

describe('what is worth another attempt', () => {
  class Flaky extends Error {}
  const throws = (error: unknown, on?: NonNullable<Parameters<typeof toolOf>[1]>['retry']) =>
    scene(
      toolOf(
        () => {
          throw error;
        },
        { retry: { backoffMsBase: 0, ...on } },
      ),
    );

  it.each([
    ['a class of errors', [Flaky], new Flaky('again'), 'ended error again'],
    ['another class', [Flaky], new RangeError('no'), 'status completed'],
    ['a predicate', (error: unknown) => error === 'busy', 'busy', 'ended error The tool threw string: busy'],
    ['a predicate on a ToolError', () => true, new ToolError('again'), 'ended error again'],
    ['nothing', undefined, new Flaky('no'), 'status completed'],
    [
      'what cannot become a text',
      () => true,
      Object.create(null) as unknown,
      'ended error The tool threw object: object',
    ],
  ])('is said by %s', async (_what, on, error, entry) => {
    const { task, run } = throws(error, on === undefined ? {} : { on });
    const done = run.run();
    await vi.advanceTimersByTimeAsync(10);
    await done;
    expect(task.journal[1]).toBe(entry);
  });

  it('is not asked about arguments that break the schema, and a predicate that fails is told', async () => {
    const asked: unknown[] = [];
    const tool = defineTool({
      name: 'tool',
      description: 'A tool',
      inputSchema: z.object({ n: z.number() }),
      retry: { on: (error) => asked.push(error) > 0 },
      run: () => 'never',
    });
    const { task, run } = scene(tool);
    await run.run();
    expect(asked).toEqual([]);
    expect(task.statuses.at(-1)).toMatchObject({ isError: true });
    const broken = throws(new Flaky('first'), {
      on: () => {
        throw new Error('second');
      },
    });
    await broken.run.run();
    expect(broken.task.statuses.at(-1)).toMatchObject({
      status: 'failed',
      statusMessage: 'first; retry.on of the tool failed on it: second',
    });
  });

  it('is checked when the tool is declared', () => {
    expect(() => toolOf(never, { retry: { on: 'always' as never } })).toThrow(
      /retry\.on: .*error classes or a function/,
    );
    expect(() => toolOf(never, { idleTimeoutMs: 0 })).toThrow(/idleTimeoutMs/);
    expect(() => toolOf(never, { priority: 9 })).toThrow(/priority/);
  });
});

describe('admission', () => {
  it('of a task for later waits until it is due; its limits are of its tool and its owner', async () => {
    const { task, run, told } = scene(never, { spec: { startAt: new Date(Date.now() + 700).toISOString() } });
    await run.run();
    expect(task.journal).toEqual(['nak 700']);
    expect(told.at(-1)).toMatchObject({ what: 'released', fact: { why: 'not due yet' } });
    expect(dueInMs(specOf({ startAt: new Date(5).toISOString() }), 9)).toBe(0);
    const tool = toolOf(never, { name: 'a.tool', runningMax: 2 });
    expect(limitsOf(specOf({ tool: 'a.tool', fairnessKey: 'me' }), tool, 7)).toEqual([
      { scope: 'tool-a~tool', max: 2 },
      { scope: 'owner-me', max: 7 },
    ]);
    expect(limitsOf(specOf(), undefined, undefined)).toEqual([]);
  });

  it('that a limit forbids gives the item back for a while, longer each time', async () => {
    const { task, run, told } = scene(toolOf(never, { runningMax: 1 }), {
      item: { enter: async () => false, delivery: 3 },
    });
    await run.run();
    expect(task.journal[0]).toMatch(/^nak (2|3|4)\d\d$/);
    expect(told.at(-1)).toMatchObject({ fact: { why: 'a limit on running tasks is reached' } });
  });

  it('gives its places up when the task ends and before a backoff, not at a hand-over', async () => {
    const ended = scene(toolOf(() => 'x', { runningMax: 1 }));
    await ended.run.run();
    expect(ended.task.journal.slice(-3)).toEqual(['status completed', 'leave tool-tool', 'ack']);
    const handed = scene(toolOf(never, { runningMax: 1 }));
    const done = handed.run.run();
    await vi.advanceTimersByTimeAsync(0);
    handed.run.handOver();
    await vi.advanceTimersByTimeAsync(600);
    await done;
    expect(handed.task.journal).toEqual(['started 1 first after 0', 'ended handed_over', 'nak 0']);
  });
});
