/** Attempts that lose their log, their lease or their time: what they still say, and what they leave alone. DESIGN §3.8. */
import { TaskstreamError } from '@taskstream/core';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { RetryableError } from '../src/tool-errors.js';
import { fencedError, gate } from './support/fakes.js';
import { never, obedient, scene } from './support/scene.js';

beforeEach(
  () =>
    void vi.useFakeTimers({
      toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'Date', 'performance'],
    }),
);
afterEach(() => void vi.useRealTimers());

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

describe('a cancel that is stored as an attempt ends', () => {
  it('is found before the item is given back: the task ends at once', async () => {
    const { task, run, names } = scene(() => {
      throw new RetryableError('passing');
    });
    // Stored, but the live hop has not brought it.
    task.beforeAttemptEnd = () => void task.mailbox.push({ type: 'cancel', reason: 'never mind' });
    await run.run();
    expect(task.statuses.at(-1)).toEqual({ status: 'cancelled', statusMessage: 'never mind' });
    expect(task.journal.slice(-3)).toEqual(['ended error passing', 'status cancelled', 'ack']);
    expect(names()).toContain('attemptEnded');
  });
});

describe('a tool that ignores a cancel', () => {
  it('is abandoned after its grace, which is told, and what it still emits is refused and told', async () => {
    const waiting = gate();
    const late: unknown[] = [];
    const { task, run, told } = scene(async (t) => {
      await waiting.promise;
      await t.emit('com.example.late', {}).catch((error: unknown) => late.push(error));
      return 'too late';
    });
    const running = run.run();
    await vi.advanceTimersByTimeAsync(1);
    task.send({ type: 'cancel', reason: 'enough' });
    await vi.advanceTimersByTimeAsync(499);
    expect(task.statuses).toEqual([]);
    await vi.advanceTimersByTimeAsync(2);
    await running;
    expect(task.statuses).toEqual([{ status: 'cancelled', statusMessage: 'enough' }]);
    const eventsAtEnd = task.events.length;
    waiting.open();
    await vi.advanceTimersByTimeAsync(1);
    expect(late).toMatchObject([{ code: 'task_ended' }]);
    expect(task.events).toHaveLength(eventsAtEnd);
    expect(told.find((t) => t.what === 'stopIgnored')?.fact).toMatchObject({ why: 'cancel', graceMs: 500 });
    expect(told.find((t) => t.what === 'lateEmit')?.fact).toMatchObject({ type: 'com.example.late' });
  });
});
