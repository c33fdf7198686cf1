/** Acks that do not come back: whatever the connection loses, events land once. DESIGN §3.3. */
import type { TaskEvent } from '@taskstream/protocol';
import type { StoreObserver } from '@taskstream/jetstream';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { connectStore, startNats, type TestNats, type TestStore } from '../../support/nats.js';
import { emitSteps, runningTask, STEP, storedLines } from '../../support/task-logs.js';
import { startTcpProxy, type TcpProxy } from '../../support/tcp-proxy.js';

let nats: TestNats;
let direct: TestStore;
let proxy: TcpProxy;
let on: TestStore;
let resolved = 0;
let retried: string[] = [];

const observer: Partial<StoreObserver> = {
  lostAckResolved: () => void resolved++,
  appendRetried: (why) => void retried.push(why),
};

beforeAll(async () => {
  nats = await startNats();
  direct = await connectStore(nats.url);
});

afterAll(async () => {
  await direct?.[Symbol.asyncDispose]();
  await nats?.[Symbol.asyncDispose]();
});

beforeEach(async () => {
  proxy = await startTcpProxy(nats.url);
  on = await connectStore(proxy.url, { publishTimeoutMs: 200 }, observer);
  resolved = 0;
  retried = [];
});

afterEach(async () => {
  await on[Symbol.asyncDispose]();
  await proxy[Symbol.asyncDispose]();
});

const stepsOf = (lines: ReadonlyArray<string>) =>
  lines
    .map((line) => JSON.parse(line) as TaskEvent)
    .filter((e) => e.type === STEP)
    .map((e) => e.payload['i']);
const upTo = (n: number) => Array.from({ length: n }, (_e, i) => i);

/** Drops the next `n` answers to requests. */
function loseAnswers(n: number): void {
  let left = n;
  proxy.filter((subject) => (subject.startsWith('_INBOX.') && left-- > 0 ? 'drop' : 'pass'));
}

describe('a lost ack', () => {
  it('is resolved by the tail: the pack had landed and is not written again', async () => {
    const { spec, log } = await runningTask(on);
    for (let i = 0; i < 5; i++) {
      loseAnswers(1);
      await log.append([{ type: STEP, payload: { i } }]);
    }
    expect(proxy.dropped).toBe(5);
    expect(resolved).toBe(5);
    expect(stepsOf(await storedLines(direct, spec.taskId))).toEqual(upTo(5));
  });

  it('and the answers to the second try and to the reading of the tail too', async () => {
    const { spec, log } = await runningTask(on);
    // ack, refusal of the copy, ack of nothing: whatever comes back is lost for a while.
    loseAnswers(3);
    await log.append([{ type: STEP, payload: { i: 0 } }]);
    await log.append([{ type: STEP, payload: { i: 1 } }]);
    expect(stepsOf(await storedLines(direct, spec.taskId))).toEqual([0, 1]);
  });

  it('on the creation of a task leaves one spec, one first event, one item', async () => {
    const { createTask } = await import('../../support/task-logs.js');
    loseAnswers(2);
    const spec = await createTask(on);
    expect(await storedLines(direct, spec.taskId)).toHaveLength(1);
    expect((await direct.store.tasks.read(spec.taskId))?.nextSeq).toBe(1);
  });

  it('of a status does not lose where the status lies', async () => {
    const { spec, log } = await runningTask(on);
    loseAnswers(1);
    await log.appendStatus({ status: 'working', statusMessage: 'half way' });
    await emitSteps(log, 3, 'awaited');
    expect(resolved).toBe(1);
    expect((await direct.store.tasks.read(spec.taskId))?.status.statusMessage).toBe('half way');
  });
});

describe('a connection that breaks', () => {
  it('again and again in the middle of appends loses and doubles nothing', async () => {
    const { spec, log } = await runningTask(on);
    const total = 400;
    const writing = (async () => {
      for (let i = 0; i < total; i++) {
        const durable = log.append([{ type: STEP, payload: { i } }]);
        if (i % 3 === 0) await durable;
        else durable.catch(() => undefined);
      }
      await log.append([{ type: STEP, payload: { i: total } }]);
    })();
    let cuts = 0;
    const cutting = (async () => {
      while (cuts < 6) {
        await delay(60);
        // Acks that were on their way go with the connection.
        proxy.hold();
        await delay(15);
        proxy.cut();
        proxy.release();
        cuts++;
        await delay(200);
      }
    })();
    await Promise.all([writing, cutting]);
    expect(stepsOf(await storedLines(direct, spec.taskId))).toEqual(upTo(total + 1));
    expect(retried.length + resolved).toBeGreaterThan(0);
  });

  it('and stays broken for a while delays events, in order', async () => {
    const { spec, log } = await runningTask(on);
    proxy.accept(false);
    proxy.cut();
    const writing = emitSteps(log, 50);
    await delay(700);
    expect(stepsOf(await storedLines(direct, spec.taskId))).toEqual([]);
    proxy.accept(true);
    await writing;
    expect(stepsOf(await storedLines(direct, spec.taskId))).toEqual(upTo(50));
  });

  it('and never comes back ends the writer with a clear error, within its bound', async () => {
    const short = await connectStore(proxy.url, { publishTimeoutMs: 100, publishRetryMsMax: 600 });
    const { spec, log } = await runningTask(short);
    proxy.accept(false);
    proxy.cut();
    await expect(log.append([{ type: STEP, payload: { i: 0 } }])).rejects.toMatchObject({
      code: 'log_unavailable',
      retryable: true,
    });
    expect(log.signal.aborted).toBe(true);
    await expect(log.append([{ type: STEP, payload: { i: 1 } }])).rejects.toMatchObject({ code: 'log_unavailable' });
    await short[Symbol.asyncDispose]();
    // Copies that wait in a connection that is given up must not come out later.
    proxy.accept(true);
    await delay(300);
    expect(stepsOf(await storedLines(direct, spec.taskId))).toEqual([]);
  });

  it('holds its answers for longer than a timeout: the late ones change nothing', async () => {
    const { spec, log } = await runningTask(on);
    proxy.hold();
    const writing = emitSteps(log, 30);
    await delay(900);
    proxy.release();
    await writing;
    await emitSteps(log, 0);
    expect(stepsOf(await storedLines(direct, spec.taskId))).toEqual(upTo(30));
    expect(retried.filter((why) => why === 'unavailable').length).toBeGreaterThanOrEqual(2);
  });
});
