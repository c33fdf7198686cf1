/** Steps and checkpoints in JetStream: who wins, who is fenced, what survives lost acks and junk. DESIGN §3.1. */
import type { AttemptState, RecordedStep, TaskSpec } from '@taskstream/core';
import { parseTaskId } from '@taskstream/core';
import { Header, stateSubject, streamName } from '@taskstream/jetstream';
import { headers } from '@nats-io/transport-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connectStore, startNats, type TestNats, type TestStore } from '../../support/nats.js';
import { createTask, runningTask, STEP, storedLines } from '../../support/task-logs.js';

let nats: TestNats;
let on: TestStore;

beforeAll(async () => {
  nats = await startNats();
  on = await connectStore(nats.url);
});

afterAll(async () => {
  await on?.[Symbol.asyncDispose]();
  await nats?.[Symbol.asyncDispose]();
});

const stepOf = (attempt: number, json: string | undefined = `"of ${attempt}"`, name = 'a'): RecordedStep => ({
  name,
  version: undefined,
  attempt,
  tries: 1,
  ms: 5,
  json,
});

async function task(): Promise<{ spec: TaskSpec; at: (attempt: number) => AttemptState }> {
  const spec = await createTask(on);
  return { spec, at: (attempt) => on.store.attempts.openState(spec.taskId, attempt) };
}

/** How many messages the stream holds under each subject of a task's state. */
async function stored(spec: TaskSpec): Promise<number[]> {
  const place = parseTaskId(spec.taskId);
  if (place === undefined) throw new Error('no place');
  const info = await on.broker.jsm.streams.info(streamName(place), {
    subjects_filter: `state.*.*.${spec.taskId}.*`,
  });
  return Object.values(info.state.subjects ?? {});
}

function subjectOf(spec: TaskSpec, kind: 'step' | 'checkpoint', name: string): string {
  const place = parseTaskId(spec.taskId);
  if (place === undefined) throw new Error('no place');
  return stateSubject(place, spec.taskId, kind, name);
}

describe('a step', () => {
  it('is found by every later attempt as it was recorded', async () => {
    const { at } = await task();
    const step = {
      ...stepOf(1, '{"text":"line\\nbreak \\u2028 ünïcode"}', 'Schritt 1: prüfen.*>'),
      version: 'v2',
      tries: 3,
    };
    expect(await at(1).recordStep(step)).toEqual({ recorded: step, mine: true });
    expect(await at(2).step(step.name)).toEqual(step);
    expect(await at(7).step(step.name)).toEqual(step);
    expect(await at(7).step('another')).toBeUndefined();
  });

  it('that returned nothing is recorded all the same', async () => {
    const { at } = await task();
    await at(1).recordStep(stepOf(1, undefined));
    expect(await at(2).step('a')).toEqual(stepOf(1, undefined));
  });

  it.each([
    ['the older attempt', 1, 2],
    ['the newer attempt', 2, 1],
  ])('that two attempts record has the result of whoever is first: %s', async (_who, first, second) => {
    const { spec, at } = await task();
    expect(await at(first).recordStep(stepOf(first))).toEqual({ recorded: stepOf(first), mine: true });
    expect(await at(second).recordStep(stepOf(second))).toEqual({ recorded: stepOf(first), mine: false });
    expect(await at(3).step('a')).toEqual(stepOf(first));
    expect(await stored(spec)).toEqual([1]);
  });

  it('that ten attempts record at once has one result, and all ten see it', async () => {
    const { spec, at } = await task();
    const answers = await Promise.all(Array.from({ length: 10 }, (_e, i) => at(i + 1).recordStep(stepOf(i + 1))));
    expect(answers.filter((a) => a.mine)).toHaveLength(1);
    expect(new Set(answers.map((a) => a.recorded.json)).size).toBe(1);
    expect(await stored(spec)).toEqual([1]);
  });

  it('takes nothing that is not ours for its record', async () => {
    const { spec, at } = await task();
    const subject = subjectOf(spec, 'step', 'a');
    await on.broker.js.publish(subject, 'junk');
    expect(await at(2).step('a')).toBeUndefined();
    expect(await at(2).recordStep(stepOf(2))).toMatchObject({ mine: true });
    const h = headers();
    h.set(Header.version, '1');
    h.set(Header.write, 'x');
    await on.broker.js.publish(subject, '{"name":"b","attempt":9}\n"of another name"', { headers: h });
    expect(await at(3).step('a')).toEqual(stepOf(2));
    expect(await at(3).recordStep(stepOf(3))).toEqual({ recorded: stepOf(2), mine: false });
  });

  it('is refused when it is larger than a message may be', async () => {
    const { at } = await task();
    await expect(at(1).recordStep(stepOf(1, `"${'x'.repeat(1024 * 1024)}"`))).rejects.toMatchObject({
      code: 'payload_too_large',
    });
  });
});

describe('what was emitted before', () => {
  it('is durable when the log says that it has settled, whoever awaited it', async () => {
    const { spec, log } = await runningTask(on);
    const appends = Array.from({ length: 700 }, (_e, i) => log.append([{ type: STEP, payload: { i } }]));
    await log.settled();
    expect(await storedLines(on, spec.taskId)).toHaveLength(2 + 700);
    await Promise.all(appends);
    await log.settled();
  });
});

describe('a checkpoint', () => {
  it('is what was saved last, for this attempt and the next', async () => {
    const { at } = await task();
    const first = at(1);
    expect(await first.takeCheckpoint('default')).toBeUndefined();
    for (let i = 0; i < 20; i++) await first.saveCheckpoint('default', String(i));
    expect(await first.takeCheckpoint('default')).toBe('19');
    expect(await at(2).takeCheckpoint('default')).toBe('19');
    expect(await at(2).takeCheckpoint('other')).toBeUndefined();
  });

  it('takes the space of one value, however often it is saved', async () => {
    const { spec, at } = await task();
    const state = at(1);
    for (let i = 0; i < 50; i++) await state.saveCheckpoint('default', String(i));
    await expect.poll(() => stored(spec), { timeout: 10_000 }).toEqual([1]);
  });

  it.each([
    ['that has saved', true],
    ['that has saved nothing', false],
  ])('that a newer attempt has taken is closed to the older one %s', async (_what, saved) => {
    const { at } = await task();
    const zombie = at(1);
    if (saved) await zombie.saveCheckpoint('default', '1');
    const successor = at(2);
    expect(await successor.takeCheckpoint('default')).toBe(saved ? '1' : undefined);
    await expect(zombie.saveCheckpoint('default', '"late"')).rejects.toMatchObject({ code: 'fenced' });
    expect(await successor.takeCheckpoint('default')).toBe(saved ? '1' : undefined);
    expect(await at(3).takeCheckpoint('default')).toBe(saved ? '1' : undefined);
  });

  it('that an older attempt saves before the newer one has looked is what the newer one finds, and may write over', async () => {
    const { at } = await task();
    const zombie = at(1);
    await zombie.saveCheckpoint('default', '1');
    const successor = at(2);
    await zombie.saveCheckpoint('default', '2');
    expect(await successor.takeCheckpoint('default')).toBe('2');
    await successor.saveCheckpoint('default', '3');
    await expect(zombie.saveCheckpoint('default', '4')).rejects.toMatchObject({ code: 'fenced' });
    expect(await at(3).takeCheckpoint('default')).toBe('3');
  });

  it('that a newer attempt saves without looking wins over a later save of the older one', async () => {
    const { at } = await task();
    const zombie = at(1);
    await zombie.saveCheckpoint('default', '1');
    await at(2).saveCheckpoint('default', '2');
    await expect(zombie.saveCheckpoint('default', '3')).rejects.toMatchObject({ code: 'fenced' });
    expect(await at(3).takeCheckpoint('default')).toBe('2');
  });

  it('is found below what is not ours', async () => {
    const { spec, at } = await task();
    const first = at(1);
    await first.saveCheckpoint('default', '1');
    await on.broker.js.publish(subjectOf(spec, 'checkpoint', 'default'), 'junk');
    await first.saveCheckpoint('default', '2');
    await on.broker.js.publish(subjectOf(spec, 'checkpoint', 'default'), 'junk');
    expect(await at(2).takeCheckpoint('default')).toBe('2');
  });
});
