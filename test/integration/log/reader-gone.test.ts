/** Retention that overtakes readers: `events_gone` with what is left, never a silent gap. DESIGN §3.4, PROTOCOL Cursor. */
import { parseTaskId, type AttemptLog, type TaskPlace, type TaskSpec } from '@taskstream/core';
import { evtSubject, streamName } from '@taskstream/jetstream';
import { nanoid } from 'nanoid';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connectStore, startNats, type TestNats, type TestStore } from '../../support/nats.js';
import {
  emitSteps,
  readEvents,
  readTask,
  runningTask,
  storedMessages,
  type StoredMessage,
} from '../../support/task-logs.js';

let nats: TestNats;
/** Keeps six packs a task. */
let trimming: TestStore;
let on: TestStore;
/** Small pages, no ring, tail checks at once. */
let reader: TestStore;

beforeAll(async () => {
  nats = await startNats();
  on = await connectStore(nats.url);
  reader = await connectStore(nats.url, { historyBatchMessages: 2, feedRingBytesMax: 1, tailCheckMs: 50 });
  trimming = await connectStore(nats.url, {
    retentionClasses: [{ name: 'trim', ttlMsMax: 3_600_000 }],
    packsPerTaskMax: 6,
  });
});

afterAll(async () => {
  for (const store of [on, reader, trimming]) await store?.[Symbol.asyncDispose]();
  await nats?.[Symbol.asyncDispose]();
});

const seqsOf = (lines: ReadonlyArray<string>) => lines.map((line) => (JSON.parse(line) as { seq: number }).seq);
const range = (from: number, to: number) => Array.from({ length: to - from }, (_e, i) => from + i);
const done = (log: AttemptLog) => log.appendStatus({ status: 'completed', result: { content: [] } });

/** Purges what lies below a stored message; everything when there is none. */
async function purgeBelow(spec: TaskSpec, message?: StoredMessage): Promise<void> {
  const place = parseTaskId(spec.taskId) as TaskPlace;
  const filter = evtSubject(place, spec.taskId);
  await on.broker.jsm.streams.purge(
    streamName(place),
    message === undefined ? { filter } : { filter, seq: message.streamSeq },
  );
}

async function writtenTask(): Promise<{ spec: TaskSpec; log: AttemptLog; messages: StoredMessage[] }> {
  const { spec, log } = await runningTask(on);
  await emitSteps(log, 20, 'awaited');
  return { spec, log, messages: await storedMessages(on, spec.taskId) };
}

describe.each([
  ['by the cap on packs', true],
  ['by a purge', false],
])('trimmed %s before a stream opens', (_how, byCap) => {
  let spec: TaskSpec;
  let log: AttemptLog;
  let earliest: number;
  beforeAll(async () => {
    if (byCap) {
      ({ spec, log } = await runningTask(trimming, { taskId: `trim0-${nanoid(22)}` }));
      await emitSteps(log, 30, 'awaited');
    } else {
      const written = await writtenTask();
      ({ spec, log } = written);
      await purgeBelow(spec, written.messages[12]);
    }
    earliest = (await storedMessages(on, spec.taskId))[0]?.firstSeq ?? -1;
    expect(earliest).toBeGreaterThan(5);
  });

  it('every cursor below tells what is left', async () => {
    for (const after of [0, 1, earliest - 2]) {
      await expect(reader.store.events.open(spec.taskId, after)).rejects.toMatchObject({
        code: 'events_gone',
        details: { earliestSeq: earliest },
      });
    }
  });

  it('the cursor just below what is left serves', async () => {
    const { lines } = await readEvents(await reader.store.events.open(spec.taskId, earliest - 1), {
      stopAfter: log.nextSeq - earliest,
    });
    expect(seqsOf(lines)).toEqual(range(earliest, log.nextSeq));
  });

  it('no cursor starts at what is left', async () => {
    const { lines } = await readEvents(await reader.store.events.open(spec.taskId, undefined), {
      stopAfter: log.nextSeq - earliest,
    });
    expect(seqsOf(lines)).toEqual(range(earliest, log.nextSeq));
  });

  it('and a task that is over tells the same', async () => {
    await done(log);
    earliest = (await storedMessages(on, spec.taskId))[0]?.firstSeq ?? -1;
    for (const store of [reader, on]) {
      await expect(store.store.events.open(spec.taskId, 2)).rejects.toMatchObject({
        code: 'events_gone',
        details: { earliestSeq: earliest },
      });
      const { lines, end } = await readTask(store, spec.taskId);
      expect(seqsOf(lines)).toEqual(range(earliest, log.nextSeq));
      expect(end).toMatchObject({ type: 'end', reason: 'terminal' });
    }
  });
});

describe('trimmed under an open stream', () => {
  it('during a replay with a cursor: what was read is whole, then it is gone', async () => {
    const { spec, messages } = await writtenTask();
    const session = await reader.store.events.open(spec.taskId, 0);
    let purged = false;
    const { lines, end } = await readEvents(session, {
      onLines: async (soFar) => {
        if (soFar >= 4 && !purged) {
          purged = true;
          await purgeBelow(spec, messages[15]);
        }
      },
    });
    expect(seqsOf(lines)).toEqual(range(1, 1 + lines.length));
    expect(lines.length).toBeLessThan(14);
    expect(end).toEqual({ type: 'gone', earliestSeq: 15 });
    expect(await session.next()).toEqual(end);
  });

  it('during a replay without a cursor, after the first delivery: gone too', async () => {
    const { spec, messages } = await writtenTask();
    const session = await reader.store.events.open(spec.taskId, undefined);
    let purged = false;
    const { lines, end } = await readEvents(session, {
      onLines: async () => {
        if (purged) return;
        purged = true;
        await purgeBelow(spec, messages[15]);
      },
    });
    expect(seqsOf(lines)).toEqual(range(0, lines.length));
    expect(end).toEqual({ type: 'gone', earliestSeq: 15 });
  });

  it('without a cursor, before the first delivery: it starts at what is left', async () => {
    const { spec, log, messages } = await writtenTask();
    const session = await reader.store.events.open(spec.taskId, undefined);
    await purgeBelow(spec, messages[15]);
    const reading = readEvents(session);
    await done(log);
    const { lines, end } = await reading;
    expect(seqsOf(lines)).toEqual(range(15, log.nextSeq));
    expect(end).toMatchObject({ type: 'end', reason: 'terminal' });
  });

  it('with a cursor that was good when it opened, before the first delivery: gone', async () => {
    const { spec, messages } = await writtenTask();
    const session = await reader.store.events.open(spec.taskId, 3);
    await purgeBelow(spec, messages[15]);
    expect(await readEvents(session)).toEqual({ lines: [], end: { type: 'gone', earliestSeq: 15 } });
  });

  it('by the cap, while a slow reader tails: gone with what is left, and no event out of order', async () => {
    const slow = await connectStore(nats.url, { feedRingBytesMax: 1 });
    const { spec, log } = await runningTask(trimming, { taskId: `trim0-${nanoid(22)}` });
    const session = await slow.store.events.open(spec.taskId, 0);
    await emitSteps(log, 2, 'awaited');
    expect((await session.next()).type).toBe('packs');
    await emitSteps(log, 30, 'awaited');
    const earliest = (await storedMessages(on, spec.taskId))[0]?.firstSeq;
    const { lines, end } = await readEvents(session);
    expect(end).toEqual({ type: 'gone', earliestSeq: earliest });
    expect(lines.length).toBeLessThan(10);
    await slow[Symbol.asyncDispose]();
  });

  it('by the cap, while a reader keeps up: it gets everything', async () => {
    const { spec, log } = await runningTask(trimming, { taskId: `trim0-${nanoid(22)}` });
    const reading = readEvents(await on.store.events.open(spec.taskId, undefined));
    await emitSteps(log, 100, 'awaited');
    await done(log);
    const { lines, end } = await reading;
    expect(seqsOf(lines)).toEqual(range(0, log.nextSeq));
    expect(end).toMatchObject({ type: 'end', reason: 'terminal' });
    expect(await storedMessages(on, spec.taskId)).toHaveLength(6);
  });
});

describe('purged as a whole under an open stream', () => {
  it('ends one that had read everything', async () => {
    const { spec, log } = await writtenTask();
    const session = await reader.store.events.open(spec.taskId, undefined);
    const { lines, end } = await readEvents(session, {
      onLines: async (soFar) => {
        if (soFar === log.nextSeq) await purgeBelow(spec);
      },
    });
    expect(seqsOf(lines)).toEqual(range(0, log.nextSeq));
    expect(end).toMatchObject({ type: 'end', reason: 'expired', nextSeq: log.nextSeq });
  });

  it('is gone for one that had not', async () => {
    const { spec, log } = await writtenTask();
    const session = await reader.store.events.open(spec.taskId, 0);
    expect((await session.next()).type).toBe('packs');
    await purgeBelow(spec);
    const { end } = await readEvents(session);
    expect(end).toEqual({ type: 'gone', earliestSeq: log.nextSeq });
  });

  it('is gone for a cursor that comes before this node has seen it, with the next seq as what is left', async () => {
    const { spec, log } = await writtenTask();
    const late = await connectStore(nats.url, { feedRingBytesMax: 1, tailCheckMs: 600_000, tailCheckMsMax: 600_000 });
    const follower = await late.store.events.open(spec.taskId, undefined);
    await purgeBelow(spec);
    await expect(late.store.events.open(spec.taskId, 3)).rejects.toMatchObject({
      code: 'events_gone',
      details: { earliestSeq: log.nextSeq },
    });
    follower.close('rotated');
    await late[Symbol.asyncDispose]();
  });

  it('is unknown to the next one that opens it, once this node has seen it', async () => {
    const { spec } = await writtenTask();
    const session = await reader.store.events.open(spec.taskId, undefined);
    await purgeBelow(spec);
    await readEvents(session);
    const opening = async (after: number | undefined) => {
      try {
        (await reader.store.events.open(spec.taskId, after)).close('rotated');
        return 'opened';
      } catch (error) {
        return (error as { code: string }).code;
      }
    };
    await expect.poll(() => opening(undefined), { timeout: 10_000 }).toBe('unknown_task');
    expect(await opening(3)).toBe('unknown_task');
  });

  it('ends the writer with the loudest error there is, and nothing is written over the loss', async () => {
    const short = await connectStore(nats.url, { publishRetryMsMax: 500 });
    const { spec, log } = await runningTask(short);
    await emitSteps(log, 5, 'awaited');
    await purgeBelow(spec);
    await expect(emitSteps(log, 1)).rejects.toMatchObject({ code: 'data_lost' });
    expect(log.signal.reason).toMatchObject({ code: 'data_lost' });
    expect(await storedMessages(on, spec.taskId)).toEqual([]);
    await short[Symbol.asyncDispose]();
  });
});
