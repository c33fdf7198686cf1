/** The work queue: one item a task, leased to one worker at a time. DESIGN §3.8. */
import type { ClaimedItem, TaskSpec } from '@taskstream/core';
import { LINES, lineConsumer, provisionQueue, WORK_STREAM, workSubject } from '@taskstream/jetstream';
import { nanoid } from 'nanoid';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connectStore, startNats, type TestNats, type TestStore } from '../../support/nats.js';
import { createTask } from '../../support/task-logs.js';
import { startTcpProxy } from '../../support/tcp-proxy.js';

const LEASE_MS = 1_000;

let nats: TestNats;
let on: TestStore;
let other: TestStore;

beforeAll(async () => {
  nats = await startNats();
  on = await connectStore(nats.url, { leaseMs: LEASE_MS });
  other = await connectStore(nats.url, { leaseMs: LEASE_MS });
});

afterAll(async () => {
  await on?.[Symbol.asyncDispose]();
  await other?.[Symbol.asyncDispose]();
  await nats?.[Symbol.asyncDispose]();
});

/** Each test has a queue of its own. */
const newQueue = () => `q${nanoid(8)}`;

async function itemsOf(queue: string): Promise<string[]> {
  const info = await on.broker.jsm.streams.info(WORK_STREAM, { subjects_filter: `work.${queue}.>` });
  return Object.keys(info.state.subjects ?? {});
}

/** What one pull hands out within `waitMs`. */
async function pulled(from: TestStore, queue: string, count: number, waitMs: number): Promise<ClaimedItem[]> {
  const items: ClaimedItem[] = [];
  const over = new AbortController();
  const timer = setTimeout(() => over.abort(), waitMs);
  await from.store.work.pull(queue, count, (item) => void items.push(item), over.signal);
  clearTimeout(timer);
  return items;
}

async function claim(from: TestStore, queue: string): Promise<ClaimedItem> {
  const [item] = await pulled(from, queue, 1, 5_000);
  if (item === undefined) throw new Error('nothing in the queue');
  return item;
}

describe('an item', () => {
  it('is there once, however often its task is created', async () => {
    const queue = newQueue();
    const spec = await createTask(on, { queue, requestDigest: 'same' });
    expect(await on.store.tasks.create(spec)).toBe(false);
    expect(await other.store.tasks.create(spec)).toBe(false);
    expect(await itemsOf(queue)).toEqual([workSubject(spec)]);
    expect(await pulled(on, queue, 5, 300)).toHaveLength(1);
  });

  it('tells its task, when it was queued, and the same id at every delivery', async () => {
    const queue = newQueue();
    const before = Date.now();
    const spec = await createTask(on, { queue });
    const item = await claim(on, queue);
    expect(item.taskId).toBe(spec.taskId);
    expect(item.queuedAtMs).toBeGreaterThanOrEqual(before - 1);
    expect(item.queuedAtMs).toBeLessThanOrEqual(Date.now() + 1);
    expect(item.delivery).toBe(1);
    await item.nak(0);
    expect(await claim(other, queue)).toMatchObject({ itemId: item.itemId, delivery: 2 });
  });

  it('goes to one worker only', async () => {
    const queue = newQueue();
    const specs: TaskSpec[] = [];
    for (let i = 0; i < 12; i++) specs.push(await createTask(on, { queue }));
    const halves = await Promise.all([pulled(on, queue, 12, 400), pulled(other, queue, 12, 400)]);
    const ids = halves.flat().map((item) => item.taskId);
    expect(ids.toSorted()).toEqual(specs.map((s) => s.taskId).toSorted());
  });

  it('is never handed out beyond what was asked for', async () => {
    const queue = newQueue();
    for (let i = 0; i < 5; i++) await createTask(on, { queue });
    expect(await pulled(on, queue, 2, 5_000)).toHaveLength(2);
    expect(await pulled(on, queue, 3, 5_000)).toHaveLength(3);
  });

  it('arrives at a pull that waits for it', async () => {
    const queue = newQueue();
    const waiting = pulled(on, queue, 1, 5_000);
    await delay(150);
    const spec = await createTask(other, { queue });
    expect((await waiting).map((item) => item.taskId)).toEqual([spec.taskId]);
  });

  it('of one queue is not handed to another', async () => {
    const [mine, theirs] = [newQueue(), newQueue()];
    await createTask(on, { queue: theirs });
    expect(await pulled(on, mine, 1, 200)).toEqual([]);
    expect(await pulled(on, theirs, 1, 5_000)).toHaveLength(1);
  });
});

describe('a lease', () => {
  it('that is not extended ends, and the item comes back', async () => {
    const queue = newQueue();
    const spec = await createTask(on, { queue });
    const first = await claim(on, queue);
    expect(await pulled(other, queue, 1, LEASE_MS / 2)).toEqual([]);
    const second = await claim(other, queue);
    expect(second).toMatchObject({ taskId: spec.taskId, itemId: first.itemId });
  });

  it('that is extended goes on', async () => {
    const queue = newQueue();
    await createTask(on, { queue });
    const item = await claim(on, queue);
    const heartbeat = setInterval(() => item.extend(), LEASE_MS / 3);
    expect(item.extend()).toBe(true);
    expect(await pulled(other, queue, 1, LEASE_MS * 2.5)).toEqual([]);
    clearInterval(heartbeat);
    expect(await pulled(other, queue, 1, LEASE_MS * 2)).toHaveLength(1);
  });

  it('is given back at once, or after a delay', async () => {
    const queue = newQueue();
    await createTask(on, { queue });
    await (await claim(on, queue)).nak(0);
    const item = await claim(other, queue);
    await item.nak(600);
    expect(await pulled(on, queue, 1, 250)).toEqual([]);
    expect(await pulled(on, queue, 1, 3_000)).toHaveLength(1);
  });

  it('ends with an ack: the item is gone, and the same task can be queued again', async () => {
    const queue = newQueue();
    const spec = await createTask(on, { queue });
    const item = await claim(on, queue);
    await item.ack();
    expect(await itemsOf(queue)).toEqual([]);
    await on.store.tasks.create(spec);
    expect((await claim(on, queue)).itemId).not.toBe(item.itemId);
  });

  it('ends with a term: the item is gone', async () => {
    const queue = newQueue();
    await createTask(on, { queue });
    await (await claim(on, queue)).term('not for us');
    await expect.poll(() => itemsOf(queue)).toEqual([]);
  });
});

describe('a worker without a connection', () => {
  it('does not say that it has extended a lease, nor does it later', async () => {
    const proxy = await startTcpProxy(nats.url);
    const cut = await connectStore(proxy.url, { leaseMs: LEASE_MS });
    const queue = newQueue();
    await createTask(on, { queue });
    const item = await claim(cut, queue);
    proxy.accept(false);
    proxy.cut();
    await expect.poll(() => item.extend()).toBe(false);
    expect(await pulled(other, queue, 1, LEASE_MS * 3)).toHaveLength(1);
    proxy.accept(true);
    await cut[Symbol.asyncDispose]();
    await proxy[Symbol.asyncDispose]();
  });

  it('does not give back, when it is connected again, what is no longer its own', async () => {
    const proxy = await startTcpProxy(nats.url);
    const cut = await connectStore(proxy.url, { leaseMs: LEASE_MS });
    const queue = newQueue();
    await createTask(on, { queue });
    const item = await claim(cut, queue);
    proxy.accept(false);
    proxy.cut();
    await expect.poll(() => item.extend()).toBe(false);
    const late = item.nak(0);
    const successor = await claim(other, queue);
    const heartbeat = setInterval(() => successor.extend(), LEASE_MS / 4);
    proxy.accept(true);
    await late;
    // The successor keeps its lease: nobody else is handed the item.
    expect(await pulled(on, queue, 1, LEASE_MS * 1.5)).toEqual([]);
    clearInterval(heartbeat);
    await successor.ack();
    await cut[Symbol.asyncDispose]();
    await proxy[Symbol.asyncDispose]();
  });

  it('goes on pulling when it is back', async () => {
    const proxy = await startTcpProxy(nats.url);
    const cut = await connectStore(proxy.url, { leaseMs: LEASE_MS });
    const queue = newQueue();
    expect(await pulled(cut, queue, 1, 100)).toEqual([]);
    // Shorter than the silence after which an order is given up anyway.
    const waiting = pulled(cut, queue, 1, 5_000);
    await delay(100);
    proxy.cut();
    await expect.poll(() => cut.broker.disconnections).toBeGreaterThan(0);
    await expect.poll(() => cut.broker.connected).toBe(true);
    const spec = await createTask(on, { queue });
    expect((await waiting).map((item) => item.taskId)).toEqual([spec.taskId]);
    await cut[Symbol.asyncDispose]();
    await proxy[Symbol.asyncDispose]();
  });
});

describe('an ack that nobody answers', () => {
  it('is sent again while the lease lasts', async () => {
    const proxy = await startTcpProxy(nats.url);
    const held = await connectStore(proxy.url, { leaseMs: 20_000, readTimeoutMs: 1_000 });
    const queue = newQueue();
    await createTask(on, { queue });
    const item = await claim(held, queue);
    proxy.hold();
    let acks = 0;
    other.broker.nc.subscribe(`$JS.ACK.${WORK_STREAM}.>`, { callback: () => void acks++ });
    await other.broker.nc.flush();
    const acked = item.ack();
    await expect.poll(() => acks, { timeout: 10_000 }).toBeGreaterThan(1);
    proxy.release();
    await acked;
    expect(await itemsOf(queue)).toEqual([]);
    await held[Symbol.asyncDispose]();
    await proxy[Symbol.asyncDispose]();
  });

  it('for want of a leader is no error: the item comes back when its lease has run out', async () => {
    const queue = newQueue();
    const spec = await createTask(on, { queue });
    const item = await claim(on, queue);
    await on.broker.jsm.consumers.delete(WORK_STREAM, lineConsumer(queue, LINES[1]));
    await item.ack();
    expect(await itemsOf(queue)).toEqual([workSubject(spec)]);
    expect((await claim(other, queue)).itemId).toBe(item.itemId);
  });
});

describe('slots that came free one by one', () => {
  const SLOTS = 12;

  /** A pull for each, under one signal. */
  function pullEach(queue: string, signal: AbortSignal) {
    const got: string[] = [];
    const pulls = Array.from({ length: SLOTS }, () =>
      on.store.work.pull(queue, 1, (item) => void got.push(item.taskId), signal),
    );
    return { got, over: Promise.all(pulls) };
  }

  it('are all filled when many tasks come at once', async () => {
    const queue = newQueue();
    const stop = new AbortController();
    const { got, over } = pullEach(queue, stop.signal);
    await delay(300);
    const specs = await Promise.all(Array.from({ length: SLOTS }, () => createTask(other, { queue })));
    await expect.poll(() => got.length, { timeout: 10_000 }).toBe(SLOTS);
    expect(got.toSorted()).toEqual(specs.map((spec) => spec.taskId).toSorted());
    await over;
  });

  it('listen to the end of pulling once', async () => {
    const warnings: string[] = [];
    const onWarning = ({ name }: Error) => void warnings.push(name);
    process.on('warning', onWarning);
    const stop = new AbortController();
    const { over } = pullEach(newQueue(), stop.signal);
    await delay(300);
    stop.abort();
    await over;
    process.off('warning', onWarning);
    expect(warnings).toEqual([]);
  });
});

describe('a pull', () => {
  it('is over after claimMsMax, and leaves no order that would take what comes next', async () => {
    await using brief = await connectStore(nats.url, { claimMsMax: 300, leaseMs: LEASE_MS });
    const queue = newQueue();
    const got: string[] = [];
    await brief.store.work.pull(queue, 1, (item) => void got.push(item.taskId), new AbortController().signal);
    const spec = await createTask(on, { queue });
    const item = await claim(other, queue);
    expect([item.taskId, item.delivery, got]).toEqual([spec.taskId, 1, []]);
  });
});

describe('a line', () => {
  it('is asked again when its consumer has a new leader, which knows of no order', async () => {
    const queue = newQueue();
    const consumer = lineConsumer(queue, LINES[3]);
    const stop = new AbortController();
    const pull = on.store.work.pull(queue, 1, () => undefined, stop.signal);
    let orders = 0;
    other.broker.nc.subscribe(`$JS.API.CONSUMER.MSG.NEXT.${WORK_STREAM}.${consumer}`, {
      callback: (_error, m) => void (orders += m.string().includes('idle_heartbeat') ? 1 : 0),
    });
    await expect.poll(() => orders, { timeout: 5_000 }).toBe(1);
    other.broker.nc.publish(`$JS.EVENT.ADVISORY.CONSUMER.LEADER_ELECTED.${WORK_STREAM}.${consumer}`);
    await expect.poll(() => orders).toBe(2);
    stop.abort();
    await pull;
  });
});

describe('the consumer of a queue', () => {
  it('can be made by all workers at once, and by a newer one with another lease', async () => {
    const queue = newQueue();
    await Promise.all([on, other, on, other].map((s) => provisionQueue(s.broker, s.options, queue)));
    await provisionQueue(other.broker, { ...other.options, leaseMs: 5_000 }, queue);
    const info = await on.broker.jsm.consumers.info(WORK_STREAM, lineConsumer(queue, LINES[1]));
    expect(info.config).toMatchObject({ ack_wait: 5e9, max_deliver: -1, max_ack_pending: 100_000 });
  });

  it('is made again when it has been deleted', async () => {
    const queue = newQueue();
    expect(await pulled(on, queue, 1, 100)).toEqual([]);
    await on.broker.jsm.consumers.delete(WORK_STREAM, lineConsumer(queue, LINES[1]));
    const spec = await createTask(on, { queue });
    const got: ClaimedItem[] = [];
    await expect
      .poll(
        async () => {
          got.push(...(await pulled(on, queue, 1, 500).catch(() => [])));
          return got.map((item) => item.taskId);
        },
        { timeout: 10_000 },
      )
      .toEqual([spec.taskId]);
  });

  it('is not asked at all when the pull is over before it begins', async () => {
    const items: ClaimedItem[] = [];
    const queue = newQueue();
    await createTask(on, { queue });
    await on.store.work.pull(queue, 0, (item) => void items.push(item), new AbortController().signal);
    await on.store.work.pull(queue, 1, (item) => void items.push(item), AbortSignal.abort());
    // Aborted while the consumer is still being made.
    const over = new AbortController();
    const pull = other.store.work.pull(queue, 1, (item) => void items.push(item), over.signal);
    over.abort();
    await pull;
    expect(items.length).toBe(0);
    expect(await pulled(on, queue, 1, 2_000)).toHaveLength(1);
  });
});
