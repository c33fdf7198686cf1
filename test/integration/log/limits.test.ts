/** Which limits of the store are told when they keep something back. */
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { connectStore, startNats, type TestNats, type TestStore } from '../../support/nats.js';
import { createTask, runningTask, STEP } from '../../support/task-logs.js';

const EMIT_QUEUE_BYTES_MAX = 16 * 1024;
const PAYLOAD_BYTES_MAX = 8 * 1024;

let nats: TestNats;
let on: TestStore;
let hits: string[] = [];

beforeAll(async () => {
  nats = await startNats();
  on = await connectStore(
    nats.url,
    {
      emitQueueBytesMax: EMIT_QUEUE_BYTES_MAX,
      payloadBytesMax: PAYLOAD_BYTES_MAX,
      // What it leaves for a status is the same number, so that only the key tells one from the other.
      messageBytesMax: PAYLOAD_BYTES_MAX + 64 * 1024,
      steerBytesMax: 100,
      leaderReadsMax: 1,
      ownerLineMax: 1,
    },
    { limitHit: (limit, how) => void hits.push(how === undefined ? limit : `${limit} ${how}`) },
  );
});
beforeEach(() => {
  hits = [];
});
afterAll(async () => {
  await on?.[Symbol.asyncDispose]();
  await nats?.[Symbol.asyncDispose]();
});

const step = (bytes: number) => [{ type: STEP, payload: { text: 'x'.repeat(bytes) } }];

it('an event that is too large', async () => {
  const { log } = await runningTask(on);
  hits = [];
  await expect(log.append(step(PAYLOAD_BYTES_MAX))).rejects.toMatchObject({ code: 'payload_too_large' });
  expect(hits).toEqual(['payloadBytesMax']);
});

it('a result that is too large for a message', async () => {
  const { log } = await runningTask(on);
  hits = [];
  const result = { content: [{ type: 'text', text: 'x'.repeat(PAYLOAD_BYTES_MAX) }] };
  await expect(log.appendStatus({ status: 'completed', result })).rejects.toMatchObject({ code: 'payload_too_large' });
  expect(hits).toEqual(['messageBytesMax']);
});

it('events that wait for room in the queue, and those that are refused there', async () => {
  const { log } = await runningTask(on);
  hits = [];
  await Promise.all([1, 2, 3].map(() => log.append(step(7_000), () => true)));
  expect(hits).toEqual(['emitQueueBytesMax slowed']);
  hits = [];
  const outcomes = await Promise.allSettled([1, 2, 3].map(() => log.append(step(7_000))));
  expect(outcomes.map((o) => o.status)).toEqual(['fulfilled', 'fulfilled', 'rejected']);
  expect(hits).toEqual(['emitQueueBytesMax']);
});

it('a steer that is too large', async () => {
  const { spec } = await runningTask(on);
  hits = [];
  const sent = on.store.tasks.send(spec.taskId, { type: 'steer', message: 'x'.repeat(100) });
  await expect(sent).rejects.toMatchObject({ code: 'payload_too_large' });
  expect(hits).toEqual(['steerBytesMax']);
});

it('reads from leaders that wait for their turn', async () => {
  const tasks = await Promise.all([runningTask(on), runningTask(on)]);
  hits = [];
  await Promise.all(tasks.map(({ spec }) => on.store.attempts.readTail(spec.taskId)));
  expect(hits).toEqual(['leaderReadsMax slowed']);
});

it('a task that goes behind those of others because its owner has many', async () => {
  const fairnessKey = 'many';
  await createTask(on, { fairnessKey });
  hits = [];
  await createTask(on, { fairnessKey });
  expect(hits).toContain('ownerLineMax slowed');
});
