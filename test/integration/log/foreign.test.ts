/** Messages in our subjects that are not ours: passed over, counted, and nothing changes. */
import { parseTaskId, type ClaimedItem, type MailboxCommand, type TaskPlace, type TaskSpec } from '@taskstream/core';
import { cmdSubject, evtSubject, Header, specSubject, streamName, workSubject } from '@taskstream/jetstream';
import type { TaskEvent } from '@taskstream/protocol';
import { headers, type MsgHdrs } from '@nats-io/transport-node';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { connectStore, startNats, type TestNats, type TestStore } from '../../support/nats.js';
import { testSpec } from '../../support/specs.js';
import {
  beginAttempt,
  createTask,
  emitSteps,
  readEvents,
  readTask,
  runningTask,
  STEP,
  storedMessages,
} from '../../support/task-logs.js';
import { startTcpProxy } from '../../support/tcp-proxy.js';

let nats: TestNats;
let on: TestStore;
/** Without anything cached. */
let other: TestStore;
let passedOver: string[] = [];

const SMALL_PAGES = { historyBatchMessages: 8, mailboxEntriesMax: 5 };

beforeAll(async () => {
  nats = await startNats();
  on = await connectStore(nats.url, SMALL_PAGES, { foreignMessage: (subject) => void passedOver.push(subject) });
  other = await connectStore(nats.url, SMALL_PAGES);
});

afterAll(async () => {
  await on?.[Symbol.asyncDispose]();
  await other?.[Symbol.asyncDispose]();
  await nats?.[Symbol.asyncDispose]();
});

beforeEach(() => {
  passedOver = [];
});

const placeOf = (spec: TaskSpec) => parseTaskId(spec.taskId) as TaskPlace;
const evtOf = (spec: TaskSpec) => evtSubject(placeOf(spec), spec.taskId);
const eventsOf = (lines: ReadonlyArray<string>) => lines.map((line) => JSON.parse(line) as TaskEvent);
const stepsOf = (lines: ReadonlyArray<string>) =>
  eventsOf(lines)
    .filter((e) => e.type === STEP)
    .map((e) => e.payload['i']);
const upTo = (n: number) => Array.from({ length: n }, (_e, i) => i);

async function putForeign(subject: string, count = 1, data = 'not ours', h?: MsgHdrs): Promise<number> {
  let seq = 0;
  for (let i = 0; i < count; i++) {
    ({ seq } = await other.broker.js.publish(subject, data, h === undefined ? {} : { headers: h }));
  }
  return seq;
}

function head(fields: Readonly<Record<string, string>>): MsgHdrs {
  const h = headers();
  for (const [key, value] of Object.entries(fields)) h.set(key, value);
  return h;
}

const OURS = {
  [Header.version]: '1',
  [Header.seq]: '1',
  [Header.count]: '1',
  [Header.attempt]: '1',
  [Header.write]: 'x:1',
  [Header.status]: 'working',
};

describe('among the events of a task', () => {
  it('at the tail: the writer goes on above them, and the status stays known', async () => {
    const { spec, log } = await runningTask(on);
    await log.appendStatus({ status: 'working', statusMessage: 'as it was' });
    for (let i = 0; i < 4; i++) {
      await putForeign(evtOf(spec), i + 1);
      expect((await on.store.tasks.read(spec.taskId))?.status.statusMessage).toBe('as it was');
      await log.append([{ type: STEP, payload: { i } }]);
    }
    expect(passedOver.length).toBeGreaterThan(0);
    expect(new Set(passedOver)).toEqual(new Set([evtOf(spec)]));
    await log.appendStatus({ status: 'completed', result: {} });
    const { lines, end } = await readTask(on, spec.taskId);
    expect(stepsOf(lines)).toEqual(upTo(4));
    expect(eventsOf(lines).map((e) => e.seq)).toEqual(upTo(lines.length));
    expect(end).toMatchObject({ type: 'end', reason: 'terminal', nextSeq: lines.length });
  });

  it.each([
    ['no headers', undefined],
    ['a format version that is no number', { ...OURS, [Header.version]: 'two' }],
    ['a seq that is no number', { ...OURS, [Header.seq]: 'one' }],
    ['a negative seq', { ...OURS, [Header.seq]: '-1' }],
    ['a seq that no integer can hold', { ...OURS, [Header.seq]: '9'.repeat(30) }],
    ['a count of 0', { ...OURS, [Header.count]: '0' }],
    ['an unknown status', { ...OURS, [Header.status]: 'paused' }],
    ['no writer', { ...OURS, [Header.write]: '' }],
  ])('with %s', async (_what, fields) => {
    const { spec, log } = await runningTask(on);
    await putForeign(evtOf(spec), 1, 'x', fields === undefined ? undefined : head(fields));
    expect(await on.store.attempts.readTail(spec.taskId)).toMatchObject({ attempt: 1, nextSeq: 2 });
    await log.append([{ type: STEP, payload: { i: 0 } }]);
    await log.appendStatus({ status: 'completed', result: {} });
    expect((await readTask(other, spec.taskId)).lines).toHaveLength(4);
  });

  it('by the hundred, in the middle: every cursor still finds its event', async () => {
    const { spec, log } = await runningTask(on);
    for (let i = 0; i < 40; i++) {
      await log.append([{ type: STEP, payload: { i } }]);
      if (i % 13 === 5) await putForeign(evtOf(spec), 30);
    }
    await log.appendStatus({ status: 'completed', result: {} });
    const whole = await readTask(other, spec.taskId);
    expect(stepsOf(whole.lines)).toEqual(upTo(40));
    for (let after = 0; after < whole.lines.length; after += 3) {
      expect((await readTask(other, spec.taskId, after)).lines).toEqual(whole.lines.slice(after + 1));
    }
  });

  it('in one flood with the appends: nothing is lost, doubled or out of order', async () => {
    const { spec, log } = await runningTask(on);
    const session = await other.store.events.open(spec.taskId, undefined);
    const reading = readEvents(session);
    let over = false;
    const flood = (async () => {
      while (!over) {
        await putForeign(evtOf(spec));
        await delay(3);
      }
    })();
    await emitSteps(log, 150, 'awaited');
    over = true;
    await flood;
    await log.appendStatus({ status: 'completed', result: {} });
    const { lines, end } = await reading;
    expect(stepsOf(lines)).toEqual(upTo(150));
    expect(end).toMatchObject({ reason: 'terminal' });
    const stored = await storedMessages(other, spec.taskId);
    expect(stored.filter((m) => Number.isNaN(m.firstSeq)).length).toBeGreaterThan(20);
    expect(stored.filter((m) => !Number.isNaN(m.firstSeq)).flatMap((m) => m.lines)).toEqual(lines);
  });

  it('above a tail that is taken over', async () => {
    const { spec, log } = await runningTask(on);
    await putForeign(evtOf(spec), 3);
    const second = await beginAttempt(other, spec);
    await putForeign(evtOf(spec), 3);
    await expect(log.append([{ type: STEP, payload: {} }])).rejects.toMatchObject({ code: 'fenced' });
    await second.append([{ type: STEP, payload: { i: 'second' } }]);
    await second.confirm();
  });

  it('above a status of which the ack was lost: the status is still found', async () => {
    const proxy = await startTcpProxy(nats.url);
    let resolved = 0;
    const lossy = await connectStore(proxy.url, { publishTimeoutMs: 400 }, { lostAckResolved: () => void resolved++ });
    const { spec, log } = await runningTask(lossy);
    proxy.filter((subject) => (subject.startsWith('_INBOX.') ? 'drop' : 'pass'));
    const stated = log.appendStatus({ status: 'working', statusMessage: 'half way' });
    await delay(150);
    await putForeign(evtOf(spec), 2);
    proxy.filter(undefined);
    await stated;
    expect(resolved).toBe(1);
    await emitSteps(log, 2, 'awaited');
    expect((await other.store.tasks.read(spec.taskId))?.status).toMatchObject({ statusMessage: 'half way' });
    await lossy[Symbol.asyncDispose]();
    await proxy[Symbol.asyncDispose]();
  });

  it('above the end of a task: it stays ended', async () => {
    const { spec, log } = await runningTask(on);
    await log.appendStatus({ status: 'completed', result: { content: [] } });
    await putForeign(evtOf(spec), 3);
    expect((await other.store.tasks.read(spec.taskId))?.status.status).toBe('completed');
    const { lines, end } = await readTask(other, spec.taskId);
    expect(lines).toHaveLength(3);
    expect(end).toMatchObject({ type: 'end', reason: 'terminal', nextSeq: 3 });
    await on.store.tasks.cancel(spec.taskId);
    expect((await other.store.tasks.read(spec.taskId))?.status.status).toBe('completed');
  });

  it('and nothing else: there is no such task', async () => {
    const spec = testSpec();
    await putForeign(evtOf(spec), 2);
    expect(await on.store.tasks.read(spec.taskId)).toBeUndefined();
    await expect(on.store.events.open(spec.taskId, undefined)).rejects.toMatchObject({ code: 'unknown_task' });
  });

  it('on the live tail only: nobody gets it', async () => {
    const { spec, log } = await runningTask(on);
    const session = await other.store.events.open(spec.taskId, undefined);
    const reading = readEvents(session);
    await delay(50);
    on.broker.nc.publish(`live.${evtOf(spec)}`, 'not ours');
    on.broker.nc.publish(`live.${evtOf(spec)}`, 'x\n', { headers: head({ ...OURS, [Header.seq]: '2' }) });
    await log.append([{ type: STEP, payload: { i: 0 } }]);
    await log.appendStatus({ status: 'completed', result: {} });
    expect(stepsOf((await reading).lines)).toEqual([0]);
  });
});

describe('among the specs', () => {
  it('above a spec: the task is known as it was created', async () => {
    const spec = await createTask(on, { requestDigest: 'digest' });
    const subject = specSubject(placeOf(spec), spec.taskId);
    await putForeign(subject, 1, '{"v":1}');
    await putForeign(subject, 1, JSON.stringify({ ...spec, taskId: testSpec().taskId }));
    const fresh = await connectStore(nats.url, {}, { foreignMessage: (s) => void passedOver.push(s) });
    expect(await fresh.store.attempts.readSpec(spec.taskId)).toEqual(spec);
    expect((await fresh.store.tasks.read(spec.taskId))?.spec).toEqual(spec);
    expect(passedOver).toContain(subject);
    expect(await fresh.store.tasks.create(spec)).toBe(false);
    await fresh[Symbol.asyncDispose]();
  });
});

describe('among the commands', () => {
  it('are passed over by the follower, and do not disturb numbers or cap', async () => {
    const spec = await createTask(on);
    const subject = cmdSubject(placeOf(spec), spec.taskId);
    const input = (key: string): MailboxCommand => ({ type: 'input', key, response: 1 });
    await on.store.tasks.send(spec.taskId, input('a'));
    await putForeign(subject, 2, '{"type":"explode"}');
    await on.store.tasks.send(spec.taskId, input('b'));
    await putForeign(subject, 1, 'no json');
    const got: MailboxCommand[] = [];
    const over = new AbortController();
    await on.store.attempts.followMailbox(spec.taskId, (c) => void got.push(c), over.signal);
    expect(got).toEqual([input('a'), input('b')]);
    expect(passedOver.filter((s) => s === subject)).toHaveLength(3);
    for (const key of ['c', 'd', 'e']) {
      await putForeign(subject, 1, 'in between');
      await other.store.tasks.send(spec.taskId, input(key));
    }
    await expect.poll(() => got.length).toBe(5);
    expect(got.map((c) => (c.type === 'input' ? c.key : ''))).toEqual(['a', 'b', 'c', 'd', 'e']);
    await putForeign(subject, 1, 'at the end');
    await expect(other.store.tasks.send(spec.taskId, input('f'))).rejects.toMatchObject({ code: 'mailbox_full' });
    over.abort();
  });
});

describe('in the work queue', () => {
  it('is removed, whatever its subject says, and the items behind it are served', async () => {
    const queue = 'foreign';
    const spec = testSpec({ queue });
    await putForeign(`work.${queue}.5.local.not-a-task`);
    await putForeign(`work.${queue}.9.x.y`);
    await putForeign(workSubject(spec));
    const items: ClaimedItem[] = [];
    await on.store.work.pull(queue, 3, (item) => void items.push(item), AbortSignal.timeout(700));
    expect(items.map((i) => i.taskId)).toEqual([spec.taskId]);
    await items[0]?.ack();
    expect(passedOver).toEqual([`work.${queue}.5.local.not-a-task`, `work.${queue}.9.x.y`]);
    const left = await on.broker.jsm.streams.info('WORK', { subjects_filter: `work.${queue}.>` });
    expect(left.state.subjects ?? {}).toEqual({});
    expect(await on.broker.jsm.streams.info(streamName(placeOf(spec)))).toBeDefined();
  });
});
