/**
 * Streams that end before their task does: drain, a killed front end, rotation, a reader that does not read. Whatever
 * ends one, another front end goes on with the next event.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { callTask, expectContiguous, readStream, seqOf, type ReadStream } from '../../support/rpc.js';
import { beginAttempt, createTask } from '../../support/task-logs.js';
import { asBytes, asSent, metric, openConnection, openStreams, send, until } from './http.js';
import { IDLE_QUEUE, startScene, type Scene } from './scene.js';

const STREAM_META = 'dev.taskstream/stream';
const DONE = { status: 'completed', result: { content: [] } } as const;

let scene: Scene;
let b: string;

beforeAll(async () => {
  scene = await startScene({ env: { TASKSTREAM_DRAIN_SPREAD_MS: '300' } });
  b = scene.b.endpoint;
});
afterAll(() => scene[Symbol.asyncDispose]());

function endOf(read: ReadStream): Record<string, unknown> {
  return (read.result?.['_meta'] as Record<string, Record<string, unknown>>)[STREAM_META]!;
}

async function liveTask() {
  const spec = await createTask(scene.own, { queue: IDLE_QUEUE });
  return { taskId: spec.taskId, log: await beginAttempt(scene.own, spec) };
}

const lastSeq = (read: ReadStream): number | undefined =>
  read.params.length === 0 ? undefined : seqOf(read.params.at(-1)!);

test('SIGTERM ends every stream with the reason, nothing is lost, and the process leaves in peace', async () => {
  const leaving = await scene.frontEnd();
  const taskIds = await Promise.all(Array.from({ length: 5 }, () => callTask(b, 'count', { n: 60, everyMs: 50 })));
  const silent = await liveTask();
  const readers = [
    ...taskIds.map((id) => readStream(leaving.endpoint, id)),
    readStream(leaving.endpoint, silent.taskId, 1),
  ];
  await until(async () => (await openStreams(leaving.endpoint)) === readers.length, 'all streams');
  leaving.kill('SIGTERM');
  await until(
    async () => (await send(leaving.endpoint, { method: 'GET', path: '/readyz' })).status === 503,
    'a front end that is not ready',
  );
  const reads = await Promise.all(readers);
  for (const [i, read] of reads.entries()) {
    expect(read.broken).toBe(false);
    expect(endOf(read)).toMatchObject({ reason: 'draining', status: 'working' });
    const isSilent = i === taskIds.length;
    const taskId = isSilent ? silent.taskId : taskIds[i]!;
    if (isSilent) await silent.log.appendStatus(DONE);
    const nextSeq = (isSilent ? 2 : 0) + read.params.length;
    expect(endOf(read)['nextSeq']).toBe(nextSeq);
    const rest = await readStream(b, taskId, nextSeq === 0 ? undefined : nextSeq - 1);
    expect(endOf(rest)).toMatchObject({ reason: 'terminal' });
    const whole = await readStream(b, taskId, isSilent ? 1 : undefined);
    expect([...read.params, ...rest.params]).toEqual(whole.params);
  }
  expect(await leaving.exited).toEqual({ code: 0, signal: null });
  expect(leaving.log()).not.toMatch(/"level":(50|60)/);
});

test('while it drains, a front end takes no stream and says that another one will', async () => {
  const leaving = await scene.frontEnd({ TASKSTREAM_DRAIN_SPREAD_MS: '4000' });
  const [first, second] = [await liveTask(), await liveTask()];
  const readers = [first, second].map(({ taskId }) => readStream(leaving.endpoint, taskId));
  await until(async () => (await openStreams(leaving.endpoint)) === 2, 'two streams');
  leaving.kill('SIGTERM');
  await until(async () => (await openStreams(leaving.endpoint)) === 1, 'the first stream to end');
  const refused = await readStream(leaving.endpoint, first.taskId);
  expect(refused).toMatchObject({
    status: 200,
    error: { code: -32603, data: { reason: 'temporarily_unavailable' } },
  });
  for (const read of await Promise.all(readers)) expect(endOf(read)).toMatchObject({ reason: 'draining' });
  expect((await leaving.exited).code).toBe(0);
  for (const { log } of [first, second]) await log.appendStatus(DONE);
});

test('SIGKILL breaks the streams of a front end; each goes on elsewhere with the very next event', async () => {
  const dying = await scene.frontEnd();
  const taskIds = await Promise.all(
    Array.from({ length: 5 }, () => callTask(dying.endpoint, 'count', { n: 40, everyMs: 40, pad: 2_000 })),
  );
  let seen = 0;
  const readers = taskIds.map((id) => readStream(dying.endpoint, id, undefined, { stop: () => (seen++, false) }));
  await until(() => seen > 40, 'events on all streams');
  dying.kill('SIGKILL');
  const reads = await Promise.all(readers);
  for (const [i, read] of reads.entries()) {
    expect(read.broken).toBe(true);
    const rest = await readStream(b, taskIds[i]!, lastSeq(read));
    const all = [...read.params, ...rest.params];
    expectContiguous(all, 0);
    expect(all).toEqual((await readStream(b, taskIds[i]!)).params);
    expect(all.filter((p) => p.includes('com.example.count'))).toHaveLength(40);
  }
});

test('a stream that is too old is rotated, with a cursor that goes on elsewhere', async () => {
  const rotating = await scene.frontEnd({ TASKSTREAM_STREAM_AGE_MS_MAX: '400', TASKSTREAM_HEARTBEAT_MS: '100' });
  const taskId = await callTask(b, 'count', { n: 60, everyMs: 40 });
  const all: string[] = [];
  let turns = 0;
  for (let over = false; !over; turns++) {
    const after = all.length === 0 ? undefined : seqOf(all.at(-1)!);
    const read = await readStream(rotating.endpoint, taskId, after);
    all.push(...read.params);
    const end = endOf(read);
    expect(end).toMatchObject({ nextSeq: all.length });
    over = end['reason'] === 'terminal';
    if (!over) expect(end).toEqual({ reason: 'rotated', status: 'working', nextSeq: all.length });
  }
  expect(turns).toBeGreaterThan(2);
  expect(all).toEqual((await readStream(b, taskId)).params);
  const { log, taskId: silent } = await liveTask();
  const untouched = await readStream(rotating.endpoint, silent, 1);
  expect(untouched.params).toEqual([]);
  expect(endOf(untouched)).toEqual({ reason: 'rotated', status: 'working', nextSeq: 2 });
  await log.appendStatus(DONE);
});

let large: Promise<{ taskId: string; events: number; bytes: number }> | undefined;

/** A log of 40 MB, made once: more than the kernel buffers on both ends of a connection. */
function largeTask(): Promise<{ taskId: string; events: number; bytes: number }> {
  large ??= makeLargeTask(400);
  return large;
}

async function makeLargeTask(events: number) {
  const { taskId, log } = await liveTask();
  const padding = 'x'.repeat(100_000);
  for (let i = 0; i < events; i += 20) {
    const batch = Array.from({ length: 20 }, (_, k) => ({ type: 'com.example.large', payload: { i: i + k, padding } }));
    await log.append(batch);
  }
  await log.appendStatus(DONE);
  return { taskId, events: events + 3, bytes: events * 100_000 };
}

test('a client that stops reading costs the server no memory, and gets everything once it reads', async () => {
  const { a } = scene;
  const { taskId, events, bytes } = await largeTask();
  const before = await metric(a.endpoint, 'taskstream_delivered_bytes_total');
  const connection = await openConnection(a.endpoint);
  connection.socket.pause();
  connection.socket.write(asBytes(asSent('tasks/stream', { taskId })));
  let written = -1;
  await until(async () => {
    const now = await metric(a.endpoint, 'taskstream_delivered_bytes_total');
    const still = now > before && now === written;
    written = now;
    if (!still) await new Promise((resolve) => setTimeout(resolve, 200));
    return still;
  }, 'the server to stop writing');
  // What the kernel buffers on both ends, and not more than the page in hand beyond that.
  expect(written - before).toBeLessThan(bytes / 3);
  const external = await metric(a.endpoint, 'nodejs_external_memory_bytes');
  expect(external).toBeLessThan(bytes / 2);
  const other = await readStream(a.endpoint, taskId);
  expect(other.params).toHaveLength(events);
  expectContiguous(other.params, 0);
  connection.socket.resume();
  const text = await connection.until((t) => t.endsWith('0\r\n\r\n'), 30_000);
  connection.socket.destroy();
  expect(text).toContain('"reason":"terminal"');
  const seqs = [...text.matchAll(/"params":\{"seq":(\d+),/g)].map((m) => Number(m[1]));
  expect(seqs).toEqual(Array.from({ length: events }, (_, i) => i));
  expect(Buffer.byteLength(text)).toBeGreaterThan(bytes);
});

test('a client that takes nothing for too long is cut, and resumes where it was', async () => {
  const strict = await scene.frontEnd({ TASKSTREAM_SLOW_READER_MS_MAX: '500' });
  const { taskId, events } = await largeTask();
  const connection = await openConnection(strict.endpoint);
  connection.socket.pause();
  connection.socket.write(asBytes(asSent('tasks/stream', { taskId })));
  await until(
    async () => (await metric(strict.endpoint, 'taskstream_streams_ended_total', { reason: 'slow-reader' })) === 1,
    'the cut',
  );
  expect(await openStreams(strict.endpoint)).toBe(0);
  connection.socket.resume();
  await connection.ended;
  // Chunks of HTTP may lie inside a frame, never inside a small one: the JSON is long, its beginning is whole.
  const begun = [...connection.text().matchAll(/"params":\{"seq":(\d+),/g)].map((m) => Number(m[1]));
  expect(begun.length).toBeGreaterThan(0);
  expect(begun.length).toBeLessThan(events);
  expect(begun).toEqual(begun.map((_, i) => i));
  const processed = begun.at(-1)! - 1;
  const rest = await readStream(b, taskId, processed < 0 ? undefined : processed);
  expectContiguous(rest.params, processed + 1);
  expect(rest.params).toHaveLength(events - processed - 1);
  expect(endOf(rest)).toMatchObject({ reason: 'terminal', nextSeq: events });
});
