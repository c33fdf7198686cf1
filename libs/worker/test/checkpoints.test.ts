/** Checkpoints: what is saved when, what an attempt finds, what is told, and what is refused. */
import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import type { Body } from './support/scene.js';
import { FakeTask, fencedError, specOf } from './support/fakes.js';
import { scene } from './support/scene.js';

const newTask = () => new FakeTask(specOf());
const last = (task: FakeTask) => task.statuses.at(-1);
const saved = (task: FakeTask) =>
  task.events.filter((e) => e.type === 'dev.taskstream.checkpoint.saved').map((e) => e.payload);

async function attempt(task: FakeTask, body: Body): Promise<void> {
  if (task.tail !== undefined) task.tail = { ...task.tail, runningItem: undefined };
  await scene(body, { task }).run.run();
}

describe('a checkpoint', () => {
  it('is found by the next attempt, as JSON keeps it', async () => {
    const task = newTask();
    const found: unknown[] = [];
    const tool: Body = async (t) => {
      found.push(await t.restore(z.object({ row: z.int() })), await t.restore(z.string(), 'other'));
      if (t.attempt === 2) return 'done';
      await t.checkpoint({ row: 7, nothing: undefined });
      await t.checkpoint('x', 'other');
      throw fencedError();
    };
    await attempt(task, tool);
    await attempt(task, tool);
    expect(found).toEqual([undefined, undefined, { row: 7 }, 'x']);
  });

  it('saved faster than the store answers is joined: the last one counts, and all callers are told', async () => {
    const task = newTask();
    await attempt(task, async (t) => {
      await Promise.all([1, 2, 3, 4, 5].map((i) => t.checkpoint(i)));
      return 'done';
    });
    expect(task.journal.filter((e) => e.startsWith('saved'))).toEqual(['saved default 5']);
    expect(saved(task)).toEqual([{ name: 'default', bytes: 1, saves: 1 }]);
  });

  it('that nobody awaited is written before its attempt ends', async () => {
    const task = newTask();
    const open = task.openState.bind(task);
    task.openState = (id, n) => {
      const state = open(id, n);
      const save = state.saveCheckpoint.bind(state);
      return Object.assign(state, {
        saveCheckpoint: (name: string, json: string) => turn().then(() => save(name, json)),
      });
    };
    await attempt(task, (t) => {
      void t.checkpoint('late');
      return 'done';
    });
    expect(task.checkpoints.get('default')?.json).toBe('"late"');
    expect(task.journal.indexOf('saved default "late"')).toBeLessThan(task.journal.indexOf('status completed'));
  });

  it('is told once for many saves, with their number, and none is left untold', async () => {
    const task = newTask();
    await attempt(task, async (t) => {
      for (let i = 0; i < 50; i++) await t.checkpoint(i);
      return 'done';
    });
    expect(saved(task).length).toBeLessThan(10);
    expect(saved(task).reduce((sum, p) => sum + Number(p['saves']), 0)).toBe(50);
  });

  it('that a newer attempt has taken cannot be saved by the older one', async () => {
    const task = newTask();
    let refused: unknown;
    await attempt(task, async (t) => {
      await t.checkpoint(1);
      await task.openState('', 2).takeCheckpoint('default');
      await t.checkpoint(2).catch((error: unknown) => {
        refused = error;
      });
      return 'done';
    });
    expect(refused).toMatchObject({ code: 'fenced' });
    expect(task.checkpoints.get('default')).toEqual({ attempt: 2, json: '1' });
  });

  const misuses: ReadonlyArray<readonly [string, Body, RegExp]> = [
    [
      'no JSON',
      (t) => t.checkpoint(undefined).then(() => ''),
      /Checkpoint "default" of tool \(task .*: .*it is undefined/,
    ],
    ['a BigInt', (t) => t.checkpoint(1n).then(() => ''), /cannot be encoded as JSON/],
    [
      'too large',
      (t) => t.checkpoint('x'.repeat(1_000)).then(() => ''),
      /1002 bytes, at most 1000 \(checkpointBytesMax\)/,
    ],
    ['under a bad name', (t) => t.checkpoint(1, '').then(() => ''), /name: expected 1 to 100 characters/],
    [
      'under too many names',
      (t) => Promise.all(['a', 'b', 'c', 'd'].map((n) => t.checkpoint(1, n))).then(() => ''),
      /more than 3 names/,
    ],
    [
      'another than the schema says',
      async (t) => {
        await t.checkpoint('text');
        return String(await t.restore(z.number()));
      },
      /what was saved breaks the schema: /,
    ],
  ];
  it.each(misuses)('that is %s fails the task and says where', async (_what, body, message) => {
    const task = newTask();
    await attempt(task, body);
    expect(last(task)).toMatchObject({ status: 'failed', error: { code: -32603 } });
    expect(last(task)?.error?.message).toMatch(message);
  });
});
