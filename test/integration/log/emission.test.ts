/** What a full queue does to those who await and to those who do not, and which queued events become one. */
import type { CoalesceRule } from '@taskstream/core';
import { EVENT_META_KEY, type TaskEvent } from '@taskstream/protocol';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connectStore, startNats, type TestNats, type TestStore } from '../../support/nats.js';
import { runningTask, STEP, storedLines } from '../../support/task-logs.js';

const DELTA = 'com.example.message.delta';
const STATE = 'com.example.state';
const EMIT_QUEUE_BYTES_MAX = 64 * 1024;
const PAYLOAD_BYTES_MAX = 8 * 1024;

let nats: TestNats;
let on: TestStore;

beforeAll(async () => {
  nats = await startNats();
  on = await connectStore(nats.url, { emitQueueBytesMax: EMIT_QUEUE_BYTES_MAX, payloadBytesMax: PAYLOAD_BYTES_MAX });
});

afterAll(async () => {
  await on?.[Symbol.asyncDispose]();
  await nats?.[Symbol.asyncDispose]();
});

async function eventsOf(taskId: string): Promise<TaskEvent[]> {
  const events = (await storedLines(on, taskId)).map((line) => JSON.parse(line) as TaskEvent);
  return events.filter((e) => e.type.startsWith('com.example.'));
}

function ownMeta(event: TaskEvent): Record<string, unknown> {
  return event._meta?.[EVENT_META_KEY] as Record<string, unknown>;
}

function standsFor(event: TaskEvent): unknown {
  return ownMeta(event)['standsFor'];
}

describe('a full queue', () => {
  it('slows down those who await and refuses none of them, each in its order', async () => {
    const { spec, log } = await runningTask(on);
    const flows = 12;
    const each = 30;
    await Promise.all(
      Array.from({ length: flows }, async (_f, flow) => {
        for (let i = 0; i < each; i++) {
          await log.append([{ type: STEP, payload: { flow, i, text: 'x'.repeat(7_000) } }], () => true);
        }
      }),
    );
    const events = await eventsOf(spec.taskId);
    expect(events).toHaveLength(flows * each);
    for (let flow = 0; flow < flows; flow++) {
      const own = events.filter((e) => e.payload['flow'] === flow).map((e) => e.payload['i']);
      expect(own).toEqual(Array.from({ length: each }, (_e, i) => i));
    }
  });

  it('lets nothing pass by those who wait, the ending neither', async () => {
    const { spec, log } = await runningTask(on);
    const calls = Array.from({ length: 16 }, (_e, i) =>
      log.append([{ type: STEP, payload: { i, text: 'x'.repeat(i < 15 ? 7_000 : 0) } }], () => true),
    );
    await log.appendStatus({ status: 'completed', result: { content: [] } });
    await Promise.all(calls);
    expect((await eventsOf(spec.taskId)).map((e) => e.payload['i'])).toEqual(Array.from({ length: 16 }, (_e, i) => i));
  });

  it('bounds what one turn may leave waiting, awaited or not', async () => {
    const { log } = await runningTask(on);
    const calls = Array.from({ length: 60 }, () =>
      log.append([{ type: STEP, payload: { text: 'x'.repeat(7_000) } }], () => true),
    );
    const outcomes = await Promise.allSettled(calls);
    const stored = outcomes.filter((o) => o.status === 'fulfilled').length;
    expect(stored).toBeGreaterThanOrEqual(Math.floor((2 * EMIT_QUEUE_BYTES_MAX) / 7_100) - 1);
    expect(stored).toBeLessThan(60);
    expect(outcomes.find((o) => o.status === 'rejected')?.reason).toMatchObject({ code: 'emit_overflow' });
  });
});

type Emitted =
  | { readonly kind: 'plain'; readonly wait: boolean }
  | { readonly kind: CoalesceRule; readonly item: string; readonly text: string; readonly wait: boolean };

/** Mostly in one go: that is when events meet in the queue. */
const seldom = fc.integer({ min: 0, max: 9 }).map((n) => n === 5);
const emitted: fc.Arbitrary<Emitted> = fc.oneof(
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('plain' as const), wait: seldom }) },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constantFrom<CoalesceRule>('text', 'latest'),
      item: fc.constantFrom('a', 'b'),
      text: fc.string({ maxLength: 5, unit: 'binary' }),
      wait: seldom,
    }),
  },
);

/** What must be told between two plain events: by rule and item, the text and for how many events it stands. */
function told(emits: ReadonlyArray<Emitted>): Array<Record<string, { text: string; count: number }>> {
  const sections: Array<Record<string, { text: string; count: number }>> = [{}];
  for (const e of emits) {
    if (e.kind === 'plain') sections.push({});
    else tell(sections, e.kind, e.item, e.text, 1);
  }
  return sections;
}

function tell(
  sections: Array<Record<string, { text: string; count: number }>>,
  rule: CoalesceRule,
  item: string,
  text: string,
  count: number,
): void {
  const section = sections.at(-1) ?? {};
  const before = section[`${rule} ${item}`] ?? { text: '', count: 0 };
  section[`${rule} ${item}`] = {
    text: rule === 'text' ? before.text + text : text,
    count: before.count + count,
  };
}

describe('events of a type with a rule', () => {
  it('tell the same between two events without a rule, and for how many they stand', async () => {
    let joined = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(emitted, { minLength: 1, maxLength: 40, size: 'max' }), async (emits) => {
        const { spec, log } = await runningTask(on);
        const all: Array<Promise<void>> = [];
        for (const e of emits) {
          const durable =
            e.kind === 'plain'
              ? log.append([{ type: STEP, payload: {} }])
              : log.append([
                  {
                    type: e.kind === 'text' ? DELTA : STATE,
                    payload: { text: e.text },
                    identity: { itemId: e.item },
                    coalesce: e.kind,
                  },
                ]);
          all.push(durable);
          if (e.wait) await durable;
        }
        await Promise.all(all);
        const sections: Array<Record<string, { text: string; count: number }>> = [{}];
        for (const event of await eventsOf(spec.taskId)) {
          if (event.type === STEP) {
            sections.push({});
            continue;
          }
          const count = standsFor(event) ?? 1;
          expect(standsFor(event)).not.toBe(1);
          joined += Number(count) - 1;
          const rule = event.type === DELTA ? 'text' : 'latest';
          tell(sections, rule, String(ownMeta(event)['itemId']), String(event.payload['text']), Number(count));
        }
        expect(sections).toEqual(told(emits));
      }),
      { numRuns: 25, seed: 4 },
    );
    expect(joined).toBeGreaterThan(50);
  });

  it('become one in the queue: a thousand deltas in one go are one event, other members those of the last', async () => {
    const { spec, log } = await runningTask(on);
    await Promise.all(
      Array.from({ length: 1_000 }, (_e, i) =>
        log.append([{ type: DELTA, payload: { text: 'é'.repeat(i % 3), i }, coalesce: 'text' }]),
      ),
    );
    const events = await eventsOf(spec.taskId);
    expect(events.map((e) => e.payload)).toEqual([{ text: 'é'.repeat(999), i: 999 }]);
    expect(events.map(standsFor)).toEqual([1_000]);
  });

  it('stay apart where they differ in identity, and where one alone would be over the payload limit', async () => {
    const { spec, log } = await runningTask(on);
    const text = 'x'.repeat(3_000);
    await Promise.all(
      ['a', 'a', 'a', 'b'].map((agentId) =>
        log.append([{ type: DELTA, payload: { text }, identity: { itemId: 'm', agentId }, coalesce: 'text' }]),
      ),
    );
    const events = await eventsOf(spec.taskId);
    expect(events.map((e) => String(e.payload['text']).length)).toEqual([6_000, 3_000, 3_000]);
    expect(events.map(standsFor)).toEqual([2, undefined, undefined]);
  });

  it('are refused by name when a type that joins texts has none', async () => {
    const { log } = await runningTask(on);
    await expect(log.append([{ type: DELTA, payload: { txt: '' }, coalesce: 'text' }])).rejects.toMatchObject({
      code: 'invalid_event',
      message: expect.stringContaining(`payload of ${DELTA}: text: expected string`),
    });
  });

  it('tell all who wait for them when the attempt may not write any more', async () => {
    const { spec, log } = await runningTask(on);
    const tail = await on.store.attempts.readTail(spec.taskId);
    if (tail === undefined) throw new Error('no tail');
    await on.store.attempts.beginAttempt(spec, tail, {
      attempt: 2,
      failures: 0,
      itemId: '1',
      delivery: 2,
      worker: 'other',
      cause: 'lease_lost',
    });
    const calls = [1, 2, 3].map((i) => log.append([{ type: STATE, payload: { i }, coalesce: 'latest' }]));
    for (const outcome of await Promise.allSettled(calls)) {
      expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'fenced' } });
    }
  });
});
