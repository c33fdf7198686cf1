/** Waiting for an answer: with a slot and without one, over attempts. DESIGN §3.8 Suspension. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import * as z from 'zod';
import { AttemptSuspended } from '../src/tool-errors.js';
import { FakeTask, fencedError, gate, specOf } from './support/fakes.js';
import { scene, type Body } from './support/scene.js';

beforeEach(
  () =>
    void vi.useFakeTimers({
      toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'Date', 'performance'],
    }),
);
afterEach(() => void vi.useRealTimers());

const form = z.object({ text: z.string() });
const newTask = () => new FakeTask(specOf({ clientCapabilities: { elicitation: {}, sampling: {}, roots: {} } }));
const keys = (task: FakeTask) => Object.keys(task.openQuestions);
const last = (task: FakeTask) => task.statuses.at(-1);

function say(task: FakeTask, name: string, text: unknown = name.toUpperCase()): void {
  const key = keys(task).find((k) => k.startsWith(name));
  if (key === undefined) throw new Error(`${name} is not open: ${keys(task).join()}`);
  task.send({ type: 'input', key, response: { action: 'accept', content: { text } } });
}

/** One delivery of the item, until it is let go of. */
async function deliver(task: FakeTask, body: Body): Promise<void> {
  let settled = false;
  const done = scene(body, { task })
    .run.run()
    .finally(() => {
      settled = true;
    });
  for (let i = 0; i < 1_000 && !settled; i++) await vi.advanceTimersByTimeAsync(10);
  await done;
}

const asks: Body = async (t) => {
  const answer = await t.elicit('q', 'Q?', form, { suspend: true });
  return `${answer.content?.text} in attempt ${t.attempt}`;
};

describe('a question that suspends', () => {
  it('ends the attempt without a failure, lets go of the item, and is answered in the next attempt', async () => {
    const task = newTask();
    await deliver(task, asks);
    expect(task.journal).toEqual([
      'started 1 first after 0',
      'status input_required',
      'ended suspended',
      'ack in time',
    ]);
    expect(task.tail).toMatchObject({ status: 'input_required', suspended: true, runningItem: undefined, failures: 0 });
    say(task, 'q');
    task.journal.length = 0;
    await deliver(task, asks);
    expect(task.journal).toEqual(['started 2 woken after 0', 'status working', 'status completed', 'ack']);
    expect(last(task)?.result).toEqual({ content: [{ type: 'text', text: 'Q in attempt 2' }] });
  });

  it('does not end an attempt that has the answer already', async () => {
    const task = newTask();
    const tool: Body = async (t) => {
      await t.elicit('q', 'Q?', form, { suspend: true });
      await t.step('work', () => {
        if (t.attempt === 2) throw fencedError();
      });
      return 'done';
    };
    await deliver(task, tool);
    say(task, 'q');
    await deliver(task, tool);
    task.tail = { ...(task.tail as NonNullable<typeof task.tail>), runningItem: undefined };
    task.journal.length = 0;
    await deliver(task, tool);
    expect(task.journal).toContain('status completed');
    expect(task.journal.join()).not.toContain('suspended');
  });

  it('asked with others begins a new attempt at each answer, and the others stay open under their keys', async () => {
    const task = newTask();
    const tool: Body = async (t) => {
      const answers = await Promise.all(
        ['a', 'b', 'c'].map((name) => t.elicit(name, `${name}?`, form, { suspend: true })),
      );
      return answers.map((a) => a.content?.text).join();
    };
    await deliver(task, tool);
    const asked = keys(task).toSorted();
    expect(asked).toHaveLength(3);
    say(task, 'b');
    await deliver(task, tool);
    expect(keys(task).toSorted()).toEqual(asked.filter((k) => !k.startsWith('b')));
    say(task, 'a');
    say(task, 'c');
    await deliver(task, tool);
    expect(last(task)?.result).toEqual({ content: [{ type: 'text', text: 'A,B,C' }] });
    expect(task.tail?.attempt).toBe(3);
    // What stays open is not stated as closed in between.
    expect(task.statuses.map((s) => Object.keys(s.inputRequests ?? {}).length)).toEqual([3, 2, 0, 0]);
  });

  it('waits for the steps that run, and does not end the attempt if the answer comes meanwhile', async () => {
    const task = newTask();
    const step = gate<string>();
    const tool: Body = async (t) => {
      const [work, answer] = await Promise.all([
        t.step('slow', () => step.promise),
        t.elicit('q', 'Q?', form, { suspend: true }),
      ]);
      return `${work} ${answer.content?.text}`;
    };
    const run = deliver(task, tool);
    await vi.advanceTimersByTimeAsync(50);
    expect(task.journal).toEqual(['started 1 first after 0', 'status input_required']);
    say(task, 'q');
    step.open('work');
    await run;
    expect(last(task)?.result).toEqual({ content: [{ type: 'text', text: 'work Q' }] });
    expect(task.tail?.attempt).toBe(1);
  });

  it('that comes while a step runs ends the attempt when the step is recorded', async () => {
    const task = newTask();
    const step = gate<string>();
    const run = deliver(task, (t) =>
      Promise.all([t.step('slow', () => step.promise), t.elicit('q', 'Q?', form, { suspend: true })]).then(
        () => 'never',
      ),
    );
    await vi.advanceTimersByTimeAsync(50);
    step.open('work');
    await run;
    expect(task.journal).toEqual([
      'started 1 first after 0',
      'status input_required',
      'recorded slow "work"',
      'event dev.taskstream.step.completed',
      'ended suspended',
      'ack in time',
    ]);
  });

  it('lets the tool clean up: what it emits then is in the log, what it returns does not count', async () => {
    const task = newTask();
    let thrown: unknown;
    await deliver(task, async (t) => {
      try {
        await t.elicit('q', 'Q?', form, { suspend: true });
      } catch (error) {
        thrown = error;
      } finally {
        await t.emit('com.example.cleaned', {});
        await t.status('waiting for you');
      }
      return 'swallowed';
    });
    expect(thrown).toBeInstanceOf(AttemptSuspended);
    expect(task.journal.slice(1)).toEqual([
      'status input_required',
      'event com.example.cleaned',
      'status input_required',
      'ended suspended',
      'ack in time',
    ]);
    expect(keys(task)).toHaveLength(1);
  });

  it('ends the attempt of a tool that ignores it after the grace', async () => {
    const task = newTask();
    await deliver(task, async (t) => {
      await t.elicit('q', 'Q?', form, { suspend: true }).catch(() => undefined);
      return new Promise(() => undefined);
    });
    expect(task.journal.at(-2)).toBe('ended suspended');
  });

  it('answered while the attempt ends: the item is given back at once', async () => {
    const task = newTask();
    await deliver(task, async (t) => {
      try {
        return JSON.stringify(await t.elicit('q', 'Q?', form, { suspend: true }));
      } finally {
        say(task, 'q');
      }
    });
    expect(task.journal.slice(-2)).toEqual(['ended suspended', 'nak 0']);
    await deliver(task, asks);
    expect(last(task)?.status).toBe('completed');
  });

  it.each(['before the attempt has ended', 'after it'])(
    'cancelled %s: the next delivery cancels, without a call',
    async (when) => {
      const task = newTask();
      let calls = 0;
      const tool: Body = async (t) => {
        calls++;
        try {
          return JSON.stringify(await t.elicit('q', 'Q?', form, { suspend: true }));
        } finally {
          if (when.startsWith('before')) task.send({ type: 'cancel', reason: 'enough' });
        }
      };
      await deliver(task, tool);
      if (when.startsWith('after')) task.send({ type: 'cancel', reason: 'enough' });
      else expect(task.journal.at(-1)).toBe('nak 0');
      await deliver(task, tool);
      expect(last(task)).toMatchObject({ status: 'cancelled', statusMessage: 'enough' });
      expect(calls).toBe(1);
    },
  );

  it('whose item comes back without an answer is let go again, without an attempt', async () => {
    const task = newTask();
    await deliver(task, asks);
    task.journal.length = 0;
    await deliver(task, asks);
    expect(task.journal).toEqual(['ack in time']);
    expect(task.tail?.attempt).toBe(1);
  });

  it('leaves the item alone when the task was taken over before it could look for an answer', async () => {
    const task = newTask();
    const readSuspension = task.readSuspension.bind(task);
    task.readSuspension = async () => {
      task.takeOver();
      return readSuspension();
    };
    await deliver(task, asks);
    expect(task.journal.at(-1)).toBe('ended suspended');
  });

  it('does not outlive the task: its item ends it when it has expired', async () => {
    const task = newTask();
    await deliver(task, asks);
    task.spec = {
      ...specOf(),
      clientCapabilities: { elicitation: {} },
      createdAt: new Date(0).toISOString(),
      ttlMs: 1_000,
    };
    await deliver(task, asks);
    expect(last(task)).toMatchObject({ status: 'failed', statusMessage: expect.stringContaining('expired') as string });
  });
});

describe('branches of a tool', () => {
  it('go on with their answer while another one still waits without a slot', async () => {
    const task = newTask();
    const ran: string[] = [];
    const branch = async (t: Parameters<Body>[0], name: string) => {
      await t.elicit(name, `${name}?`, form, { suspend: true });
      for (let i = 0; i < 20; i++) await Promise.resolve();
      await t.step(name, () => void ran.push(name));
    };
    const tool: Body = async (t) => {
      await Promise.all([branch(t, 'a'), branch(t, 'b')]);
      return 'done';
    };
    await deliver(task, tool);
    say(task, 'a');
    await deliver(task, tool);
    expect(ran).toEqual(['a']);
    expect(task.tail?.suspended).toBe(true);
    say(task, 'b');
    await deliver(task, tool);
    expect(ran).toEqual(['a', 'b']);
    expect(last(task)?.status).toBe('completed');
  });
});

describe('an answer that breaks the schema', () => {
  it('is asked for again with the reason, under a key of its own, and the same way in later attempts', async () => {
    const task = newTask();
    await deliver(task, asks);
    const first = keys(task)[0];
    say(task, 'q', 7);
    await deliver(task, asks);
    expect(keys(task)).toEqual([`${first}-again1`]);
    expect(JSON.stringify(task.openQuestions)).toMatch(/Q\?\\n\\nThe answer to q is invalid: content\.text|text: /);
    say(task, 'q', 'better');
    await deliver(task, asks);
    expect(last(task)?.result).toEqual({ content: [{ type: 'text', text: 'better in attempt 3' }] });
  });

  it('is given up after the third one', async () => {
    const task = newTask();
    const run = deliver(task, async (t) => String((await t.elicit('q', 'Q?', form)).content?.text));
    for (let i = 0; i < 3; i++) {
      await vi.advanceTimersByTimeAsync(20);
      say(task, 'q', i);
    }
    await run;
    expect(last(task)).toMatchObject({ status: 'completed', isError: true });
    expect(last(task)?.statusMessage).toMatch(/The answer to q is invalid/);
  });
});

describe('sampling', () => {
  const params = { messages: [{ role: 'user' as const, content: { type: 'text', text: 'Hi' } }], maxTokens: 10 };
  const sample = (task: FakeTask, response: unknown) => {
    const key = keys(task)[0];
    if (key === undefined) throw new Error('nothing is open');
    task.send({ type: 'input', key, response });
  };

  it('gives what the model said, in every attempt', async () => {
    const task = newTask();
    const tool: Body = async (t) => (await t.sample('m', params, { suspend: true })).model;
    await deliver(task, tool);
    expect(Object.values(task.openQuestions)).toEqual([{ method: 'sampling/createMessage', params }]);
    sample(task, { role: 'assistant', content: { type: 'text', text: 'Hello' }, model: 'm-1' });
    await deliver(task, tool);
    expect(last(task)?.result).toEqual({ content: [{ type: 'text', text: 'm-1' }] });
  });

  it('that is refused, or is no message, is an error of the tool', async () => {
    const task = newTask();
    const tool: Body = async (t) => (await t.sample('m', params, { suspend: true })).model;
    await deliver(task, tool);
    sample(task, { error: { code: -1, message: 'User rejected' } });
    await deliver(task, tool);
    expect(last(task)).toMatchObject({
      isError: true,
      statusMessage: expect.stringContaining('is no message') as string,
    });
  });
});

describe('a question that waits in its attempt', () => {
  it('stays open while another attempt takes over, and is answered by an answer that came in between', async () => {
    const task = newTask();
    const tool: Body = async (t) => `${(await t.elicit('q', 'Q?', form)).content?.text} in ${t.attempt}`;
    const { run } = scene(tool, { task });
    const done = run.run();
    await vi.advanceTimersByTimeAsync(20);
    run.handOver();
    await vi.advanceTimersByTimeAsync(20);
    await done;
    expect(task.journal.slice(-2)).toEqual(['ended handed_over', 'nak 0']);
    expect(keys(task)).toHaveLength(1);
    say(task, 'q');
    await deliver(task, tool);
    expect(last(task)?.result).toEqual({ content: [{ type: 'text', text: 'Q in 2' }] });
  });

  it('that nobody awaits does not end the worker when its attempt is told to stop', async () => {
    const task = newTask();
    const { run } = scene(
      async (t) => {
        void t.elicit('q', 'Q?', form);
        void t.step('forgotten', () => Promise.reject(new Error('unseen')), { retry: { triesMax: 1 } });
        await new Promise((_resolve, reject) =>
          t.signal.addEventListener('abort', () => reject(t.signal.reason as Error)),
        );
        return 'never';
      },
      { task },
    );
    const done = run.run();
    await vi.advanceTimersByTimeAsync(20);
    task.send({ type: 'cancel' });
    await vi.advanceTimersByTimeAsync(20);
    await done;
    expect(last(task)?.status).toBe('cancelled');
  });
});
