/** Reading and following a log, from any cursor, by any number of readers. DESIGN §3.4, §3.6. */
import type { AttemptLog, TaskSpec } from '@taskstream/core';
import fc from 'fast-check';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connectStore, startNats, type TestNats, type TestStore } from '../../support/nats.js';
import { testSpec } from '../../support/specs.js';
import {
  createTask,
  emitSteps,
  readEvents,
  readTask,
  runningTask,
  STEP,
  storedLines,
} from '../../support/task-logs.js';

let nats: TestNats;
let writer: TestStore;
/** Pages of few packs, hardly any ring: everything takes the long way. */
let cold: TestStore;
/** As configured by default. */
let warm: TestStore;
let joins = 0;

beforeAll(async () => {
  nats = await startNats();
  writer = await connectStore(nats.url);
  cold = await connectStore(nats.url, { historyBatchMessages: 3, feedRingBytesMax: 1 });
  warm = await connectStore(nats.url, { feedLingerMs: 300 }, { feedJoined: () => void joins++ });
});

afterAll(async () => {
  for (const store of [writer, cold, warm]) await store?.[Symbol.asyncDispose]();
  await nats?.[Symbol.asyncDispose]();
});

const done = (log: AttemptLog) => log.appendStatus({ status: 'completed', result: { content: [] } });

/** A log of packs of many sizes, with packs of other tasks in between. */
async function mixedLog(): Promise<{ spec: TaskSpec; log: AttemptLog; lines: string[] }> {
  const { spec, log } = await runningTask(writer);
  const { log: neighbour } = await runningTask(writer);
  for (const size of [1, 7, 1, 30, 1, 1, 200, 3, 1, 90]) {
    await Promise.all([emitSteps(log, size), emitSteps(neighbour, 20, 'awaited')]);
  }
  return { spec, log, lines: await storedLines(writer, spec.taskId) };
}

describe('a cursor', () => {
  let spec: TaskSpec;
  let log: AttemptLog;
  let lines: string[];
  beforeAll(async () => {
    ({ spec, log, lines } = await mixedLog());
    await done(log);
    lines = await storedLines(writer, spec.taskId);
  });

  it.each([
    ['through small pages', () => cold],
    ['through large pages', () => warm],
  ])('gives exactly what lies after it, byte for byte, %s', async (_how, store) => {
    const whole = await readTask(store(), spec.taskId);
    expect(whole.lines).toEqual(lines);
    expect(whole.end).toEqual({ type: 'end', reason: 'terminal', status: 'completed', nextSeq: lines.length });
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: lines.length - 1 }), async (after) => {
        const { lines: rest, end } = await readTask(store(), spec.taskId, after);
        expect(rest).toEqual(lines.slice(after + 1));
        expect(end).toMatchObject({ reason: 'terminal', nextSeq: lines.length });
      }),
      { numRuns: 40, seed: 11 },
    );
  });

  it.each([
    ['at the tail', 0],
    ['one beyond the tail', 1],
    ['far beyond the tail', 2 ** 40],
  ])('%s of a task that is over ends at once', async (_what, beyond) => {
    const session = await cold.store.events.open(spec.taskId, lines.length - 1 + beyond);
    const first = await session.next();
    expect(first).toEqual({ type: 'end', reason: 'terminal', status: 'completed', nextSeq: lines.length });
    expect(await session.next()).toEqual(first);
  });

  it('one beyond the tail of a live task is refused, and tells where the tail is', async () => {
    const live = await runningTask(writer);
    await emitSteps(live.log, 5, 'awaited');
    await expect(warm.store.events.open(live.spec.taskId, 7)).rejects.toMatchObject({
      code: 'cursor_ahead',
      details: { nextSeq: 7 },
    });
    await expect(warm.store.events.open(live.spec.taskId, Number.MAX_SAFE_INTEGER)).rejects.toMatchObject({
      code: 'cursor_ahead',
    });
  });

  it('at the tail of a live task waits for what comes', async () => {
    const live = await runningTask(writer);
    await emitSteps(live.log, 5, 'awaited');
    const session = await warm.store.events.open(live.spec.taskId, 6);
    const next = session.next();
    const early = await Promise.race([next, delay(150, 'nothing')]);
    expect(early).toBe('nothing');
    await live.log.append([{ type: STEP, payload: { i: 'live' } }]);
    expect(await next).toMatchObject({ type: 'packs', packs: [{ firstSeq: 7, count: 1 }] });
    session.close('draining');
  });

  it('is not refused because this node has not yet seen what another one has', async () => {
    const live = await runningTask(writer);
    // Followed here, and the follower is told nothing of what comes.
    const idle = await warm.store.events.open(live.spec.taskId, undefined);
    await emitSteps(live.log, 3, 'awaited');
    const session = await warm.store.events.open(live.spec.taskId, 4);
    await done(live.log);
    expect((await readEvents(session)).lines).toHaveLength(1);
    idle.close('draining');
  });

  it('finds its place in a log of large events without giving up', async () => {
    const small = await connectStore(nats.url, { historyBatchBytes: 32 * 1024, feedRingBytesMax: 1 });
    const large = await runningTask(writer);
    for (let i = 0; i < 300; i++) await large.log.append([{ type: STEP, payload: { i, text: 'x'.repeat(8_000) } }]);
    await done(large.log);
    for (const after of [3, 250, 280, 301]) {
      const { lines: rest } = await readTask(small, large.spec.taskId, after);
      expect(rest.map((line) => (JSON.parse(line) as { seq: number }).seq)).toEqual(
        Array.from({ length: 303 - after - 1 }, (_e, i) => after + 1 + i),
      );
    }
    await small[Symbol.asyncDispose]();
  });
});

describe('a task that is not there', () => {
  it.each([
    ['never existed', () => testSpec().taskId],
    ['would lie in a stream that does not exist', () => testSpec().taskId.replace(/^d0/, 'zz77')],
    ['has no id that could be one', () => 'nonsense'],
    ['has an id of 10 kB', () => 'd0-'.padEnd(10_000, 'x')],
  ])('%s', async (_what, id) => {
    await expect(warm.store.events.open(id(), undefined)).rejects.toMatchObject({ code: 'unknown_task' });
  });

  it.each([
    ['never existed', () => testSpec().taskId],
    ['would lie in a stream that does not exist', () => testSpec().taskId.replace(/^d0/, 'zz77')],
  ])('is not read either: it %s', async (_what, id) => {
    expect(await warm.store.tasks.read(id())).toBeUndefined();
    expect(await warm.store.tasks.readSpec(id())).toBeUndefined();
    await expect(warm.store.tasks.cancel(id())).rejects.toMatchObject({ code: 'unknown_task' });
  });
});

describe('followers', () => {
  it('who come at any time with any cursor all get the same events', async () => {
    const { spec, log } = await runningTask(writer);
    const readings: Array<Promise<{ after: number; lines: string[] }>> = [];
    let over = false;
    const coming = (async () => {
      for (let i = 0; !over || i < 30; i++) {
        const store = i % 2 === 0 ? cold : warm;
        const after = i % 5 === 0 ? undefined : Math.max(0, Math.floor((log.nextSeq - 1) * ((i % 7) / 8)));
        const session = await store.store.events.open(spec.taskId, after);
        readings.push(readEvents(session).then(({ lines }) => ({ after: after ?? -1, lines })));
        await delay(15);
      }
    })();
    for (let i = 0; i < 60; i++) {
      await emitSteps(log, 1 + (i % 9));
      await delay(5);
    }
    await done(log);
    over = true;
    await coming;
    const lines = await storedLines(writer, spec.taskId);
    for (const reading of await Promise.all(readings)) {
      expect(reading.lines).toEqual(lines.slice(reading.after + 1));
    }
    expect(readings.length).toBeGreaterThan(20);
  });

  it('share one feed, however many come at once, and it goes when they have gone', async () => {
    await expect.poll(() => warm.store.events.feeds, { timeout: 3_000 }).toBe(0);
    const { spec, log } = await runningTask(writer);
    joins = 0;
    const sessions = await Promise.all(
      Array.from({ length: 50 }, () => warm.store.events.open(spec.taskId, undefined)),
    );
    expect(warm.store.events.feeds).toBe(1);
    expect(joins).toBe(1);
    const readings = sessions.map((session) => readEvents(session));
    await emitSteps(log, 20, 'awaited');
    expect(joins).toBe(1);
    await done(log);
    const all = await Promise.all(readings);
    expect(new Set(all.map(({ lines }) => lines.join('\n'))).size).toBe(1);
    expect(all[0]?.lines).toEqual(await storedLines(writer, spec.taskId));
    await expect.poll(() => warm.store.events.feeds, { timeout: 3_000 }).toBe(0);
  });

  it('can go and come back while the feed lingers and after it has gone', async () => {
    const { spec, log } = await runningTask(writer);
    await emitSteps(log, 3, 'awaited');
    for (const pauseMs of [0, 100, 800]) {
      const { lines } = await readEvents(await warm.store.events.open(spec.taskId, 1), { stopAfter: 3 });
      expect(lines).toEqual((await storedLines(writer, spec.taskId)).slice(2, 2 + lines.length));
      await delay(pauseMs);
      await emitSteps(log, 1);
    }
  });

  it('who come back together to a node that is new to the task cost it as many reads as one', async () => {
    await using fresh = await connectStore(nats.url);
    const { spec, log } = await runningTask(writer);
    await emitSteps(log, 30, 'awaited');
    const reads: string[] = [];
    // What any node asks for passes here; the other tests of this file have ended theirs.
    const watching = writer.broker.nc.subscribe('$JS.API.DIRECT.GET.>', {
      callback: (_error, m) => void reads.push(m.subject),
    });
    await writer.broker.nc.flush();
    const after = log.nextSeq - 10;
    const open = async () => readEvents(await fresh.store.events.open(spec.taskId, after), { stopAfter: 9 });
    const all = await Promise.all(Array.from({ length: 20 }, open));
    const { lines } = await open();
    // What the other connection asked for came to the server before this.
    await writer.broker.nc.flush();
    watching.unsubscribe();
    for (const read of all) expect(read.lines).toEqual(lines);
    expect(lines).toEqual((await storedLines(writer, spec.taskId)).slice(after + 1));
    // The tail of the log, and what led to it.
    expect(reads).toHaveLength(2);
  });

  it('who are slow lose nothing, though the ring holds hardly anything', async () => {
    const { spec, log } = await runningTask(writer);
    const session = await cold.store.events.open(spec.taskId, undefined);
    const reading = readEvents(session, { onLines: () => delay(20) });
    await emitSteps(log, 300);
    await emitSteps(log, 100, 'awaited');
    await done(log);
    expect((await reading).lines).toEqual(await storedLines(writer, spec.taskId));
  });

  it('can be ended from outside, with a reason that stays', async () => {
    const { spec } = await runningTask(writer);
    const session = await warm.store.events.open(spec.taskId, 1);
    const pending = session.next();
    session.close('draining');
    expect(await pending).toMatchObject({ type: 'end', reason: 'draining', status: 'working', nextSeq: 2 });
    session.close('rotated');
    expect(await session.next()).toMatchObject({ reason: 'draining' });
  });

  it('of a task without an attempt see it queued, then started, then cancelled', async () => {
    const spec = await createTask(writer);
    const reading = readEvents(await warm.store.events.open(spec.taskId, undefined));
    await writer.store.tasks.cancel(spec.taskId, 'no longer needed');
    const { lines, end } = await reading;
    expect(lines.map((line) => (JSON.parse(line) as { payload: object }).payload)).toEqual([
      { status: 'working' },
      { status: 'cancelled', statusMessage: 'no longer needed' },
    ]);
    expect(end).toMatchObject({ reason: 'terminal', status: 'cancelled', nextSeq: 2 });
  });
});

describe('what reading costs', () => {
  it('leaves no subscription behind', async () => {
    const { spec, log } = await runningTask(writer);
    await emitSteps(log, 60, 'awaited');
    await done(log);
    const subscriptions = async () => {
      const response = await fetch(`${nats.server.monitorUrl}/subsz`);
      return ((await response.json()) as { num_subscriptions: number }).num_subscriptions;
    };
    await readTask(cold, spec.taskId);
    const before = await subscriptions();
    for (let i = 0; i < 10; i++) await readTask(cold, spec.taskId, i);
    expect((await subscriptions()) - before).toBeLessThanOrEqual(2);
  });
});
