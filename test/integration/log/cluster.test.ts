/** Three nodes, three replicas: the leader of the stream dies, hangs and comes back, and nothing is lost. DESIGN §3.3–3.5. */
import type { AttemptLog } from '@taskstream/core';
import type { StoreObserver, StoreOptions } from '@taskstream/jetstream';
import {
  anyItemSubject,
  openQuestionLeases,
  openStore,
  openToolPublisher,
  provision,
  SILENT_OBSERVER,
} from '@taskstream/jetstream';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connectStore, startCluster, type TestCluster, type TestStore } from '../../support/nats.js';
import {
  createTask,
  beginAttempt,
  readEvents,
  runningTask,
  STEP,
  storedLines,
  type Read,
} from '../../support/task-logs.js';

const STREAM = 'TASKS_d_0';
const OPTIONS: Partial<StoreOptions> = {
  replicas: 3,
  retentionClasses: [{ name: 'd', ttlMsMax: 3_600_000 }],
  publishTimeoutMs: 1_000,
  readTimeoutMs: 2_000,
  tailCheckMs: 1_000,
  tailCheckMsMax: 3_000,
};
const WRITERS = 4;
const JOINS = 60;

let nats: TestCluster;
/** Each is connected to one node at a time, and knows all. */
let roaming: TestStore[] = [];
const seen = { lostAcks: 0, retried: 0, fenced: 0, gaps: 0, tails: 0 };

const observer: Partial<StoreObserver> = {
  lostAckResolved: () => void seen.lostAcks++,
  appendRetried: () => void seen.retried++,
  writerFenced: () => void seen.fenced++,
  gapRepaired: () => void seen.gaps++,
  tailRepaired: () => void seen.tails++,
};

beforeAll(async () => {
  nats = await startCluster();
  roaming = [await connectStore(nats.urls, OPTIONS, observer)];
  for (let i = 1; i < 3; i++) roaming.push(await connectStore(nats.urls, OPTIONS, observer));
}, 90_000);

afterAll(async () => {
  for (const store of roaming) await store[Symbol.asyncDispose]();
  await nats?.[Symbol.asyncDispose]();
});

const store = (i: number) => roaming[i % roaming.length] as TestStore;
const done = (log: AttemptLog) => log.appendStatus({ status: 'completed', result: { content: [] } });

interface Traffic {
  /** Resolves when so many more events have been acknowledged. */
  goesOn(events: number): Promise<void>;
  /** Stops writing, waits for every reader, and checks that each got exactly what the log holds. */
  finish(): Promise<{ events: number; readings: number }>;
}

/** Tasks that are written on some nodes and read on all of them, with readers that come later too. */
async function startTraffic(): Promise<Traffic> {
  let over = false;
  const tasks = await Promise.all(
    Array.from({ length: WRITERS }, async (_e, w) => {
      const { spec, log } = await runningTask(store(w));
      const acknowledged: number[] = [];
      const writing = (async () => {
        for (let i = 0; !over; i++) {
          const events = Array.from({ length: 1 + (i % 4) }, (_x, n) => ({ type: STEP, payload: { i, n } }));
          const seq = log.nextSeq;
          await log.append(events);
          acknowledged.push(...events.map((_x, n) => seq + n));
          await delay(5);
        }
        await done(log);
      })();
      const readings: Array<Promise<{ after: number; read: Read }>> = [];
      const follow = async (on: TestStore, after: number | undefined) => {
        const session = await on.store.events.open(spec.taskId, after);
        return { after: after ?? -1, read: await readEvents(session) };
      };
      for (let r = 0; r < 3; r++) readings.push(follow(store(r), undefined));
      const coming = (async () => {
        for (let r = 0; !over; r++) {
          readings.push(follow(store(r), Math.max(0, (acknowledged.at(-1) ?? 1) - (r % 3) * 50)));
          await delay(700);
        }
      })();
      return { spec, acknowledged, readings, work: Promise.all([writing, coming]) };
    }),
  );
  const acknowledgedNow = () => tasks.reduce((sum, task) => sum + task.acknowledged.length, 0);
  return {
    async goesOn(events) {
      const target = acknowledgedNow() + events;
      await expect.poll(acknowledgedNow, { timeout: 60_000, interval: 20 }).toBeGreaterThanOrEqual(target);
    },
    async finish() {
      over = true;
      let events = 0;
      let readings = 0;
      for (const { spec, acknowledged, readings: all, work } of tasks) {
        await work;
        const lines = await storedLines(store(0), spec.taskId);
        const seqs = new Set(lines.map((line) => (JSON.parse(line) as { seq: number }).seq));
        expect(acknowledged.filter((seq) => !seqs.has(seq))).toEqual([]);
        for (const { after, read } of await Promise.all(all)) {
          expect(read.lines.length).toBe(lines.length - after - 1);
          expect(read.lines).toEqual(lines.slice(after + 1));
          expect(read.end).toMatchObject({ type: 'end', reason: 'terminal', nextSeq: lines.length });
          readings++;
        }
        events += lines.length;
      }
      return { events, readings };
    },
  };
}

async function leader() {
  for (;;) {
    const node = await nats.cluster.streamLeader(STREAM);
    if (node !== undefined) return node;
    await delay(50);
  }
}

describe('joins', () => {
  it('on other nodes than the writer lose no live event, hundreds of times', async () => {
    const never = { tailCheckMs: 600_000, tailCheckMsMax: 600_000 };
    const pinned = await Promise.all(nats.urls.map((url) => connectStore(url, { ...OPTIONS, ...never })));
    const { spec, log } = await runningTask(pinned[0] as TestStore);
    let over = false;
    const writing = (async () => {
      while (!over) await log.append([{ type: STEP, payload: {} }]);
    })();
    let gaps = 0;
    let joins = 0;
    const counting = { ...SILENT_OBSERVER, feedJoined: () => void joins++, gapRepaired: () => void gaps++ };
    await Promise.all(
      pinned.flatMap(({ broker, options }) =>
        [0, 1].map(async () => {
          for (let i = 0; i < JOINS; i++) {
            const node = openStore(broker, options, counting);
            const after = log.nextSeq - 2;
            const { lines } = await readEvents(await node.events.open(spec.taskId, after), { stopAfter: 4 });
            const seqs = lines.map((line) => (JSON.parse(line) as { seq: number }).seq);
            expect(seqs).toEqual(seqs.map((_s, n) => after + 1 + n));
            node.close();
          }
        }),
      ),
    );
    over = true;
    await writing;
    expect(joins).toBe(pinned.length * 2 * JOINS);
    expect(gaps).toBe(0);
    for (const on of pinned) await on[Symbol.asyncDispose]();
  });
});

describe('the leader of the stream', () => {
  it('is killed during appends and reads, again and again', async () => {
    const traffic = await startTraffic();
    for (let round = 0; round < 3; round++) {
      await traffic.goesOn(80);
      const victim = await leader();
      victim.kill('SIGKILL');
      await victim.exited;
      // The others go on without it.
      await traffic.goesOn(40);
      await victim.restart();
      await nats.cluster.waitUntilReady();
    }
    await traffic.goesOn(80);
    const { events, readings } = await traffic.finish();
    expect(events).toBeGreaterThan(400);
    expect(readings).toBeGreaterThan(WRITERS * 3);
    expect(seen.retried).toBeGreaterThan(0);
    expect(seen.fenced).toBe(0);
  }, 120_000);

  it('hangs, is deposed, and goes on as if nothing had happened', async () => {
    const traffic = await startTraffic();
    await traffic.goesOn(80);
    const victim = await leader();
    victim.kill('SIGSTOP');
    const others = nats.cluster.nodes.filter((node) => node !== victim);
    await expect.poll(async () => others.includes(await leader()), { timeout: 30_000, interval: 200 }).toBe(true);
    await traffic.goesOn(60);
    victim.kill('SIGCONT');
    await traffic.goesOn(80);
    const { events } = await traffic.finish();
    expect(events).toBeGreaterThan(100);
    expect(seen.fenced).toBe(0);
  }, 120_000);
});

/** However long it takes until the work stream has a leader. */
async function dropItem(taskId: string): Promise<void> {
  const purge = () => store(1).broker.jsm.streams.purge('WORK', { filter: anyItemSubject(taskId) });
  await expect
    .poll(
      () =>
        purge().then(
          ({ success }) => success,
          () => false,
        ),
      { timeout: 60_000 },
    )
    .toBe(true);
}

describe('what later attempts need', () => {
  it('outlives the leader: a step, a checkpoint, a suspension, its answer and the sweep that finds it unwoken', async () => {
    const how: string[] = [];
    const on = await connectStore(
      nats.urls,
      { ...OPTIONS, sweepEveryMs: 100 },
      { taskRepaired: (f) => how.push(f.how) },
    );
    const leases = await openQuestionLeases(on.broker, on.options);
    const spec = await createTask(store(0), { clientCapabilities: { elicitation: {} } });
    const log = await beginAttempt(store(0), spec);
    const state = store(0).store.attempts.openState(spec.taskId, 1);
    const step = { name: 'once', version: undefined, attempt: 1, tries: 1, ms: 1, json: '{"n":1}' };
    expect(await state.recordStep(step)).toMatchObject({ mine: true });
    await state.saveCheckpoint('place', '7');
    await log.appendStatus({
      status: 'input_required',
      inputRequests: { which: { method: 'elicitation/create', params: { message: 'Which?' } } },
    });
    await log.appendAttemptEnd({ reason: 'suspended' });
    await dropItem(spec.taskId);
    const victim = await leader();
    victim.kill('SIGKILL');
    await victim.exited;
    expect(await store(1).store.attempts.readSuspension(spec.taskId)).toEqual({ attempt: 1, answered: false });
    await store(2).store.tasks.send(spec.taskId, { type: 'input', key: 'which', response: { action: 'accept' } });
    // The wake is lost with the front end that answered.
    await dropItem(spec.taskId);
    const sweeper = on.store.startSweeper({ leases, catalogue: { get: () => undefined }, holder: 'one' });
    await expect.poll(() => how, { timeout: 60_000, interval: 50 }).toContain('queue');
    await sweeper.close();
    const next = await beginAttempt(store(1), spec, { cause: 'woken' });
    expect(next.openQuestions).toHaveProperty('which');
    const later = store(1).store.attempts.openState(spec.taskId, 2);
    expect(await later.step('once')).toEqual(step);
    expect(await later.takeCheckpoint('place')).toBe('7');
    await done(next);
    await victim.restart();
    await nats.cluster.waitUntilReady();
    await storedLines(store(2), spec.taskId);
    await on[Symbol.asyncDispose]();
  }, 120_000);
});

describe('take-overs on three replicas', () => {
  it('have one winner each, on whatever node', async () => {
    const spec = await createTask(store(0));
    let acknowledged = 0;
    for (let round = 0; round < 6; round++) {
      const logs = await Promise.allSettled(roaming.map((on) => beginAttempt(on, spec)));
      const winners = logs.flatMap((r) => (r.status === 'fulfilled' ? [r.value] : []));
      expect(winners.length).toBeGreaterThan(0);
      const writes = await Promise.allSettled(winners.map((log) => log.append([{ type: STEP, payload: { round } }])));
      acknowledged += writes.filter((w) => w.status === 'fulfilled').length;
    }
    const steps = (await storedLines(store(1), spec.taskId)).filter((line) => line.includes(STEP));
    expect(steps).toHaveLength(acknowledged);
  });
});

describe('a configuration with other replicas', () => {
  it('fewer are refused, by the name of the setting', async () => {
    await expect(provision(store(0).broker, { ...store(0).options, replicas: 1 })).rejects.toMatchObject({
      code: 'provision_refused',
      message: expect.stringMatching(/num_replicas 3, the configuration wants 1/) as string,
      details: { setting: 'num_replicas' },
    });
  });

  it('more are made', async () => {
    const options = {
      ...store(0).options,
      replicas: 1,
      retentionClasses: [{ name: 'grow', ttlMsMax: 3_600_000 }],
      streamBytesMax: 1024 * 1024,
    };
    // Its WORK has three already: only the new class is made with one.
    await expect(provision(store(0).broker, options)).rejects.toMatchObject({ details: { stream: 'WORK' } });
    const report = await provision(store(0).broker, { ...options, replicas: 3 });
    expect(report.raised).toEqual(['TASKS_grow_0.num_replicas']);
    expect((await store(0).broker.jsm.streams.info('TASKS_grow_0')).config.num_replicas).toBe(3);
  });

  it('leaves the tool catalogue usable', async () => {
    for (const replicas of [1, 3]) {
      const publisher = await openToolPublisher(store(0).broker, { ...store(0).options, replicas });
      await publisher.publish([]);
    }
    expect((await store(0).broker.jsm.streams.info('KV_TASKSTREAM_TOOLS')).config.num_replicas).toBe(3);
  });
});
