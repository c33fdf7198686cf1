/** Event types that a tool declares: checked at definition, typed at `emit`, refused there by name and field. */
import { NOTHING_TAKEN, type AttemptLog, type EventDraft } from '@taskstream/core';
import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { defineTool, type Tool } from '../src/define-tool.js';
import { InputDesk } from '../src/input-desk.js';
import { RunningTask } from '../src/running-task.js';
import { FakeTask, OPTIONS } from './support/fakes.js';

const base = { name: 'build', description: 'd', inputSchema: z.object({}) } as const;
const line = z.object({ text: z.string(), n: z.int().default(7) });

function taskOf(tool: Tool, awaits: boolean[] = []) {
  const drafts: EventDraft[] = [];
  const { signal } = new AbortController();
  const log: AttemptLog = {
    attempt: 2,
    nextSeq: 0,
    openQuestions: {},
    signal,
    append: async (events, awaited) => {
      drafts.push(...events);
      // The turn after the microtasks that an await of an observed promise takes.
      setImmediate(() => void awaits.push(awaited?.() ?? false));
    },
    appendStatus: async () => undefined,
    appendTaken: () => Promise.reject(new Error('not for tools')),
    settled: async () => undefined,
    appendAttemptEnd: async () => undefined,
    confirm: async () => undefined,
  };
  const desk = new InputDesk({ capabilities: {}, openBefore: {}, state: async () => undefined, signal });
  const state = new FakeTask(undefined).openState('id', 2);
  const spec = { taskId: 'id', tool: tool.definition.name, given: undefined };
  const { events } = tool;
  return {
    task: new RunningTask({
      spec,
      events,
      log,
      state,
      desk,
      signal,
      steerable: false,
      taken: NOTHING_TAKEN,
      bounds: OPTIONS,
      onSuspend: () => undefined,
    }),
    drafts,
  };
}

describe('a declared event type', () => {
  const tool = defineTool({
    ...base,
    events: { 'com.example.line': line, 'com.example.delta': { schema: line, coalesce: 'text' } },
    run: async (_input, task) => {
      await task.emit('com.example.line', { text: 'a' });
      await task.emit('com.example.delta', { text: 'b', n: 1 }, { itemId: 'i' });
      await task.emit('com.example.other', { any: true });
      // @ts-expect-error -- the payload of a declared type is typed
      await task.emit('com.example.line', { text: 1 });
      return '';
    },
  });

  it('stores what its schema makes of the payload, with its rule; other types are free', async () => {
    const { task, drafts } = taskOf(tool);
    await expect(tool.invoke({}, task)).rejects.toMatchObject({ code: 'invalid_event' });
    expect(drafts).toEqual([
      { type: 'com.example.line', payload: { text: 'a', n: 7 }, identity: undefined, coalesce: undefined },
      { type: 'com.example.delta', payload: { text: 'b', n: 1 }, identity: { itemId: 'i' }, coalesce: 'text' },
      { type: 'com.example.other', payload: { any: true }, identity: undefined },
    ]);
  });

  it('names tool, task, attempt, type and field of a payload that breaks it', async () => {
    const { task } = taskOf(tool);
    await expect(tool.invoke({}, task)).rejects.toThrow(
      /^build \(task id, attempt 2\): payload of com\.example\.line: text: .*expected string.*\(got integer\)/,
    );
  });

  it('that is broken unseen is a failure of the task', async () => {
    const { task } = taskOf(tool);
    void task.emit('com.example.line', { text: 1 });
    await new Promise(setImmediate);
    expect(task.unseenFailure?.error).toMatchObject({ code: 'invalid_event' });
  });
});

it.each([
  ['without a vendor prefix', { step: line }],
  ['under our own prefix', { 'dev.taskstream.step': line }],
  ['with no object schema', { 'com.example.step': z.string() as never }],
  ['with an unknown rule', { 'com.example.step': { schema: line, coalesce: 'sum' as never } }],
  ['that joins texts and has none', { 'com.example.step': { schema: z.object({}), coalesce: 'text' as const } }],
])('a declaration %s is refused when the tool is defined, by its name', (_what, events) => {
  const [type] = Object.keys(events);
  expect(() => defineTool({ ...base, events, run: () => '' })).toThrow(
    new RegExp(`^defineTool\\(build\\): events: ${String(type)}: `),
  );
});

it('the log learns who awaits an emit, a progress or a status, and who does not', async () => {
  const awaits: boolean[] = [];
  const { task } = taskOf(defineTool({ ...base, run: () => '' }), awaits);
  void task.emit('com.example.a', {});
  await task.emit('com.example.b', {});
  await Promise.all([task.emit('com.example.c', {}), task.progress(1)]);
  void task.progress(2);
  await new Promise(setImmediate);
  await new Promise(setImmediate);
  expect(awaits).toEqual([false, true, true, true, false]);
});
