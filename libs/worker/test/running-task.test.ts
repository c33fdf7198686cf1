/** The `Task` that a tool is handed: what it lets through, what it refuses, and what it remembers. */
import { NOTHING_TAKEN, TaskstreamError, type AttemptLog, type EventDraft } from '@taskstream/core';
import type { StatusPayload } from '@taskstream/protocol';
import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { InputDesk } from '../src/input-desk.js';
import { RunningTask } from '../src/running-task.js';
import { FakeTask, OPTIONS } from './support/fakes.js';

function scene(failure?: TaskstreamError) {
  const events: EventDraft[] = [];
  const statuses: StatusPayload[] = [];
  const log: AttemptLog = {
    attempt: 3,
    nextSeq: 0,
    openQuestions: {},
    signal: new AbortController().signal,
    append: async (drafts) => {
      if (failure !== undefined) throw failure;
      events.push(...drafts);
    },
    appendStatus: async (status) => {
      if (failure !== undefined) throw failure;
      statuses.push(status);
    },
    appendTaken: () => Promise.reject(new Error('not for tools')),
    settled: () => Promise.resolve(),
    appendAttemptEnd: () => Promise.reject(new Error('not for tools')),
    confirm: () => Promise.reject(new Error('not for tools')),
  };
  const { signal } = new AbortController();
  const desk = new InputDesk({ capabilities: {}, openBefore: {}, state: (status) => log.appendStatus(status), signal });
  const state = new FakeTask(undefined).openState('id', 3);
  const spec = { taskId: 'id', tool: 'tool', given: undefined };
  return {
    task: new RunningTask({
      spec,
      log,
      state,
      desk,
      signal,
      events: new Map(),
      steerable: false,
      taken: NOTHING_TAKEN,
      bounds: OPTIONS,
      onSuspend: () => undefined,
    }),
    events,
    statuses,
  };
}

describe('a running task', () => {
  it('tells its id, its attempt and its signal', () => {
    const { task } = scene();
    expect(task).toMatchObject({ id: 'id', attempt: 3 });
    expect(task.signal.aborted).toBe(false);
  });

  it('emits with an identity or without one', async () => {
    const { task, events } = scene();
    await task.emit('com.example.step', { i: 1 });
    await task.emit('com.example.step', { i: 2 }, { itemId: 'x', toolCallId: 'y' });
    expect(events).toEqual([
      { type: 'com.example.step', payload: { i: 1 }, identity: undefined },
      { type: 'com.example.step', payload: { i: 2 }, identity: { itemId: 'x', toolCallId: 'y' } },
    ]);
  });

  it('reports progress with what is known', async () => {
    const { task, events } = scene();
    await task.progress(1);
    await task.progress(2, 10, 'two of ten');
    expect(events.map((e) => e.payload)).toEqual([{ progress: 1 }, { progress: 2, total: 10, message: 'two of ten' }]);
    expect(events.every((e) => e.type === 'dev.taskstream.task.progress')).toBe(true);
  });

  it.each([
    ['no number', Number.NaN, undefined],
    ['too much', Number.POSITIVE_INFINITY, undefined],
    ['text', '1' as unknown as number, undefined],
    ['a total that is no number', 1, Number.NaN],
  ])('refuses progress that is %s: no reader could tell what it is', async (_what, doneCount, total) => {
    const { task, events } = scene();
    await expect(task.progress(doneCount, total)).rejects.toMatchObject({ code: 'invalid_event' });
    expect(events).toEqual([]);
  });

  it('states a message beside its status', async () => {
    const { task, statuses } = scene();
    await task.status('half way');
    await task.status(42 as unknown as string);
    expect(statuses).toEqual([
      { status: 'working', statusMessage: 'half way' },
      { status: 'working', statusMessage: '42' },
    ]);
  });

  it.each(['dev.taskstream.task.status', 'dev.taskstream.', 'dev.taskstream.anything'])(
    'lets nobody emit %s',
    async (type) => {
      const { task, events } = scene();
      await expect(task.emit(type, {})).rejects.toMatchObject({ code: 'invalid_event' });
      expect(events).toEqual([]);
    },
  );

  it('remembers the failure of an emit, a status or a progress that nobody looked at', async () => {
    const failure = new TaskstreamError('stream_full', 'no room');
    const unseen: ReadonlyArray<(task: RunningTask) => unknown> = [
      (task) => void task.emit('com.example.step', {}),
      (task) => void task.status('x'),
      (task) => void task.progress(1),
    ];
    for (const leave of unseen) {
      const { task } = scene(failure);
      leave(task);
      await turn();
      expect(task.unseenFailure).toEqual({ error: failure });
    }
  });

  it('forgets the failure that somebody looked at', async () => {
    const { task } = scene(new TaskstreamError('stream_full', 'no room'));
    await expect(task.emit('com.example.step', {})).rejects.toMatchObject({ code: 'stream_full' });
    const kept = task.emit('com.example.step', {});
    await turn();
    expect(task.unseenFailure).toBeDefined();
    await kept.catch(() => undefined);
    expect(task.unseenFailure).toBeUndefined();
  });
});
