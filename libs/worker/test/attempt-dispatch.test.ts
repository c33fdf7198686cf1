/** What is done with an item that was claimed: decided by the tail, and by who is faster. DESIGN §3.8 Takeover. */
import { TaskstreamError, type ClaimedItem } from '@taskstream/core';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { FakeTask, specOf } from './support/fakes.js';
import { scene } from './support/scene.js';

beforeEach(
  () =>
    void vi.useFakeTimers({
      toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'Date', 'performance'],
    }),
);
afterEach(() => void vi.useRealTimers());

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

  it('an item whose running attempt has lost its own: the attempt is taken over', async () => {
    const task = new FakeTask(specOf(), { attempt: 1, runningItem: 'other' });
    const { run } = scene(() => 'done', { task, item: { isThere: async (itemId) => itemId !== 'other' } });
    await run.run();
    expect(task.journal[0]).toBe('started 2 lease_lost after 1');
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
