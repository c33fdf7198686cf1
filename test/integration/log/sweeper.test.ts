/**
 * The sweep, on a real server: a task that has lost what would bring it forward gets it back or ends, and a task that
 * lacks nothing is left alone. DESIGN §3.8.
 */
import { parseTaskId, type Repair, type TaskSpec, type ToolDefinition } from '@taskstream/core';
import {
  anyItemSubject,
  cmdSubject,
  Header,
  openQuestionLeases,
  WORK_STREAM,
  type StoreObserver,
} from '@taskstream/jetstream';
import { headers } from '@nats-io/transport-node';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { connectStore, startNats, type TestNats, type TestStore } from '../../support/nats.js';
import { createTask, readEvents, runningTask, storedLines } from '../../support/task-logs.js';

const SWEEPING = { sweepEveryMs: 30, sweepTasksMax: 3, sweepRestMs: 1, leaseMs: 300 };
/** How long an item may be on its way. */
const OPTIONS = { ...SWEEPING, publishRetryMsMax: 500, wakeRetryMsMax: 500 };
const QUESTION = { method: 'elicitation/create', params: { message: 'Which?' } } as const;

let nats: TestNats;
let on: TestStore;
const repairs: Array<{ taskId: string; how: Repair }> = [];
const failures: unknown[] = [];
let sweeps = 0;
let sweepers: Array<{ close(): Promise<void> }> = [];
const OBSERVER: Partial<StoreObserver> = {
  taskRepaired: (fact) => void repairs.push(fact),
  sweepEnded: () => void sweeps++,
  sweepFailed: ({ error }) => void failures.push(error),
};
const definitions = new Map<string, ToolDefinition>();

beforeAll(async () => {
  nats = await startNats();
  on = await connectStore(nats.url, OPTIONS, OBSERVER);
});

beforeEach(() => {
  repairs.length = 0;
  failures.length = 0;
});

afterEach(async () => {
  await Promise.all(sweepers.map((s) => s.close()));
  sweepers = [];
  expect(failures).toEqual([]);
});

afterAll(async () => {
  await on?.[Symbol.asyncDispose]();
  await nats?.[Symbol.asyncDispose]();
});

async function sweep(holder = 'one', by = on): Promise<void> {
  const leases = await openQuestionLeases(by.broker, by.options);
  sweepers.push(by.store.startSweeper({ leases, catalogue: definitions, holder }));
}

/** Two whole sweeps that began after this call. */
async function sweptTwice(): Promise<void> {
  const target = sweeps + 3;
  await expect.poll(() => sweeps, { timeout: 30_000, interval: 10 }).toBeGreaterThanOrEqual(target);
}

const howOf = (spec: TaskSpec) => repairs.filter((r) => r.taskId === spec.taskId).map((r) => r.how);
const repaired = (spec: TaskSpec) => expect.poll(() => howOf(spec), { timeout: 30_000, interval: 10 }).not.toEqual([]);
const tailOf = (spec: TaskSpec) => on.store.attempts.readTail(spec.taskId);

async function dropItem(spec: TaskSpec): Promise<void> {
  await on.broker.jsm.streams.purge(WORK_STREAM, { filter: anyItemSubject(spec.taskId) });
}

async function hasItem(spec: TaskSpec): Promise<boolean> {
  const subjects = anyItemSubject(spec.taskId);
  const info = await on.broker.jsm.streams.info(WORK_STREAM, { subjects_filter: subjects });
  return Object.keys(info.state.subjects ?? {}).length === 1;
}

/** As a front end writes it that dies before it does anything about it. */
async function leaveInMailbox(spec: TaskSpec, command: object): Promise<void> {
  const place = parseTaskId(spec.taskId);
  if (place === undefined) throw new Error('not a task id');
  const h = headers();
  h.set(Header.version, '1');
  h.set(Header.entry, '1');
  h.set(Header.write, 'a-dead-front-end');
  await on.broker.js.publish(cmdSubject(place, spec.taskId), JSON.stringify(command), { headers: h });
}

/** A task that waits for an answer without an attempt, its item removed as its worker would have. */
async function suspendedTask(overrides: Partial<TaskSpec> = {}): Promise<TaskSpec> {
  const { spec, log } = await runningTask(on, { clientCapabilities: { elicitation: {} }, ...overrides });
  await log.appendStatus({ status: 'input_required', inputRequests: { which: QUESTION } });
  await log.appendAttemptEnd({ reason: 'suspended' });
  await dropItem(spec);
  return spec;
}

describe('a sweep queues', () => {
  it('a task whose item is gone', async () => {
    const spec = await createTask(on);
    await dropItem(spec);
    await sweep();
    await repaired(spec);
    expect(howOf(spec)).toEqual(['queue']);
    expect(await hasItem(spec)).toBe(true);
  });

  it('a task whose answer came from a front end that died before it woke it', async () => {
    const spec = await suspendedTask();
    await leaveInMailbox(spec, { type: 'input', key: 'which', response: { action: 'accept', content: {} } });
    await sweep();
    await repaired(spec);
    expect(howOf(spec)).toEqual(['queue']);
    expect(await hasItem(spec)).toBe(true);
    await sweptTwice();
    expect(howOf(spec)).toEqual(['queue']);
  });

  it('a task whose attempt runs without an item: what is queued is its heir', async () => {
    const { spec, log } = await runningTask(on);
    await dropItem(spec);
    await sweep();
    await repaired(spec);
    expect(howOf(spec)).toEqual(['queue']);
    expect(await hasItem(spec)).toBe(true);
    // Nothing was appended: until somebody takes it over, the attempt may go on.
    await log.append([{ type: 'com.example.step', payload: {} }]);
  });
});

describe('a sweep leaves alone', () => {
  it('what is queued, what runs, what waits for an answer, and what is over', async () => {
    const over = await runningTask(on);
    await over.log.appendStatus({ status: 'completed', result: { content: [] } });
    const running = await runningTask(on);
    const specs = [await createTask(on), running.spec, await suspendedTask(), over.spec];
    const before = await Promise.all(specs.map((s) => storedLines(on, s.taskId)));
    await sweep();
    await sweptTwice();
    expect(specs.flatMap(howOf)).toEqual([]);
    expect(await Promise.all(specs.map((s) => storedLines(on, s.taskId)))).toEqual(before);
    await running.log.append([{ type: 'com.example.step', payload: {} }]);
  });
});

describe('a sweep that comes between', () => {
  const ANSWER = { type: 'input', key: 'which', response: { action: 'accept', content: {} } };

  it.each([
    [
      'a creation and its item',
      async () => {
        const spec = await createTask(on);
        await dropItem(spec);
        return spec;
      },
    ],
    [
      'an answer and the item that wakes its task',
      async () => {
        const spec = await suspendedTask();
        await leaveInMailbox(spec, ANSWER);
        return spec;
      },
    ],
  ])('%s leaves it to whoever is at it', async (_name, make) => {
    const patient = await connectStore(
      nats.url,
      { ...SWEEPING, publishRetryMsMax: 60_000, wakeRetryMsMax: 60_000 },
      OBSERVER,
    );
    const spec = await make();
    await sweep('one', patient);
    await sweptTwice();
    expect(howOf(spec)).toEqual([]);
    expect(await hasItem(spec)).toBe(false);
    await Promise.all(sweepers.splice(0).map((s) => s.close()));
    await patient[Symbol.asyncDispose]();
  });
});

describe('a sweep ends', () => {
  it.each([
    ['queued', () => createTask(on, { ttlMs: 400 })],
    ['suspended', () => suspendedTask({ ttlMs: 400 })],
  ])('an expired task (%s): its open stream ends like any other', async (_name, make) => {
    const spec = await make();
    const session = await on.store.events.open(spec.taskId, undefined);
    await sweep();
    const { end, lines } = await readEvents(session);
    expect(end).toMatchObject({ type: 'end', reason: 'terminal', status: 'failed' });
    const last = JSON.parse(lines.at(-1) ?? '') as { payload: { error: { message: string } } };
    expect(last.payload.error.message).toBe('The task expired 400 ms after its creation');
    await repaired(spec);
    expect(howOf(spec)).toEqual(['expire']);
  });

  it('a suspended task that has taken longer than its tool allows', async () => {
    const spec = await suspendedTask({ tool: 'brief' });
    definitions.set('brief', { taskTimeoutMs: 1 } as ToolDefinition);
    await sweep();
    await repaired(spec);
    definitions.delete('brief');
    const { status } = (await on.store.tasks.read(spec.taskId)) ?? {};
    expect(status).toMatchObject({ status: 'failed', statusMessage: 'The task took longer than 1 ms' });
  });

  it('an expired task whose attempt died, long after its worker would have ended it', async () => {
    const { spec, log } = await runningTask(on, { ttlMs: 400 });
    await sweep();
    await repaired(spec);
    expect(howOf(spec)).toEqual(['expire']);
    await expect(log.append([{ type: 'com.example.late', payload: {} }])).rejects.toMatchObject({ code: 'fenced' });
  });

  it('a task with a cancel that nobody heard', async () => {
    const spec = await suspendedTask();
    await leaveInMailbox(spec, { type: 'cancel', reason: 'Not needed' });
    await sweep();
    await repaired(spec);
    expect(howOf(spec)).toEqual(['cancel']);
    const { status } = (await on.store.tasks.read(spec.taskId)) ?? {};
    expect(status).toMatchObject({ status: 'cancelled', statusMessage: 'Not needed' });
  });

  it('a suspended child whose parent is over, unless it was spawned to go on alone', async () => {
    const parent = await runningTask(on);
    const child = (name: string, abandoned: boolean) =>
      suspendedTask({
        parent: { taskId: parent.spec.taskId, name, depth: 1, abandoned },
      });
    const tied = await child('tied', false);
    const free = await child('free', true);
    await sweep();
    await sweptTwice();
    expect(howOf(tied)).toEqual([]);
    await parent.log.appendStatus({ status: 'completed', result: { content: [] } });
    await repaired(tied);
    expect(howOf(tied)).toEqual(['orphan']);
    expect(await tailOf(tied)).toMatchObject({ status: 'cancelled' });
    await sweptTwice();
    expect(howOf(free)).toEqual([]);
  });
});

it('one node at a time sweeps; another takes over when it stops', async () => {
  await sweep('one');
  await sweptTwice();
  const leases = await openQuestionLeases(on.broker, on.options);
  expect(await leases.take('sweeper', 'sweeper', 'two')).toBe(false);
  await sweep('two');
  await sweepers.shift()?.close();
  await sweptTwice();
  expect(await leases.take('sweeper', 'sweeper', 'one')).toBe(false);
});
