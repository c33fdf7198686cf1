/**
 * What outlives a worker, with real processes and signals: results of steps, checkpoints, questions and their answers.
 * DESIGN §3.1, §3.8.
 */
import { parseTaskId, type TaskSpec } from '@taskstream/core';
import { cmdSubject, Header } from '@taskstream/jetstream';
import { SystemEvent, type TaskEvent } from '@taskstream/protocol';
import { headers } from '@nats-io/transport-node';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connectStore, type TestStore } from '../support/nats.js';
import { createTask, readTask, storedLines } from '../support/task-logs.js';
import { workerScene } from './scene.js';

const LEASE_MS = 1_500;
const TOOLS = fileURLToPath(new URL('../support/durable-tools.mjs', import.meta.url));

const scene = workerScene({ TASKSTREAM_LEASE_MS: String(LEASE_MS), TASKSTREAM_TOOLS: TOOLS });
const { worker } = scene;
/** Two front ends, as far as the log is concerned. */
let on: TestStore;
let other: TestStore;

beforeAll(async () => {
  ({ on } = scene);
  other = await connectStore(scene.nats.url);
});

afterAll(async () => {
  await other?.[Symbol.asyncDispose]();
});

const begin = (tool: string, args: Record<string, unknown>, overrides: Partial<TaskSpec> = {}) =>
  createTask(on, { tool, arguments: args, attemptsMax: 20, clientCapabilities: { elicitation: {} }, ...overrides });

const attemptOf = (event: TaskEvent) =>
  (event._meta?.['dev.taskstream/event'] as { attempt: number } | undefined)?.attempt ?? -1;

/** The log as it is now; throws when it has a gap. */
async function eventsOf(spec: TaskSpec): Promise<TaskEvent[]> {
  return (await storedLines(on, spec.taskId)).map((line) => JSON.parse(line) as TaskEvent);
}

async function ended(spec: TaskSpec): Promise<{ events: TaskEvent[]; result: Record<string, unknown> }> {
  const { lines, end } = await readTask(on, spec.taskId);
  expect(end).toMatchObject({ type: 'end', reason: 'terminal', status: 'completed', nextSeq: lines.length });
  expect(lines).toEqual(await storedLines(on, spec.taskId));
  const events = lines.map((line) => JSON.parse(line) as TaskEvent);
  const last = events.at(-1)?.payload as { result: { structuredContent: Record<string, unknown> } } | undefined;
  return { events, result: last?.result.structuredContent ?? {} };
}

const of = (events: TaskEvent[], type: string) => events.filter((e) => e.type === type);
const causes = (events: TaskEvent[]) => of(events, SystemEvent.attemptStarted).map((e) => e.payload['cause']);
const names = (events: TaskEvent[], type: string): string[] =>
  of(events, type).flatMap((e) => (e.payload['names'] ?? [e.payload['name']]) as string[]);

const waitFor = (what: () => Promise<boolean> | boolean) =>
  expect.poll(what, { timeout: 30_000, interval: 20 }).toBe(true);

const suspended = async (spec: TaskSpec) => (await on.store.attempts.readTail(spec.taskId))?.suspended === true;
const openKeys = async (spec: TaskSpec): Promise<string[]> =>
  Object.keys((await on.store.tasks.read(spec.taskId))?.status.inputRequests ?? {});
async function itemsIn(subject = 'work.>'): Promise<number> {
  const info = await on.broker.jsm.streams.info('WORK', { subjects_filter: subject });
  return Object.values(info.state.subjects ?? {}).reduce((sum, n) => sum + n, 0);
}

async function answer(spec: TaskSpec, name: string, text: string, from: TestStore = on): Promise<void> {
  const key = (await openKeys(spec)).find((k) => k.startsWith(`${name}-`));
  if (key === undefined) throw new Error(`${name} is not open`);
  const response = { action: 'accept', content: { text } };
  await from.store.tasks.send(spec.taskId, { type: 'input', key, response });
}

/** Whatever was killed when: one recorded result a step, seen by all, and every step is told in the log. */
function expectSteps(events: TaskEvent[], results: unknown, n: number): void {
  const all = Array.from({ length: n }, (_e, i) => `step ${i}`);
  const completed = names(events, SystemEvent.stepCompleted);
  expect(new Set(completed).size).toBe(completed.length);
  const told = new Set([...completed, ...names(events, SystemEvent.stepRecalled)]);
  expect([...told].toSorted()).toEqual(all.toSorted());
  // The result of a step is of an attempt that ran it, and no later attempt ran it again.
  const ran = of(events, 'com.example.ran');
  (results as string[]).forEach((text, i) => {
    const by = Number(text.split(' ').at(-1));
    const runs = ran.filter((e) => e.payload['name'] === `step ${i}`).map(attemptOf);
    expect(text).toBe(`${i} by ${by}`);
    expect(runs).toContain(by);
  });
}

describe('steps', () => {
  it('a worker that is killed again and again, at the moment that a step is recorded: none is run twice', async () => {
    const spec = await begin('steps', { n: 12, ms: [15] });
    const subject = `live.state.*.*.${spec.taskId}.*`;
    let current = await worker();
    let kills = 0;
    const killed: Array<Promise<unknown>> = [];
    const subscription = on.broker.nc.subscribe(subject, {
      callback: () => {
        // Between the record and its event, as far as a signal can aim.
        if (kills < 2 && current.child.signalCode === null && Math.random() < 0.5) {
          kills++;
          current.kill('SIGKILL');
          killed.push(current.exited.then(async () => (current = await worker())));
        }
      },
    });
    const { events, result } = await ended(spec);
    subscription.unsubscribe();
    await Promise.all(killed);
    expectSteps(events, result['results'], 12);
    const ran = names(events, 'com.example.ran');
    // A step that is recorded is never run again: only one that a kill hit may have run twice.
    expect(ran.length).toBeLessThanOrEqual(12 + kills);
    expect(kills).toBeGreaterThan(0);
  });

  it('a worker that is stopped in a step and goes on after its successor has recorded it: its result is not seen', async () => {
    const spec = await begin('steps', { n: 3, ms: [700, 10] });
    const zombie = await worker();
    await waitFor(async () => names(await eventsOf(spec), 'com.example.ran').length === 2);
    zombie.kill('SIGSTOP');
    await worker();
    await waitFor(async () => names(await eventsOf(spec), SystemEvent.stepCompleted).length >= 2);
    zombie.kill('SIGCONT');
    const { events, result } = await ended(spec);
    expect(result['results']).toEqual(['0 by 1', '1 by 2', '2 by 2']);
    expectSteps(events, result['results'], 3);
    await waitFor(() => /attempt stopped without a word/.test(zombie.log()));
    expect(await on.store.attempts.openState(spec.taskId, 9).step('step 1')).toMatchObject({ json: '"1 by 2"' });
  });

  it('a result that a stopped worker records before its successor has its own: the successor goes on with it', async () => {
    const spec = await begin('steps', { n: 1, ms: [100, 3_000] });
    // The first attempt is a zombie in the hands of the test: it records without knowing that it is over.
    const zombie = on.store.attempts.openState(spec.taskId, 1);
    const first = await worker();
    await waitFor(async () => names(await eventsOf(spec), 'com.example.ran').length === 1);
    first.kill('SIGKILL');
    await worker();
    await waitFor(async () => names(await eventsOf(spec), 'com.example.ran').length === 2);
    await zombie.recordStep({ name: 'step 0', version: undefined, attempt: 1, tries: 1, ms: 1, json: '"0 by 1"' });
    const { events, result } = await ended(spec);
    expect(result['results']).toEqual(['0 by 1']);
    expect(names(events, SystemEvent.stepCompleted)).toEqual([]);
    expect(names(events, SystemEvent.stepRecalled)).toEqual(['step 0']);
  });
});

describe('checkpoints', () => {
  it('a killed worker costs no record and repeats at most the one that was not saved', async () => {
    const spec = await begin('batch', { n: 120, everyMs: 10 });
    for (const at of [40]) {
      const victim = await worker();
      await waitFor(async () => of(await eventsOf(spec), 'com.example.record').length >= at);
      victim.kill('SIGKILL');
      await victim.exited;
    }
    await worker();
    const { events, result } = await ended(spec);
    const records = of(events, 'com.example.record').map((e) => e.payload['i'] as number);
    expect(new Set(records).size).toBe(120);
    // Between an event and its checkpoint a kill may fall: then that one record comes again.
    expect(records.length).toBeLessThanOrEqual(120 + 1);
    expect(result['from']).toBeGreaterThanOrEqual(39);
    expect(
      of(events, SystemEvent.checkpointSaved).reduce((sum, e) => sum + Number(e.payload['saves']), 0),
    ).toBeLessThanOrEqual(records.length);
    expect(of(events, SystemEvent.checkpointSaved).length).toBeLessThan(60);
  });
});

describe('a question', () => {
  it('that waits with a slot is answered after its worker was killed, without being asked for again', async () => {
    const spec = await begin('ask', { names: ['q'], suspend: false });
    const victim = await worker();
    await waitFor(async () => (await openKeys(spec)).length === 1);
    const [key] = await openKeys(spec);
    victim.kill('SIGKILL');
    await victim.exited;
    await answer(spec, 'q', 'in between');
    await worker();
    const { events, result } = await ended(spec);
    expect(result['texts']).toEqual(['in between']);
    expect(causes(events)).toEqual(['first', 'lease_lost']);
    // One key, and at no time was the question stated as closed before its answer was taken.
    const statuses = of(events, SystemEvent.taskStatus).map((e) => Object.keys(e.payload['inputRequests'] ?? {}));
    expect(statuses).toEqual([[], [key], [], []]);
  });

  it('that suspends holds no item, and each answer begins one attempt, whichever worker takes it', async () => {
    const spec = await begin('ask', { names: ['a', 'b'], suspend: true });
    const first = await worker();
    await waitFor(() => suspended(spec));
    await waitFor(async () => (await itemsIn(`work.*.*.*.${spec.taskId}`)) === 0);
    first.kill('SIGKILL');
    await first.exited;
    await answer(spec, 'a', 'A', other);
    await worker();
    await waitFor(async () => (await suspended(spec)) && (await openKeys(spec)).some((k) => k.startsWith('b-')));
    await answer(spec, 'b', 'B');
    const { events, result } = await ended(spec);
    expect(result['texts']).toEqual(['A', 'B']);
    expect(causes(events)).toEqual(['first', 'woken', 'woken']);
    expect(of(events, SystemEvent.attemptEnded).map((e) => e.payload['reason'])).toEqual(['suspended', 'suspended']);
    expect(names(events, 'com.example.ran')).toEqual(['prepare']);
  });

  it('whose worker dies between the suspension and its item wakes no attempt in vain, and loses no answer', async () => {
    const spec = await begin('ask', { names: ['q'], suspend: true });
    const victim = await worker();
    const session = await on.store.events.open(spec.taskId, undefined);
    for (let dead = false; !dead;) {
      const next = await session.next();
      if (next.type !== 'packs') throw new Error('ended');
      dead = next.packs.some((p) => Buffer.from(p.data).includes(SystemEvent.attemptEnded));
    }
    victim.kill('SIGKILL');
    session.close('rotated');
    await victim.exited;
    const successor = await worker();
    await waitFor(async () => (await itemsIn(`work.*.*.*.${spec.taskId}`)) === 0);
    expect(causes(await eventsOf(spec))).toEqual(['first']);
    await answer(spec, 'q', 'late');
    const { events, result } = await ended(spec);
    expect(result['texts']).toEqual(['late']);
    expect(causes(events)).toEqual(['first', 'woken']);
    await waitFor(() => successor.log().includes('"how":"completed"'));
  });

  it('whose front end dies before it wakes the task is found by a sweep, and delivered once', async () => {
    const spec = await begin('ask', { names: ['q'], suspend: true });
    const first = await worker({ TASKSTREAM_SWEEP_EVERY_MS: '200' });
    await waitFor(async () => (await suspended(spec)) && (await itemsIn(`work.*.*.*.${spec.taskId}`)) === 0);
    const place = parseTaskId(spec.taskId);
    const [key] = await openKeys(spec);
    if (place === undefined || key === undefined) throw new Error('nothing is open');
    // All that the dead front end did: one entry in the mailbox.
    const entry = headers();
    for (const [name, value] of [
      [Header.version, '1'],
      [Header.entry, '1'],
      [Header.write, 'dead'],
    ] as const) {
      entry.set(name, value);
    }
    const response = { action: 'accept', content: { text: 'orphaned' } };
    const command = JSON.stringify({ type: 'input', key, response });
    await on.broker.js.publish(cmdSubject(place, spec.taskId), command, { headers: entry });
    const { events, result } = await ended(spec);
    expect(result['texts']).toEqual(['orphaned']);
    expect(causes(events)).toEqual(['first', 'woken']);
    await waitFor(() => first.log().includes('a sweep set a task right'));
    expect(first.log()).toContain(spec.taskId);
  });

  it('of a suspended task outlives a steer; a cancel needs no worker', async () => {
    const [steered, cancelled] = await Promise.all([0, 1].map(() => begin('ask', { names: ['q'], suspend: true })));
    if (steered === undefined || cancelled === undefined) throw new Error('two tasks');
    const only = await worker();
    await waitFor(() => suspended(steered));
    await waitFor(() => suspended(cancelled));
    await on.store.tasks.send(steered.taskId, { type: 'pause' });
    await on.store.tasks.send(steered.taskId, { type: 'resume' });
    expect(await suspended(steered)).toBe(true);
    await answer(steered, 'q', 'still');
    const { events, result } = await ended(steered);
    expect(result['texts']).toEqual(['still']);
    expect(causes(events)).toEqual(['first', 'woken']);
    only.kill('SIGKILL');
    await only.exited;
    await on.store.tasks.cancel(cancelled.taskId, 'enough');
    const { end } = await readTask(on, cancelled.taskId);
    expect(end).toMatchObject({ type: 'end', reason: 'terminal', status: 'cancelled' });
  });

  it('sixty suspended tasks hold no slot; answers in random order to two front ends wake each exactly once', async () => {
    const COUNT = 60;
    await worker({ TASKSTREAM_SLOTS: '8' });
    await worker({ TASKSTREAM_SLOTS: '8' });
    const specs = await Promise.all(Array.from({ length: COUNT }, () => begin('ask', { names: ['q'], suspend: true })));
    for (const spec of specs) await waitFor(() => suspended(spec));
    await waitFor(async () => (await itemsIn()) === 0);
    const order = specs.map((spec, i) => ({ spec, i, at: Math.random() })).toSorted((a, b) => a.at - b.at);
    await Promise.all(
      order.map(async ({ spec, i }, n) => {
        const from = n % 2 === 0 ? on : other;
        // Every third answer goes to both, at once.
        await Promise.all([
          answer(spec, 'q', `answer ${i}`, from),
          n % 3 === 0 && answer(spec, 'q', `answer ${i}`, on),
        ]);
      }),
    );
    for (const [i, spec] of specs.entries()) {
      const { events, result } = await ended(spec);
      expect(result['texts']).toEqual([`answer ${i}`]);
      expect(causes(events)).toEqual(['first', 'woken']);
    }
    await waitFor(async () => (await itemsIn()) === 0);
  });
});
