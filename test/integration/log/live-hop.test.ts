/** The live hop may lose anything: what is missing comes from the log, in order and once. DESIGN §3.4. */
import type { AttemptLog, TaskSpec } from '@taskstream/core';
import type { StoreObserver, StoreOptions } from '@taskstream/jetstream';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { connectStore, startNats, type TestNats, type TestStore } from '../../support/nats.js';
import { emitSteps, readEvents, runningTask, storedLines } from '../../support/task-logs.js';
import { startTcpProxy, type TcpProxy } from '../../support/tcp-proxy.js';

/** Longer than any test: with it, no tail check comes by itself. */
const NEVER_MS = 600_000;

let nats: TestNats;
let writer: TestStore;
let proxy: TcpProxy;
let open: TestStore[] = [];
let repairs = { gap: 0, tail: 0 };

beforeAll(async () => {
  nats = await startNats();
  writer = await connectStore(nats.url);
});

afterAll(async () => {
  await writer?.[Symbol.asyncDispose]();
  await nats?.[Symbol.asyncDispose]();
});

beforeEach(async () => {
  proxy = await startTcpProxy(nats.url);
  repairs = { gap: 0, tail: 0 };
});

afterEach(async () => {
  for (const store of open) await store[Symbol.asyncDispose]();
  open = [];
  await proxy[Symbol.asyncDispose]();
});

/** A node that reads through the proxy. */
async function readerNode(overrides: Partial<StoreOptions>): Promise<TestStore> {
  const observer: Partial<StoreObserver> = {
    gapRepaired: () => void repairs.gap++,
    tailRepaired: () => void repairs.tail++,
  };
  const store = await connectStore(proxy.url, overrides, observer);
  open.push(store);
  return store;
}

const done = (log: AttemptLog) => log.appendStatus({ status: 'completed', result: { content: [] } });

/** Opens a stream, writes `steps` events while it is read, and returns what the reader and what the log got. */
async function followThrough(reader: TestStore, write: (log: AttemptLog, spec: TaskSpec) => Promise<void>) {
  const { spec, log } = await runningTask(writer);
  const sessions = await Promise.all([undefined, 0, 1].map((after) => reader.store.events.open(spec.taskId, after)));
  const readings = sessions.map((session) => readEvents(session));
  await write(log, spec);
  const [whole, ...rest] = await Promise.all(readings);
  const stored = await storedLines(writer, spec.taskId);
  expect(rest.map((r) => r.lines)).toEqual([stored.slice(1), stored.slice(2)]);
  return { read: whole, stored };
}

const isLive = (subject: string) => subject.startsWith('live.');

describe('live messages that get lost', () => {
  it('are read from the log as soon as the next one shows the gap', async () => {
    const reader = await readerNode({ tailCheckMs: NEVER_MS, tailCheckMsMax: NEVER_MS });
    let n = 0;
    proxy.filter((subject) => (isLive(subject) && n++ % 3 === 1 ? 'drop' : 'pass'));
    const { read, stored } = await followThrough(reader, async (log) => {
      await emitSteps(log, 120, 'awaited');
      proxy.filter(undefined);
      await done(log);
    });
    expect(read?.lines).toEqual(stored);
    expect(read?.end).toMatchObject({ type: 'end', reason: 'terminal' });
    expect(proxy.dropped).toBeGreaterThan(20);
    expect(repairs.gap).toBeGreaterThan(0);
    expect(repairs.tail).toBe(0);
  });

  it('are found by the tail check when nothing follows them', async () => {
    const reader = await readerNode({ tailCheckMs: 100 });
    const { read, stored } = await followThrough(reader, async (log) => {
      await emitSteps(log, 10, 'awaited');
      await delay(50);
      proxy.filter((subject) => (isLive(subject) ? 'drop' : 'pass'));
      await emitSteps(log, 3);
      await done(log);
    });
    expect(read?.lines).toEqual(stored);
    expect(read?.end).toMatchObject({ reason: 'terminal', nextSeq: stored.length });
    expect(proxy.dropped).toBeGreaterThan(0);
    expect(repairs.tail).toBeGreaterThan(0);
  });

  it('all of them, from the first to the last: the reader is late, and complete', async () => {
    const reader = await readerNode({ tailCheckMs: 50, tailCheckMsMax: 100 });
    proxy.filter((subject) => (isLive(subject) ? 'drop' : 'pass'));
    const { read, stored } = await followThrough(reader, async (log) => {
      for (let i = 0; i < 10; i++) {
        await emitSteps(log, 20);
        await delay(60);
      }
      await done(log);
    });
    expect(read?.lines).toEqual(stored);
    expect(repairs.gap).toBe(0);
  });

  it('while hundreds come between the gap and its repair', async () => {
    const reader = await readerNode({ historyBatchMessages: 5, feedRingBytesMax: 4_096 });
    let n = 0;
    proxy.filter((subject) => (isLive(subject) && n++ % 50 === 10 ? 'drop' : 'pass'));
    const { read, stored } = await followThrough(reader, async (log) => {
      await emitSteps(log, 600, 'awaited');
      await done(log);
    });
    expect(read?.lines).toEqual(stored);
    expect(repairs.gap).toBeGreaterThan(3);
  });
});

describe('a reader whose connection breaks', () => {
  it('again and again while it follows gets every event once', async () => {
    const reader = await readerNode({ tailCheckMs: 200 });
    let cuts = 0;
    const { read, stored } = await followThrough(reader, async (log) => {
      let over = false;
      const cutting = (async () => {
        while (!over) {
          await delay(150);
          proxy.cut();
          cuts++;
        }
      })();
      for (let i = 0; i < 150; i++) {
        await emitSteps(log, 3);
        await delay(8);
      }
      await done(log);
      over = true;
      await cutting;
    });
    expect(read?.lines).toEqual(stored);
    expect(cuts).toBeGreaterThan(4);
  });

  it('and misses the last events learns of them when it is back, before any tail check is due', async () => {
    const reader = await readerNode({ tailCheckMs: NEVER_MS, tailCheckMsMax: NEVER_MS });
    const { read, stored } = await followThrough(reader, async (log) => {
      await emitSteps(log, 5, 'awaited');
      proxy.accept(false);
      proxy.cut();
      await emitSteps(log, 5, 'awaited');
      await done(log);
      proxy.accept(true);
    });
    expect(read?.lines).toEqual(stored);
    expect(repairs.tail).toBeGreaterThan(0);
  });

  it('with a tail check on its way, whose answer never comes, learns it all the same', async () => {
    const reader = await readerNode({ tailCheckMs: 50, tailCheckMsMax: 50, readTimeoutMs: NEVER_MS });
    const { read, stored } = await followThrough(reader, async (log) => {
      await emitSteps(log, 5, 'awaited');
      // The answer to a check is lost, and then everything.
      proxy.filter((subject) => (isLive(subject) ? 'pass' : 'drop'));
      await expect.poll(() => proxy.dropped).toBeGreaterThan(0);
      proxy.filter(() => 'drop');
      await emitSteps(log, 5, 'awaited');
      await done(log);
      proxy.filter(undefined);
      proxy.cut();
    });
    expect(read?.lines).toEqual(stored);
  });

  it('in the middle of a replay goes on where it was', async () => {
    const reader = await readerNode({ historyBatchMessages: 5, historyStallMs: 300, feedRingBytesMax: 1 });
    const { spec, log } = await runningTask(writer);
    await emitSteps(log, 200, 'awaited');
    await done(log);
    const session = await reader.store.events.open(spec.taskId, undefined);
    let reads = 0;
    const { lines, end } = await readEvents(session, {
      onLines: () => {
        if (++reads % 10 === 5) proxy.cut();
      },
    });
    expect(lines).toEqual(await storedLines(writer, spec.taskId));
    expect(end).toMatchObject({ reason: 'terminal' });
  });

  it('and does not come back says so, within its bounds', async () => {
    const reader = await readerNode({
      historyBatchMessages: 5,
      historyStallMs: 100,
      feedRingBytesMax: 1,
      readRetryMsMax: 500,
      readTimeoutMs: 200,
    });
    const { spec, log } = await runningTask(writer);
    await emitSteps(log, 100, 'awaited');
    const session = await reader.store.events.open(spec.taskId, undefined);
    expect((await session.next()).type).toBe('packs');
    proxy.accept(false);
    proxy.cut();
    await expect(readEvents(session)).rejects.toMatchObject({ code: 'log_unavailable', retryable: true });
    proxy.accept(true);
  });
});

describe('a replay whose page stops in the middle', () => {
  it('asks again for what is missing', async () => {
    const reader = await readerNode({
      historyBatchMessages: 10,
      historyStallMs: 200,
      feedRingBytesMax: 1,
      readTimeoutMs: 300,
    });
    const { spec, log } = await runningTask(writer);
    await emitSteps(log, 60, 'awaited');
    await done(log);
    const session = await reader.store.events.open(spec.taskId, 3);
    let n = 0;
    proxy.filter(() => (n++ % 7 === 6 ? 'drop' : 'pass'));
    const reading = readEvents(session);
    await delay(1_000);
    proxy.filter(undefined);
    expect((await reading).lines).toEqual((await storedLines(writer, spec.taskId)).slice(4));
    expect(proxy.dropped).toBeGreaterThan(2);
  });
});
