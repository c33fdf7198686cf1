/** Competing writers: one of them owns the log, the others learn it. DESIGN §3.3, §3.8. */
import type { AttemptStart, Tail } from '@taskstream/core';
import { SystemEvent, type TaskEvent } from '@taskstream/protocol';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connectStore, startNats, type TestNats, type TestStore } from '../../support/nats.js';
import { beginAttempt, createTask, runningTask, STEP, storedLines } from '../../support/task-logs.js';
import { startTcpProxy } from '../../support/tcp-proxy.js';

const STORES = 4;

let nats: TestNats;
let stores: TestStore[] = [];
let fencings = 0;

beforeAll(async () => {
  nats = await startNats();
  stores = await Promise.all(
    Array.from({ length: STORES }, () => connectStore(nats.url, {}, { writerFenced: () => void fencings++ })),
  );
});

afterAll(async () => {
  for (const store of stores) await store[Symbol.asyncDispose]();
  await nats?.[Symbol.asyncDispose]();
});

const store = (i: number) => stores[i % STORES] as TestStore;
const eventsOf = async (taskId: string) =>
  (await storedLines(store(0), taskId)).map((line) => JSON.parse(line) as TaskEvent);
const attemptOf = (event: TaskEvent) =>
  (event._meta?.['dev.taskstream/event'] as { attempt: number } | undefined)?.attempt ?? -1;

async function tailOf(on: TestStore, taskId: string): Promise<Tail> {
  const tail = await on.store.attempts.readTail(taskId);
  if (tail === undefined) throw new Error('no log');
  return tail;
}

const startOf = (attempt: number, worker: string): AttemptStart => ({
  attempt,
  failures: 0,
  itemId: '1',
  delivery: attempt,
  worker,
  cause: attempt === 1 ? 'first' : 'lease_lost',
});

describe('a second writer takes a log over', () => {
  it('while the first writes: the first is fenced, nothing acknowledged is lost, nothing is doubled', async () => {
    const spec = await createTask(store(0));
    const first = await beginAttempt(store(0), spec);
    const acknowledged: number[] = [];
    let told: unknown;
    const writing = (async () => {
      for (let i = 0; ; i++) {
        try {
          await first.append([{ type: STEP, payload: { i } }]);
        } catch (error) {
          told = error;
          return;
        }
        acknowledged.push(i);
      }
    })();
    await delay(80);
    let second = await beginAttempt(store(1), spec).catch(() => undefined);
    while (second === undefined) second = await beginAttempt(store(1), spec).catch(() => undefined);
    await second.append([{ type: STEP, payload: { i: 'second' } }]);
    await writing;
    expect(told).toMatchObject({ code: 'fenced', details: { attempt: 1, byAttempt: 2 } });
    expect(first.signal.aborted).toBe(true);
    expect(first.signal.reason).toMatchObject({ code: 'fenced' });
    const events = await eventsOf(spec.taskId);
    const stepsOfFirst = events.filter((e) => e.type === STEP && attemptOf(e) === 1).map((e) => e.payload['i']);
    expect(stepsOfFirst.slice(0, acknowledged.length)).toEqual(acknowledged);
    expect(stepsOfFirst.length - acknowledged.length).toBeLessThanOrEqual(1);
    expect(events.map(attemptOf)).toEqual(events.map(attemptOf).toSorted((a, b) => a - b));
    expect(events.at(-1)?.payload['i']).toBe('second');
  });

  it('and the fenced one never writes again', async () => {
    const { spec, log } = await runningTask(store(0));
    await beginAttempt(store(1), spec);
    await expect(log.append([{ type: STEP, payload: {} }])).rejects.toMatchObject({ code: 'fenced' });
    const length = (await eventsOf(spec.taskId)).length;
    await expect(log.append([{ type: STEP, payload: {} }])).rejects.toMatchObject({ code: 'fenced' });
    await expect(log.appendStatus({ status: 'completed' })).rejects.toMatchObject({ code: 'fenced' });
    await expect(log.appendAttemptEnd({ reason: 'error' })).rejects.toMatchObject({ code: 'fenced' });
    expect(await eventsOf(spec.taskId)).toHaveLength(length);
  });

  it('rejects everything that the first has queued', async () => {
    const { spec, log } = await runningTask(store(0));
    await beginAttempt(store(1), spec);
    const results = await Promise.allSettled(
      Array.from({ length: 500 }, (_e, i) => log.append([{ type: STEP, payload: { i } }])),
    );
    expect(
      new Set(results.map((r) => (r.status === 'rejected' ? (r.reason as { code: string }).code : 'stored'))),
    ).toEqual(new Set(['fenced']));
    expect((await eventsOf(spec.taskId)).filter((e) => e.type === STEP)).toEqual([]);
  });

  it('of which the ack was lost: its pack is in the log once, and it is fenced all the same', async () => {
    const proxy = await startTcpProxy(nats.url);
    const lossy = await connectStore(proxy.url, { publishTimeoutMs: 300 });
    const { spec, log } = await runningTask(lossy);
    proxy.filter((subject) => (subject.startsWith('_INBOX.') ? 'drop' : 'pass'));
    const lost = expect(log.append([{ type: STEP, payload: { i: 'lost ack' } }])).rejects.toMatchObject({
      code: 'fenced',
    });
    await delay(100);
    const second = await beginAttempt(store(1), spec);
    proxy.filter(undefined);
    await lost;
    await second.append([{ type: STEP, payload: { i: 'second' } }]);
    const steps = (await eventsOf(spec.taskId)).filter((e) => e.type === STEP).map((e) => e.payload['i']);
    expect(steps).toEqual(['lost ack', 'second']);
    await lossy[Symbol.asyncDispose]();
    await proxy[Symbol.asyncDispose]();
  });

  it('while a pack of the first is still on its way: it is refused when it arrives', async () => {
    const proxy = await startTcpProxy(nats.url);
    const slow = await connectStore(proxy.url);
    const { spec, log } = await runningTask(slow);
    proxy.hold('server');
    const late = expect(log.append([{ type: STEP, payload: { i: 'late' } }])).rejects.toMatchObject({ code: 'fenced' });
    await delay(50);
    const second = await beginAttempt(store(1), spec);
    await second.append([{ type: STEP, payload: { i: 'second' } }]);
    proxy.release();
    await late;
    const steps = (await eventsOf(spec.taskId)).filter((e) => e.type === STEP).map((e) => e.payload['i']);
    expect(steps).toEqual(['second']);
    await slow[Symbol.asyncDispose]();
    await proxy[Symbol.asyncDispose]();
  });
});

describe('a race for one tail', () => {
  it('has exactly one winner among many, every time', async () => {
    for (let round = 0; round < 8; round++) {
      const spec = await createTask(store(round));
      const tails = await Promise.all(Array.from({ length: 12 }, (_e, i) => tailOf(store(i), spec.taskId)));
      const before = fencings;
      const results = await Promise.allSettled(
        tails.map((tail, i) => store(i).store.attempts.beginAttempt(spec, tail, startOf(1, `w${i}`))),
      );
      const winners = results.flatMap((r, i) => (r.status === 'fulfilled' ? [i] : []));
      const losers = results.flatMap((r) => (r.status === 'rejected' ? [(r.reason as { code: string }).code] : []));
      expect(winners).toHaveLength(1);
      expect(losers).toEqual(Array(11).fill('fenced'));
      expect(fencings - before).toBe(11);
      const events = await eventsOf(spec.taskId);
      expect(events.map((e) => e.type)).toEqual([SystemEvent.taskStatus, SystemEvent.attemptStarted]);
      expect(events[1]?.payload['worker']).toBe(`w${winners[0]}`);
    }
  });

  it('goes on over many take-overs without a gap, a duplicate or two writers in one attempt', async () => {
    const spec = await createTask(store(0));
    const deadline = performance.now() + 1_500;
    let acknowledged = 0;
    await Promise.all(
      stores.map(async (on, i) => {
        while (performance.now() < deadline) {
          try {
            const tail = await tailOf(on, spec.taskId);
            const log = await on.store.attempts.beginAttempt(spec, tail, startOf(tail.attempt + 1, `w${i}`));
            for (let n = 0; n < 20; n++) {
              await log.append([{ type: STEP, payload: { i, n } }]);
              acknowledged++;
            }
          } catch (error) {
            expect(error).toMatchObject({ code: 'fenced' });
          }
        }
      }),
    );
    const events = await eventsOf(spec.taskId);
    const workers = new Map<number, Set<unknown>>();
    for (const event of events.filter((e) => e.type === STEP)) {
      const set = workers.get(attemptOf(event)) ?? new Set();
      workers.set(attemptOf(event), set.add(event.payload['i']));
    }
    const steps = events.filter((e) => e.type === STEP).length;
    expect([...workers.values()].every((set) => set.size === 1)).toBe(true);
    expect(workers.size).toBeGreaterThan(3);
    expect(steps).toBeGreaterThanOrEqual(acknowledged);
    expect(events.map(attemptOf)).toEqual(events.map(attemptOf).toSorted((a, b) => a - b));
  });

  it('between a cancel and the first attempt: the log says one of both, and the loser learns it', async () => {
    for (let round = 0; round < 15; round++) {
      const spec = await createTask(store(0));
      const tail = await tailOf(store(1), spec.taskId);
      const [began] = await Promise.allSettled([
        store(1).store.attempts.beginAttempt(spec, tail, startOf(1, 'w')),
        store(0).store.tasks.cancel(spec.taskId),
      ]);
      const status = (await tailOf(store(2), spec.taskId)).status;
      expect(status).toBe(began.status === 'fulfilled' ? 'working' : 'cancelled');
      if (began.status === 'fulfilled') {
        const commands: unknown[] = [];
        const over = new AbortController();
        await store(1).store.attempts.followMailbox(spec.taskId, (c) => void commands.push(c), over.signal);
        over.abort();
        expect(commands).toEqual([{ type: 'cancel' }]);
      }
    }
  });

  it('is lost by an attempt whose tail was read before a cancel', async () => {
    const spec = await createTask(store(0));
    const tail = await tailOf(store(1), spec.taskId);
    await store(0).store.tasks.cancel(spec.taskId);
    await expect(store(1).store.attempts.beginAttempt(spec, tail, startOf(1, 'w'))).rejects.toMatchObject({
      code: 'fenced',
    });
    expect((await eventsOf(spec.taskId)).map((e) => e.payload['status'])).toEqual(['working', 'cancelled']);
  });

  it('between the end of a task by its worker and by another one', async () => {
    const { spec, log } = await runningTask(store(0));
    const tail = await tailOf(store(1), spec.taskId);
    const results = await Promise.allSettled([
      log.appendStatus({ status: 'completed', result: { content: [] } }),
      store(1).store.attempts.failTask(spec, tail, { status: 'failed', error: { code: -1, message: 'no' } }),
    ]);
    expect(results.filter((r) => r.status === 'fulfilled')).toHaveLength(1);
    const events = await eventsOf(spec.taskId);
    expect(events.filter((e) => ['completed', 'failed'].includes(String(e.payload['status'])))).toHaveLength(1);
  });
});

describe('confirm', () => {
  it('says nothing to the owner, before and after it has written', async () => {
    const { log } = await runningTask(store(0));
    await log.confirm();
    await log.append([{ type: STEP, payload: {} }]);
    await log.confirm();
    expect(log.signal.aborted).toBe(false);
  });

  it('tells one that has been taken over, and closes its log', async () => {
    const { spec, log } = await runningTask(store(0));
    await beginAttempt(store(1), spec);
    await expect(log.confirm()).rejects.toMatchObject({ code: 'fenced' });
    expect(log.signal.aborted).toBe(true);
    await expect(log.append([{ type: STEP, payload: {} }])).rejects.toMatchObject({ code: 'fenced' });
  });
});
