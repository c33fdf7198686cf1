/**
 * What a later release may leave in the streams while this one still runs beside it: refused by name, neither passed
 * over nor written over; everything else goes on. docs/recovery.md §Upgrade.
 */
import { parseTaskId, type TaskPlace, type TaskSpec } from '@taskstream/core';
import { cmdSubject, evtSubject, Header, specSubject, stateSubject } from '@taskstream/jetstream';
import { headers } from '@nats-io/transport-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { callTask, rpc } from '../support/rpc.js';
import { connectStore, startNats, type TestNats, type TestStore } from '../support/nats.js';
import { testSpec } from '../support/specs.js';
import { startFrontEnd, startWorker, stopAll, type FrontEnd, type TestProcess } from '../support/system.js';
import { createTask, readEvents, readTask, runningTask, STEP, storedMessages } from '../support/task-logs.js';

const LATER = '2';
const REFUSED = {
  code: 'format_unknown',
  message: expect.stringMatching(/stored format 2; this release reads 1/) as string,
};

let nats: TestNats;
let on: TestStore;
const foreign: string[] = [];

beforeAll(async () => {
  nats = await startNats();
  on = await connectStore(nats.url, { tailCheckMs: 300 }, { foreignMessage: (subject) => void foreign.push(subject) });
});

afterAll(async () => {
  expect(foreign).toEqual([]);
  await on?.[Symbol.asyncDispose]();
  await nats?.[Symbol.asyncDispose]();
});

const placeOf = (spec: TaskSpec) => parseTaskId(spec.taskId) as TaskPlace;

/** Puts a message as a later release might write it: nobody here knows what its other headers would be. */
async function putLater(subject: string, data = 'of another shape'): Promise<number> {
  const h = headers();
  h.set(Header.version, LATER);
  h.set(Header.write, 'later:1');
  return (await on.broker.js.publish(subject, data, { headers: h })).seq;
}

const itemsOf = async (spec: TaskSpec) =>
  Object.keys(
    (await on.broker.jsm.streams.info('WORK', { subjects_filter: `work.*.*.*.${spec.taskId}` })).state.subjects ?? {},
  ).length;

describe('events of a later format', () => {
  it('end every use of the log by name: reading, following, cancelling, writing', async () => {
    const { spec, log } = await runningTask(on);
    await log.append([{ type: STEP, payload: { i: 0 } }]);
    const following = readEvents(await on.store.events.open(spec.taskId, undefined));
    const refusedReader = expect(following).rejects.toMatchObject(REFUSED);
    await putLater(evtSubject(placeOf(spec), spec.taskId));
    await refusedReader;
    await expect(on.store.events.open(spec.taskId, undefined)).rejects.toMatchObject(REFUSED);
    await expect(on.store.tasks.read(spec.taskId)).rejects.toMatchObject(REFUSED);
    await expect(on.store.tasks.cancel(spec.taskId)).rejects.toMatchObject(REFUSED);
    await expect(on.store.attempts.readTail(spec.taskId)).rejects.toMatchObject(REFUSED);
    const before = await storedMessages(on, spec.taskId);
    // The writer that was here first: it may not write above what it cannot read.
    await expect(log.append([{ type: STEP, payload: { i: 1 } }])).rejects.toMatchObject(REFUSED);
    expect(await storedMessages(on, spec.taskId)).toEqual(before);
  });

  it('do not hide what lies below them', async () => {
    const { spec, log } = await runningTask(on);
    for (let i = 0; i < 3; i++) await log.append([{ type: STEP, payload: { i } }]);
    const session = await on.store.events.open(spec.taskId, undefined);
    await putLater(evtSubject(placeOf(spec), spec.taskId));
    const seen: number[] = [];
    const reading = readEvents(session, { onLines: (soFar) => void seen.push(soFar) });
    await expect(reading).rejects.toMatchObject(REFUSED);
    expect(seen.at(-1)).toBe(log.nextSeq);
  });
});

describe('a mailbox and a state of a later format', () => {
  it('are refused, not written over', async () => {
    const spec = await createTask(on);
    await putLater(cmdSubject(placeOf(spec), spec.taskId), '{"type":"rewind"}');
    await expect(on.store.tasks.send(spec.taskId, { type: 'pause' })).rejects.toMatchObject(REFUSED);
    await putLater(stateSubject(placeOf(spec), spec.taskId, 'step', 'fetch'));
    await expect(on.store.attempts.openState(spec.taskId, 2).step('fetch')).rejects.toMatchObject(REFUSED);
  });
});

describe('among nodes of this release', () => {
  let processes: TestProcess[] = [];
  let frontEnd: FrontEnd;

  beforeAll(async () => {
    frontEnd = await startFrontEnd(nats.url);
    processes = [frontEnd];
  });

  afterAll(() => stopAll(processes, 'SIGKILL'));

  it('a task of a later release waits for a node that knows it; the others go on', async () => {
    const queue = 'default';
    const later = testSpec({ queue });
    const data = JSON.stringify({ ...later, v: 2, tool: { name: 'count', from: 'a later release' } });
    await on.broker.js.publish(specSubject(placeOf(later), later.taskId), data);
    const upgraded = await createTask(on, { queue, arguments: { n: 3 } });
    const above = await putLater(evtSubject(placeOf(upgraded), upgraded.taskId));
    await on.broker.js.publish(`work.${queue}.5.local.${later.taskId}`, '');

    // To a client it is a node that cannot serve the task for now, not a task that does not exist.
    for (const { taskId } of [later, upgraded]) {
      const answer = await rpc(frontEnd.endpoint, 'tasks/get', { taskId });
      expect(answer.error?.message).toMatch(/later release/);
    }
    const worker = await startWorker(nats.url, { TASKSTREAM_LEASE_MS: '1000' });
    processes.push(worker);
    const refusals = () => worker.log().split('format_unknown').length - 1;
    await expect.poll(refusals, { timeout: 20_000 }).toBeGreaterThan(2);
    const other = await callTask(frontEnd.endpoint, 'count', { n: 3 });
    expect((await readTask(on, other)).end).toMatchObject({ status: 'completed' });
    expect([await itemsOf(later), await itemsOf(upgraded)]).toEqual([1, 1]);
    expect(await storedMessages(on, upgraded.taskId)).toHaveLength(2);

    // As if an upgraded worker had taken its own event further: this one can go on where it can read again.
    await on.broker.jsm.streams.deleteMessage('TASKS_d_0', above);
    expect((await readTask(on, upgraded.taskId)).end).toMatchObject({ status: 'completed' });
  });
});
