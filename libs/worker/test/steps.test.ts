/** Steps: what runs how often, what a later attempt sees, and what is refused. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import * as z from 'zod';
import type { StepCall, Task } from '../src/define-tool.js';
import { ToolError, ToolProtocolError } from '../src/tool-errors.js';
import { FakeTask, fencedError, gate, specOf, TASK_ID } from './support/fakes.js';
import { scene, type Body } from './support/scene.js';

beforeEach(
  () =>
    void vi.useFakeTimers({
      toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'Date', 'performance'],
    }),
);
afterEach(() => void vi.useRealTimers());

const delay = (ms: number) =>
  new Promise<void>((resolve) => {
    setTimeout(resolve, ms);
  });

/** Lets the clock run until the promise has settled. */
async function until<T>(promise: Promise<T>): Promise<T> {
  let settled = false;
  const done = promise.finally(() => {
    settled = true;
  });
  for (let i = 0; i < 10_000 && !settled; i++) await vi.advanceTimersByTimeAsync(10);
  return done;
}

/** Runs one attempt after another over one task, each with its own tool, until all timers are done. */
async function attempts(task: FakeTask, ...bodies: Body[]): Promise<void> {
  for (const body of bodies) {
    if (task.tail !== undefined && task.tail.attempt > 0) {
      task.tail = { ...task.tail, runningItem: undefined, version: task.tail.version + 1 };
    }
    await until(scene(body, { task }).run.run());
  }
}

const newTask = () => new FakeTask(specOf());
const eventsOf = (task: FakeTask, kind: string) =>
  task.events.filter((e) => e.type === `dev.taskstream.${kind}`).map((e) => ({ attempt: e.attempt, ...e.payload }));
const last = (task: FakeTask) => task.statuses.at(-1);
/** An attempt that stops without a word, as its worker dies. */
const dies: Body = (t) => {
  void t;
  throw fencedError();
};

describe('a step', () => {
  it('runs once, is recorded before it returns, and is told with tries, time and size', async () => {
    const task = newTask();
    await attempts(task, async (t) => {
      const value = await t.step('add', async () => {
        await delay(30);
        return { sum: 3 };
      });
      return String(value.sum);
    });
    expect(task.journal).toEqual([
      'started 1 first after 0',
      'recorded add {"sum":3}',
      'event dev.taskstream.step.completed',
      'status completed',
      'ack',
    ]);
    expect(eventsOf(task, 'step.completed')).toEqual([{ attempt: 1, name: 'add', tries: 1, ms: 30, bytes: 9 }]);
    expect(last(task)?.result).toEqual({ content: [{ type: 'text', text: '3' }] });
  });

  it('gives a later attempt what was recorded, without a call, and says so in one event', async () => {
    const task = newTask();
    const calls: string[] = [];
    const tool: Body = async (t) => {
      const step = (name: string) =>
        t.step(name, () => (calls.push(`${t.attempt} ${name}`), `${name} of ${t.attempt}`));
      const all = [await step('a'), await step('b')];
      if (t.attempt === 1) throw fencedError();
      all.push(await step('c'));
      return all.join();
    };
    await attempts(task, tool, tool);
    expect(calls).toEqual(['1 a', '1 b', '2 c']);
    expect(last(task)?.result).toEqual({ content: [{ type: 'text', text: 'a of 1,b of 1,c of 2' }] });
    expect(eventsOf(task, 'step.recalled')).toEqual([{ attempt: 2, names: ['a', 'b'] }]);
    expect(eventsOf(task, 'step.completed').map((e) => [e.attempt, (e as unknown as { name: string }).name])).toEqual([
      [1, 'a'],
      [1, 'b'],
      [2, 'c'],
    ]);
  });

  it('is found by its name, in whatever order it is asked for', async () => {
    const task = newTask();
    const seen: unknown[] = [];
    await attempts(
      task,
      async (t) => {
        await t.step('a', () => 1);
        await t.step('b', () => 2);
        return dies(t);
      },
      async (t) => {
        seen.push(await t.step('b', () => -1), await t.step('new', () => 3), await t.step('a', () => -1));
        return 'done';
      },
    );
    expect(seen).toEqual([2, 3, 1]);
  });

  it('hands out what JSON keeps, in the first attempt as later', async () => {
    const task = newTask();
    const seen: unknown[] = [];
    const tool: Body = async (t) => {
      seen.push(await t.step('date', () => ({ at: new Date(0) as unknown, nothing: undefined })));
      seen.push(await t.step('void', () => undefined));
      seen.push(await t.step('parsed', () => new Date(0), { schema: z.coerce.date() }));
      return t.attempt === 1 ? dies(t) : 'done';
    };
    await attempts(task, tool, tool);
    const once = [{ at: '1970-01-01T00:00:00.000Z' }, undefined, new Date(0)];
    expect(seen).toEqual([...once, ...once]);
  });

  it('has one idempotency key over all tries and attempts, and another one in every other step and task', async () => {
    const keys: string[] = [];
    const note = (call: StepCall) => void keys.push(call.idempotencyKey);
    const tool: Body = async (t) => {
      await t.step('same', (call) => {
        note(call);
        if (call.try === 1) throw new Error('again');
        throw fencedError();
      });
      return 'never';
    };
    const task = newTask();
    await attempts(task, tool, tool, async (t) => {
      await t.step('other', note);
      return 'done';
    });
    await attempts(new FakeTask(specOf({ taskId: `${TASK_ID.slice(0, -1)}x` })), async (t) => {
      await t.step('same', note);
      return 'done';
    });
    expect(keys).toHaveLength(6);
    expect(new Set(keys.slice(0, 4)).size).toBe(1);
    expect(new Set(keys).size).toBe(3);
    expect(keys.every((key) => /^[\w-]{43}$/.test(key))).toBe(true);
  });
});

describe('a step that fails', () => {
  it('is tried again with growing, jittered waits, then throws what it threw last', async () => {
    const task = newTask();
    const at: number[] = [];
    let caught: unknown;
    await attempts(task, async (t) => {
      const start = Date.now();
      await t
        .step(
          'flaky',
          ({ try: n }) => {
            at.push(Date.now() - start);
            throw new Error(`try ${n}`);
          },
          { retry: { triesMax: 4, backoffMsBase: 100, backoffMsMax: 250 } },
        )
        .catch((error: unknown) => {
          caught = error;
        });
      return 'done';
    });
    expect(at).toHaveLength(4);
    const waits = at.slice(1).map((ms, i) => ms - (at[i] as number));
    [100, 200, 250].forEach((full, i) => {
      expect(waits[i]).toBeGreaterThanOrEqual(full / 2);
      expect(waits[i]).toBeLessThanOrEqual(full);
    });
    expect(caught).toMatchObject({ message: 'try 4' });
    const failed = eventsOf(task, 'step.failed');
    expect(failed.map((e) => (e as unknown as { message: string }).message)).toEqual([
      'try 1',
      'try 2',
      'try 3',
      'try 4',
    ]);
    expect(failed.map((e) => 'retryAt' in e)).toEqual([true, true, true, false]);
    expect(task.steps.size).toBe(0);
  });

  it('succeeds at a later try and tells how many it took', async () => {
    const task = newTask();
    await attempts(task, (t) =>
      t.step('flaky', ({ try: n }) => {
        if (n < 3) throw new Error('not yet');
        return `at ${n}`;
      }),
    );
    expect(last(task)?.result).toEqual({ content: [{ type: 'text', text: 'at 3' }] });
    expect(eventsOf(task, 'step.completed')).toMatchObject([{ name: 'flaky', tries: 3 }]);
  });

  it.each([
    ['a ToolError', new ToolError('final')],
    ['a ToolProtocolError', new ToolProtocolError(-32001, 'final')],
  ])('is not tried again after %s', async (_what, error) => {
    const task = newTask();
    let calls = 0;
    await attempts(task, (t) =>
      t.step('final', () => {
        calls++;
        throw error;
      }),
    );
    expect(calls).toBe(1);
    expect(last(task)?.statusMessage).toBe('final');
  });

  it('that is not a result by its schema is tried again', async () => {
    const task = newTask();
    const results: unknown[] = [{ wrong: true }, { n: 7 }];
    await attempts(task, async (t) => {
      const { n } = await t.step('ask', () => results.shift() as { n: number }, {
        schema: z.object({ n: z.number() }),
      });
      return String(n);
    });
    expect(last(task)?.result).toEqual({ content: [{ type: 'text', text: '7' }] });
    expect(eventsOf(task, 'step.failed')).toMatchObject([
      { name: 'ask', try: 1, message: expect.stringContaining(': n: ') as string },
    ]);
  });

  it('that takes too long is given up, its late result ignored, and called again', async () => {
    const task = newTask();
    const signals: boolean[] = [];
    await attempts(task, (t) =>
      t.step(
        'slow',
        async ({ try: n, signal }) => {
          await delay(n === 1 ? 5_000 : 10);
          signals.push(signal.aborted);
          return `try ${n}`;
        },
        { timeoutMs: 1_000 },
      ),
    );
    expect(last(task)?.result).toEqual({ content: [{ type: 'text', text: 'try 2' }] });
    expect(eventsOf(task, 'step.failed')).toMatchObject([
      { try: 1, message: expect.stringContaining('1000 ms') as string },
    ]);
    expect([...task.steps.values()].map((s) => s.json)).toEqual(['"try 2"']);
  });

  it('is not recorded: a later attempt calls it again', async () => {
    const task = newTask();
    const tries: string[] = [];
    const tool: Body = (t) =>
      t.step(
        'late',
        ({ try: n }) => {
          tries.push(`${t.attempt}/${n}`);
          if (t.attempt === 1) throw fencedError();
          return 'done';
        },
        { retry: { triesMax: 2 } },
      );
    await attempts(task, tool, tool);
    expect(tries).toEqual(['1/1', '2/1']);
  });
});

describe('a crash around a record', () => {
  it('before it: the step runs again', async () => {
    const task = newTask();
    let calls = 0;
    const tool: Body = (t) => t.step('a', () => `call ${++calls}`);
    task.beforeStateWrite = () => {
      task.beforeStateWrite = () => undefined;
      throw fencedError();
    };
    await attempts(task, tool, tool);
    expect(last(task)?.result).toEqual({ content: [{ type: 'text', text: 'call 2' }] });
  });

  it('between it and its event: the result counts, and the next attempt tells the step', async () => {
    const task = newTask();
    let calls = 0;
    const tool: Body = async (t) => {
      const text = await t.step('a', () => {
        // The append of `step.completed` is what fails.
        if (++calls === 1) task.takeOver();
        return `call ${calls}`;
      });
      await t.emit('com.example.after', {});
      return text;
    };
    await attempts(task, tool, tool);
    expect(eventsOf(task, 'step.completed')).toEqual([]);
    expect(eventsOf(task, 'step.recalled')).toMatchObject([{ names: ['a'] }]);
    expect(last(task)?.result).toEqual({ content: [{ type: 'text', text: 'call 1' }] });
  });

  it('an older attempt that records first wins, and both see its result', async () => {
    const task = newTask();
    const zombie = task.openState(TASK_ID, 1);
    const record = { name: 'a', version: undefined, attempt: 1, tries: 1, ms: 1, json: '"of the zombie"' };
    task.tail = { ...(task.tail as NonNullable<typeof task.tail>), attempt: 1 };
    await attempts(task, (t) =>
      t.step('a', async () => {
        await zombie.recordStep(record);
        return 'of the successor';
      }),
    );
    expect(last(task)?.result).toEqual({ content: [{ type: 'text', text: 'of the zombie' }] });
    expect(eventsOf(task, 'step.completed')).toEqual([]);
    expect(eventsOf(task, 'step.recalled')).toMatchObject([{ attempt: 2, names: ['a'] }]);
  });
});

describe('a misuse fails the task and says where', () => {
  const misuses: ReadonlyArray<readonly [string, (t: Task) => Promise<unknown>, RegExp]> = [
    [
      'a name used twice',
      async (t) => [await t.step('same', () => 1), await t.step('same', () => 2)],
      /Step "same" of tool \(task d0-.*, attempt 1\): its name was used before/,
    ],
    ['an empty name', (t) => t.step('', () => 1), /Step "" of .*: name: expected 1 to 100 characters/],
    ['a name with a line break', (t) => t.step('a\nb', () => 1), /name: expected 1 to 100 characters/],
    ['a name that is no text', (t) => t.step(7 as unknown as string, () => 1), /name: .*expected string/],
    ['a long name', (t) => t.step('x'.repeat(101), () => 1), /name: expected 1 to 100 characters/],
    [
      'too many steps',
      (t) => Promise.all([1, 2, 3, 4, 5, 6].map((i) => t.step(`s${i}`, () => i))),
      /more than 5 steps/,
    ],
    [
      'a large result',
      (t) => t.step('big', () => 'x'.repeat(1_000)),
      /1002 bytes, at most 1000 \(stepResultBytesMax\)/,
    ],
    ['a result that is no JSON', (t) => t.step('n', () => 1n), /cannot be encoded as JSON/],
    ['a result that is a function', (t) => t.step('f', () => () => 1), /cannot be encoded as JSON: it is a function/],
    ['options that are none', (t) => t.step('o', () => 1, { retry: { triesMax: 0 } }), /retry\.triesMax/],
  ];
  it.each(misuses)('%s', async (_what, body, message) => {
    const task = newTask();
    await attempts(task, async (t) => {
      await body(t);
      return 'not refused';
    });
    expect(last(task)).toMatchObject({ status: 'failed', error: { code: -32603 } });
    expect(last(task)?.error?.message).toMatch(message);
  });

  it('another version than the recorded one', async () => {
    const task = newTask();
    await attempts(
      task,
      async (t) => {
        await t.step('parse', () => 1, { version: '1' });
        return dies(t);
      },
      (t) => t.step('parse', () => 'never', { version: '2' }),
    );
    expect(last(task)?.error?.message).toMatch(/attempt 1 recorded it as version 1, the tool has it as version 2/);
  });

  it('a recorded result that the schema refuses', async () => {
    const task = newTask();
    await attempts(
      task,
      async (t) => {
        await t.step('parse', () => ({ old: 1 }));
        return dies(t);
      },
      (t) => t.step('parse', () => ({ n: 1 }), { schema: z.object({ n: z.number() }) }).then(({ n }) => String(n)),
    );
    expect(last(task)?.error?.message).toMatch(/Step "parse" of tool.*attempt 1 recorded breaks the schema: n: /);
  });
});

describe('a step and the end of its attempt', () => {
  it('that is over when the worker is told to go is recorded within the grace', async () => {
    const task = newTask();
    const { run } = scene(
      async (t) => {
        await t.step('nearly', () => delay(100).then(() => 'done'));
        await new Promise((_resolve, reject) => {
          if (t.signal.aborted) reject(t.signal.reason as Error);
        });
        return 'never';
      },
      { task },
    );
    const done = run.run();
    await vi.advanceTimersByTimeAsync(50);
    run.handOver();
    await until(done);
    expect(task.journal).toContain('recorded nearly "done"');
    expect(task.journal.at(-2)).toBe('ended handed_over');
  });

  it('that ends after its attempt records nothing', async () => {
    const task = newTask();
    const late = gate<string>();
    await attempts(task, (t) => {
      void t.step('left behind', () => late.promise);
      return 'done';
    });
    late.open('too late');
    await vi.advanceTimersByTimeAsync(100);
    expect(task.steps.size).toBe(0);
    expect(last(task)?.status).toBe('completed');
  });

  it('stops waiting for its next try when the task is cancelled', async () => {
    const task = newTask();
    let calls = 0;
    const { run } = scene(
      (t) =>
        t.step('flaky', () => {
          calls++;
          throw new Error('again');
        }),
      { task },
    );
    const done = run.run();
    await vi.advanceTimersByTimeAsync(10);
    task.send({ type: 'cancel' });
    await vi.advanceTimersByTimeAsync(0);
    await done;
    expect(calls).toBe(1);
    expect(last(task)?.status).toBe('cancelled');
  });
});
