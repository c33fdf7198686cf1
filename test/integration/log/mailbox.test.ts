/** The mailbox of a task: every command once, in order, numbered without gaps. DESIGN §3.1, §3.4. */
import { parseTaskId, type MailboxCommand, type TaskPlace, type TaskSpec } from '@taskstream/core';
import { cmdSubject, Header, streamName } from '@taskstream/jetstream';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connectStore, startNats, type TestNats, type TestStore } from '../../support/nats.js';
import { createTask } from '../../support/task-logs.js';
import { startTcpProxy } from '../../support/tcp-proxy.js';

const ENTRIES_MAX = 40;

let nats: TestNats;
let stores: TestStore[] = [];

beforeAll(async () => {
  nats = await startNats();
  stores = await Promise.all([1, 2, 3].map(() => connectStore(nats.url, { mailboxEntriesMax: ENTRIES_MAX })));
});

afterAll(async () => {
  for (const store of stores) await store[Symbol.asyncDispose]();
  await nats?.[Symbol.asyncDispose]();
});

const store = (i: number) => stores[i % stores.length] as TestStore;
const input = (key: string | number): MailboxCommand => ({ type: 'input', key: String(key), response: { n: key } });
const keysOf = (commands: ReadonlyArray<MailboxCommand>) => commands.map((c) => (c.type === 'input' ? c.key : c.type));

/** What the stream holds: the number and the key of every entry. */
async function stored(spec: TaskSpec): Promise<Array<{ entry: number; key: string }>> {
  const place = parseTaskId(spec.taskId) as TaskPlace;
  const subject = cmdSubject(place, spec.taskId);
  const entries: Array<{ entry: number; key: string }> = [];
  for (let seq = 1; ;) {
    const m = await store(0).broker.jsm.direct.getMessage(streamName(place), { next_by_subj: subject, seq });
    if (m === null) return entries;
    const command = m.json<MailboxCommand>();
    entries.push({
      entry: Number(m.header.get(Header.entry)),
      key: command.type === 'input' ? command.key : command.type,
    });
    seq = m.seq + 1;
  }
}

function follow(on: TestStore, spec: TaskSpec) {
  const got: MailboxCommand[] = [];
  const over = new AbortController();
  const caughtUp = on.store.attempts.followMailbox(spec.taskId, (c) => void got.push(c), over.signal);
  return { got, caughtUp, stop: () => over.abort() };
}

describe('a follower', () => {
  it('gets what is there before it goes on, and then what comes, in order and once', async () => {
    const spec = await createTask(store(0));
    for (let i = 0; i < 5; i++) await store(i).store.tasks.send(spec.taskId, input(i));
    const { got, caughtUp, stop } = follow(store(1), spec);
    await caughtUp;
    expect(keysOf(got)).toEqual(['0', '1', '2', '3', '4']);
    for (let i = 5; i < 20; i++) await store(i).store.tasks.send(spec.taskId, input(i));
    await expect.poll(() => got.length).toBe(20);
    expect(got).toEqual(Array.from({ length: 20 }, (_e, i) => input(i)));
    stop();
  });

  it('of a later attempt reads the whole mailbox again', async () => {
    const spec = await createTask(store(0));
    await store(0).store.tasks.send(spec.taskId, input('a'));
    await store(0).store.tasks.send(spec.taskId, { type: 'cancel', reason: 'enough' });
    for (let attempt = 0; attempt < 2; attempt++) {
      const { got, caughtUp, stop } = follow(store(attempt), spec);
      await caughtUp;
      expect(got).toEqual([input('a'), { type: 'cancel', reason: 'enough' }]);
      stop();
    }
  });

  it('hears nothing more once it has stopped', async () => {
    const spec = await createTask(store(0));
    const { got, caughtUp, stop } = follow(store(1), spec);
    await caughtUp;
    stop();
    await store(0).store.tasks.send(spec.taskId, input('late'));
    await delay(100);
    expect(got).toEqual([]);
  });

  it('of an empty mailbox is caught up at once', async () => {
    const spec = await createTask(store(0));
    const { got, caughtUp, stop } = follow(store(1), spec);
    await caughtUp;
    expect(got).toEqual([]);
    stop();
  });

  it('that starts in the middle of a burst gets every entry once', async () => {
    const spec = await createTask(store(0));
    const sending = (async () => {
      for (let i = 0; i < 30; i++) await store(0).store.tasks.send(spec.taskId, input(i));
    })();
    const followers = [];
    for (let i = 0; i < 6; i++) {
      followers.push(follow(store(i), spec));
      await delay(10);
    }
    await sending;
    for (const { got, stop } of followers) {
      await expect.poll(() => got.length).toBe(30);
      expect(keysOf(got)).toEqual(Array.from({ length: 30 }, (_e, i) => String(i)));
      stop();
    }
  });

  it('gets what the live hop lost, at the next check', async () => {
    const proxy = await startTcpProxy(nats.url);
    const lossy = await connectStore(proxy.url, { mailboxCheckMs: 100 });
    const spec = await createTask(store(0));
    const { got, caughtUp, stop } = follow(lossy, spec);
    await caughtUp;
    proxy.filter((subject) => (subject.startsWith('live.') ? 'drop' : 'pass'));
    await store(0).store.tasks.send(spec.taskId, input('lost'));
    await expect.poll(() => keysOf(got)).toEqual(['lost']);
    expect(proxy.dropped).toBe(1);
    stop();
    await lossy[Symbol.asyncDispose]();
    await proxy[Symbol.asyncDispose]();
  });

  it('gets what came while its connection was broken, when it is back', async () => {
    const proxy = await startTcpProxy(nats.url);
    const broken = await connectStore(proxy.url, { mailboxCheckMs: 600_000, readTimeoutMs: 500 });
    const spec = await createTask(store(0));
    const { got, caughtUp, stop } = follow(broken, spec);
    await caughtUp;
    for (let i = 0; i < 3; i++) {
      proxy.accept(false);
      proxy.cut();
      await store(0).store.tasks.send(spec.taskId, input(i));
      await delay(100);
      proxy.accept(true);
      await expect.poll(() => got.length, { timeout: 5_000 }).toBe(i + 1);
    }
    expect(keysOf(got)).toEqual(['0', '1', '2']);
    stop();
    await broken[Symbol.asyncDispose]();
    await proxy[Symbol.asyncDispose]();
  });
});

describe('senders', () => {
  it('who send at the same time number their entries without a gap, each entry once', async () => {
    const spec = await createTask(store(0));
    const keys = Array.from({ length: ENTRIES_MAX }, (_e, i) => `k${i}`);
    await Promise.all(keys.map((key, i) => store(i).store.tasks.send(spec.taskId, input(key))));
    const entries = await stored(spec);
    expect(entries.map((e) => e.entry)).toEqual(keys.map((_k, i) => i + 1));
    expect(entries.map((e) => e.key).toSorted()).toEqual(keys.toSorted());
  });

  it('are refused when the mailbox is full, and what was sent stays readable', async () => {
    const spec = await createTask(store(0));
    for (let i = 0; i < ENTRIES_MAX; i++) await store(i).store.tasks.send(spec.taskId, input(i));
    for (const on of stores) {
      await expect(on.store.tasks.send(spec.taskId, input('late'))).rejects.toMatchObject({ code: 'mailbox_full' });
    }
    const { got, caughtUp, stop } = follow(store(1), spec);
    await caughtUp;
    expect(got).toHaveLength(ENTRIES_MAX);
    stop();
  });

  it('who lose their acks still put every entry in once, whatever others put above it', async () => {
    const proxy = await startTcpProxy(nats.url);
    const lossy = await connectStore(proxy.url, { publishTimeoutMs: 150, readTimeoutMs: 250 });
    const spec = await createTask(store(0));
    for (let round = 0; round < 4; round++) {
      // The answer to the reading of the tail comes through, the ack does not.
      let answers = 0;
      proxy.filter((subject) => (subject.startsWith('_INBOX.') && answers++ > 0 ? 'drop' : 'pass'));
      const before = (await stored(spec)).length;
      const sending = lossy.store.tasks.send(spec.taskId, input(`lossy${round}`));
      await expect.poll(async () => (await stored(spec)).length, { interval: 5 }).toBeGreaterThan(before);
      await store(1).store.tasks.send(spec.taskId, input(`other${round}`));
      await delay(200);
      proxy.filter(undefined);
      await sending;
    }
    const entries = await stored(spec);
    expect(entries.map((e) => e.entry)).toEqual(entries.map((_e, i) => i + 1));
    expect(entries.map((e) => e.key)).toEqual([0, 1, 2, 3].flatMap((n) => [`lossy${n}`, `other${n}`]));
    await lossy[Symbol.asyncDispose]();
    await proxy[Symbol.asyncDispose]();
  });
});
