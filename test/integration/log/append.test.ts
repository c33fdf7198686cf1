/** Appending to a log: order, packs, refusals, and a status that stays readable. DESIGN §3.3. */
import type { AttemptLog, TaskSpec } from '@taskstream/core';
import { SystemEvent, type EventIdentity, type TaskEvent } from '@taskstream/protocol';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connectStore, startNats, type TestNats, type TestStore } from '../../support/nats.js';
import { emitSteps, runningTask, STEP, storedLines, storedMessages, typesOf } from '../../support/task-logs.js';

const PACK_BYTES_MAX = 16 * 1024;
const EMIT_QUEUE_BYTES_MAX = 64 * 1024;
const PAYLOAD_BYTES_MAX = 8 * 1024;
const PACKS_PER_TASK_MAX = 6;

let nats: TestNats;
let on: TestStore;
/** Queues little that is not durable. */
let narrow: TestStore;
/** Keeps six packs a task. */
let trimming: TestStore;

beforeAll(async () => {
  nats = await startNats();
  on = await connectStore(nats.url, { packBytesMax: PACK_BYTES_MAX, payloadBytesMax: PAYLOAD_BYTES_MAX });
  narrow = await connectStore(nats.url, { emitQueueBytesMax: EMIT_QUEUE_BYTES_MAX });
  trimming = await connectStore(nats.url, {
    retentionClasses: [{ name: 'trim', ttlMsMax: 3_600_000 }],
    packsPerTaskMax: PACKS_PER_TASK_MAX,
  });
});

afterAll(async () => {
  await on?.[Symbol.asyncDispose]();
  await narrow?.[Symbol.asyncDispose]();
  await trimming?.[Symbol.asyncDispose]();
  await nats?.[Symbol.asyncDispose]();
});

const parse = (line: string) => JSON.parse(line) as TaskEvent;
const stepsOf = (lines: ReadonlyArray<string>) => lines.map(parse).filter((e) => e.type === STEP);

describe('order and packs', () => {
  it('numbers events in the order of the calls, awaited or not', async () => {
    const { spec, log } = await runningTask(on);
    const firstSeq = log.nextSeq;
    const pending: Array<Promise<void>> = [];
    for (let i = 0; i < 600; i++) {
      const durable = log.append([{ type: STEP, payload: { i } }]);
      if (i % 7 === 0) await durable;
      else pending.push(durable);
    }
    await Promise.all(pending);
    const steps = stepsOf(await storedLines(on, spec.taskId));
    expect(steps.map((e) => e.payload['i'])).toEqual(Array.from({ length: 600 }, (_e, i) => i));
    expect(steps.map((e) => e.seq)).toEqual(Array.from({ length: 600 }, (_e, i) => firstSeq + i));
    expect(log.nextSeq).toBe(firstSeq + 600);
  });

  it('puts what is emitted in one go into as few packs as their bounds allow', async () => {
    const { spec, log } = await runningTask(on, {});
    const before = (await storedMessages(on, spec.taskId)).length;
    await emitSteps(log, 250);
    const packs = (await storedMessages(on, spec.taskId)).slice(before);
    const bytes = (lines: ReadonlyArray<string>) => lines.reduce((sum, line) => sum + Buffer.byteLength(line) + 1, 0);
    expect(packs.every((p) => p.count <= 200 && bytes(p.lines) <= PACK_BYTES_MAX)).toBe(true);
    // Each pack but the last had no room for the next event.
    packs.slice(0, -1).forEach((pack, i) => {
      const next = packs[i + 1]?.lines.slice(0, 1) ?? [];
      expect(pack.count === 200 || bytes([...pack.lines, ...next]) > PACK_BYTES_MAX).toBe(true);
    });
    expect(packs.reduce((sum, p) => sum + p.count, 0)).toBe(250);
  });

  it('writes one pack per event when each is awaited', async () => {
    const { spec, log } = await runningTask(on);
    const before = (await storedMessages(on, spec.taskId)).length;
    await emitSteps(log, 20, 'awaited');
    expect((await storedMessages(on, spec.taskId)).slice(before).map((p) => p.count)).toEqual(Array(20).fill(1));
  });

  it('lets an event that is larger than a pack have a pack of its own', async () => {
    const wide = await connectStore(nats.url, { packBytesMax: 1_000 });
    const { spec, log } = await runningTask(wide);
    void log.append([{ type: STEP, payload: { i: 0 } }]);
    void log.append([{ type: STEP, payload: { i: 1, text: 'x'.repeat(5_000) } }]);
    await log.append([{ type: STEP, payload: { i: 2 } }]);
    const sizes = (await storedMessages(on, spec.taskId)).map((m) => m.lines.join('\n').length);
    expect(sizes.filter((s) => s > 5_000)).toHaveLength(1);
    expect(stepsOf(await storedLines(on, spec.taskId)).map((e) => e.payload['i'])).toEqual([0, 1, 2]);
    await wide[Symbol.asyncDispose]();
  });

  it('is durable when append resolves', async () => {
    const { spec, log } = await runningTask(on);
    for (let i = 0; i < 5; i++) {
      await log.append([{ type: STEP, payload: { i } }]);
      expect(stepsOf(await storedLines(trimming, spec.taskId))).toHaveLength(i + 1);
    }
  });

  it('keeps every payload as it was, whatever text it holds', async () => {
    const { spec, log } = await runningTask(on);
    const payloads = fc.sample(
      fc.dictionary(fc.string({ unit: 'binary' }), fc.jsonValue({ maxDepth: 2 }), { maxKeys: 3 }),
      {
        numRuns: 40,
        seed: 7,
      },
    );
    payloads.push({ text: 'line\nfeed \r\n \u2028 \u2029 \u0000 \ud83d\ude00 \ud800' });
    const fitting = payloads.filter((p) => Buffer.byteLength(JSON.stringify(p)) <= PAYLOAD_BYTES_MAX);
    await Promise.all(fitting.map((payload) => log.append([{ type: STEP, payload }])));
    const stored = stepsOf(await storedLines(on, spec.taskId)).map((e) => JSON.stringify(e.payload));
    expect(fitting.length).toBeGreaterThan(35);
    expect(stored).toEqual(fitting.map((p) => JSON.stringify(p)));
  });
});

describe('what is refused takes no seq and leaves the log open', () => {
  let spec: TaskSpec;
  let log: AttemptLog;
  beforeAll(async () => {
    ({ spec, log } = await runningTask(on));
  });

  const circular: Record<string, unknown> = {};
  circular['self'] = circular;
  const refusals: ReadonlyArray<readonly [string, unknown, unknown, string, RegExp]> = [
    ['a type without a vendor', 'task.status', {}, 'invalid_event', /type: expected a vendor-prefixed.*"task\.status"/],
    ['a type of one word', 'step', {}, 'invalid_event', /type: expected a vendor-prefixed/],
    ['a type under a reserved namespace', 'mcp/step', {}, 'invalid_event', /type: expected a vendor-prefixed/],
    ['no type at all', undefined, {}, 'invalid_event', /type: expected a vendor-prefixed/],
    ['a type that is no text', 42, {}, 'invalid_event', /type: expected a vendor-prefixed.*"42"/],
    ['a type that is too long', `com.example.${'x'.repeat(200)}`, {}, 'invalid_event', /type: expected/],
    ['an array', STEP, [1], 'invalid_event', /payload of com\.example\.step: expected a JSON object, got array/],
    ['a string', STEP, 'text', 'invalid_event', /expected a JSON object, got string/],
    ['null', STEP, null, 'invalid_event', /expected a JSON object, got null/],
    ['nothing', STEP, undefined, 'invalid_event', /expected a JSON object, got nothing/],
    ['a date, which is text in JSON', STEP, new Date(0), 'invalid_event', /expected a JSON object/],
    ['a circular payload', STEP, circular, 'invalid_event', /payload of com\.example\.step: cannot be encoded/],
    ['a bigint', STEP, { n: 1n }, 'invalid_event', /cannot be encoded as JSON/],
    [
      'one byte too many',
      STEP,
      { text: 'x'.repeat(PAYLOAD_BYTES_MAX - '{"text":""}'.length + 1) },
      'payload_too_large',
      /8193 bytes, at most 8192 are allowed/,
    ],
    [
      'too many bytes in few characters',
      STEP,
      { text: '\u20ac'.repeat(PAYLOAD_BYTES_MAX / 2) },
      'payload_too_large',
      /at most 8192/,
    ],
  ];

  it.each(refusals)('%s', async (_what, type, payload, code, message) => {
    const seq = log.nextSeq;
    const refused = log.append([{ type: type as string, payload: payload as Record<string, unknown> }]);
    await expect(refused).rejects.toMatchObject({ code, message: expect.stringMatching(message) as string });
    expect(log.nextSeq).toBe(seq);
    await log.append([{ type: STEP, payload: { after: _what } }]);
    expect(parse((await storedLines(on, spec.taskId))[seq] ?? '').payload).toEqual({ after: _what });
  });

  it.each([
    ['that JSON cannot hold', { itemId: 1n }],
    ['of another type', { itemId: 7 }],
    ['with an unknown member', { attempt: 99, worker: 'somebody else' }],
    ['that is no object', 'item-1'],
  ])('an identity %s', async (_what, identity) => {
    const seq = log.nextSeq;
    const draft = { type: STEP, payload: {}, identity: identity as EventIdentity };
    await expect(log.append([draft])).rejects.toMatchObject({
      code: 'invalid_event',
      message: expect.stringMatching(/^count \(task .+, attempt 1\): identity of com\.example\.step: /) as string,
    });
    expect(log.nextSeq).toBe(seq);
    await log.append([{ type: STEP, payload: { after: _what }, identity: { itemId: 'i', agentId: 'a' } }]);
    expect(parse((await storedLines(on, spec.taskId))[seq] ?? '')._meta?.['dev.taskstream/event']).toMatchObject({
      attempt: 1,
      worker: 'test-worker',
      itemId: 'i',
      agentId: 'a',
    });
  });

  it('one bad event refuses the others of its call', async () => {
    const seq = log.nextSeq;
    const both = [
      { type: STEP, payload: { i: 1 } },
      { type: 'bad', payload: {} },
    ];
    await expect(log.append(both)).rejects.toMatchObject({ code: 'invalid_event' });
    expect(log.nextSeq).toBe(seq);
    expect(await storedLines(on, spec.taskId)).toHaveLength(seq);
  });

  it('but a payload of exactly the limit is stored', async () => {
    const text = 'x'.repeat(PAYLOAD_BYTES_MAX - '{"text":""}'.length);
    await log.append([{ type: STEP, payload: { text } }]);
    expect(parse((await storedLines(on, spec.taskId)).at(-1) ?? '').payload).toEqual({ text });
  });
});

describe('emit_overflow', () => {
  it('refuses what does not fit, stores what was accepted, and never refuses the ending', async () => {
    const { spec, log } = await runningTask(narrow);
    const accepted: number[] = [];
    const results: Array<Promise<unknown>> = [];
    let refused = 0;
    for (let i = 0; i < 400; i++) {
      // Small ones at the end, so that the queue is full to its last bytes.
      const durable = log.append([{ type: STEP, payload: { i, text: 'x'.repeat(i < 200 ? 1_000 : 0) } }]);
      results.push(
        durable.then(
          () => accepted.push(i),
          (error: unknown) => {
            refused++;
            expect(error).toMatchObject({ code: 'emit_overflow' });
          },
        ),
      );
    }
    const ended = log.appendStatus({ status: 'completed', result: { content: [] } });
    await Promise.all(results);
    await ended;
    expect(refused).toBeGreaterThan(0);
    expect(accepted.length).toBeGreaterThanOrEqual(EMIT_QUEUE_BYTES_MAX / 2_000);
    const lines = await storedLines(narrow, spec.taskId);
    expect(stepsOf(lines).map((e) => e.payload['i'])).toEqual(accepted);
    expect(parse(lines.at(-1) ?? '').payload['status']).toBe('completed');
  });

  it('takes events again once the queue is durable', async () => {
    const { spec, log } = await runningTask(narrow);
    const flood = Array.from({ length: 200 }, (_e, i) =>
      log.append([{ type: STEP, payload: { i, text: 'x'.repeat(1_000) } }]),
    );
    const outcomes = await Promise.allSettled(flood);
    expect(outcomes.some((o) => o.status === 'rejected')).toBe(true);
    await log.append([{ type: STEP, payload: { i: 'after' } }]);
    expect(stepsOf(await storedLines(narrow, spec.taskId)).at(-1)?.payload['i']).toBe('after');
  });
});

describe('the end of a log', () => {
  const ends: ReadonlyArray<readonly [string, (log: AttemptLog) => Promise<void>]> = [
    ['a terminal status', (log) => log.appendStatus({ status: 'failed', error: { code: -1, message: 'no' } })],
    ['the end of its attempt', (log) => log.appendAttemptEnd({ reason: 'handed_over' })],
  ];

  it.each(ends)('%s refuses what comes later and keeps what came before', async (_what, end) => {
    const { spec, log } = await runningTask(on);
    const early = log.append([{ type: STEP, payload: { i: 0 } }]);
    const ended = end(log);
    const late = log.append([{ type: STEP, payload: { i: 1 } }]);
    await expect(late).rejects.toMatchObject({ code: 'task_ended' });
    await expect(log.appendStatus({ status: 'working' })).rejects.toMatchObject({ code: 'task_ended' });
    await early;
    await ended;
    expect(stepsOf(await storedLines(on, spec.taskId)).map((e) => e.payload['i'])).toEqual([0]);
  });

  it('shows in the tail who runs, who ended and how often it failed', async () => {
    const { spec, log } = await runningTask(on);
    const tail = () => on.store.attempts.readTail(spec.taskId);
    expect(await tail()).toMatchObject({ status: 'working', attempt: 1, runningItem: '1', failures: 0 });
    await log.append([{ type: STEP, payload: {} }]);
    expect(await tail()).toMatchObject({ attempt: 1, runningItem: '1', handedOver: false });
    await log.appendAttemptEnd({ reason: 'error', message: 'no' });
    expect(await tail()).toMatchObject({ attempt: 1, runningItem: undefined, failures: 1, handedOver: false });
  });

  it('a hand-over is no failure', async () => {
    const { spec, log } = await runningTask(on);
    await log.appendAttemptEnd({ reason: 'handed_over' });
    expect(await on.store.attempts.readTail(spec.taskId)).toMatchObject({ failures: 0, handedOver: true });
  });

  it('refuses a result that no message can hold, and can then still end', async () => {
    const { spec, log } = await runningTask(on);
    const large = { content: [{ type: 'text', text: 'x'.repeat(on.options.messageBytesMax) }] };
    await expect(log.appendStatus({ status: 'completed', result: large })).rejects.toMatchObject({
      code: 'payload_too_large',
    });
    await log.appendStatus({ status: 'failed', error: { code: -32603, message: 'too large' } });
    expect((await on.store.tasks.read(spec.taskId))?.status.status).toBe('failed');
  });

  it('stores a result that is much larger than a pack', async () => {
    const { spec, log } = await runningTask(on);
    const result = { content: [{ type: 'text', text: 'x'.repeat(900_000) }] };
    await emitSteps(log, 3);
    await log.appendStatus({ status: 'completed', result });
    expect((await on.store.tasks.read(spec.taskId))?.status.result).toEqual(result);
  });
});

describe('a task that outgrows its cap on packs', () => {
  const inTrim = () => ({ taskId: `trim0-${Math.random().toString(36).slice(2).padEnd(22, 'A')}` });

  it('always shows its latest status, with the message', async () => {
    const { spec, log } = await runningTask(trimming, inTrim());
    await log.appendStatus({ status: 'working', statusMessage: 'half way' });
    for (let i = 0; i < 25; i++) {
      await log.append([{ type: STEP, payload: { i } }]);
      const snapshot = await trimming.store.tasks.read(spec.taskId);
      expect(snapshot?.status).toEqual({ status: 'working', statusMessage: 'half way' });
    }
    const packs = await storedMessages(trimming, spec.taskId);
    expect(packs).toHaveLength(PACKS_PER_TASK_MAX);
    expect(packs[0]?.firstSeq).toBeGreaterThan(0);
    const lines = await storedLines(trimming, spec.taskId, packs[0]?.firstSeq);
    expect(typesOf(lines)).toContain(SystemEvent.taskStatus);
  });

  it('is taken over by a later attempt that states the status again', async () => {
    const { spec, log } = await runningTask(trimming, inTrim());
    for (let i = 0; i < 10; i++) await log.append([{ type: STEP, payload: { i } }]);
    const tail = await trimming.store.attempts.readTail(spec.taskId);
    const start = { attempt: 2, failures: 1, itemId: '1', delivery: 2, worker: 'second', cause: 'lease_lost' } as const;
    const second = await trimming.store.attempts.beginAttempt(spec, tail as NonNullable<typeof tail>, start);
    for (let i = 0; i < 10; i++) await second.append([{ type: STEP, payload: { i } }]);
    expect((await trimming.store.tasks.read(spec.taskId))?.status.status).toBe('working');
  });
});
