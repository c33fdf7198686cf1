/**
 * Streams that end before their task does: drain, a killed front end, rotation, a reader that does not read. Whatever
 * ends one, another front end goes on with the next event.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { callTask, expectContiguous, readStream, seqOf, type ReadStream } from '../../support/rpc.js';
import { asBytes, asSent, metric, openConnection, openStreams, send, until } from './http.js';
import type { FrontEnd } from '../../support/system.js';
import { DONE, endOf, liveTask, startScene, type Scene } from './scene.js';

let scene: Scene;
let b: string;

beforeAll(async () => {
  scene = await startScene({ env: { TASKSTREAM_DRAIN_SPREAD_MS: '300' } });
  b = scene.b.endpoint;
});
afterAll(() => scene[Symbol.asyncDispose]());

const lastSeq = (read: ReadStream): number | undefined =>
  read.params.length === 0 ? undefined : seqOf(read.params.at(-1)!);

test('SIGTERM ends every stream with the reason, nothing is lost, and the process leaves in peace', async () => {
  const leaving = await scene.frontEnd({ TASKSTREAM_DRAIN_DELAY_MS: '1000' });
  const tasks = await Promise.all(Array.from({ length: 5 }, () => liveTask(scene)));
  // The first reader waits at the tail, the others have events to read.
  const readers = tasks.map(({ taskId }, i) => readStream(leaving.endpoint, taskId, i === 0 ? 1 : undefined));
  await until(async () => (await openStreams(leaving.endpoint)) === readers.length, 'all streams');
  await Promise.all(tasks.slice(1).map(({ log }, i) => log.append([{ type: 'com.example.step', payload: { i } }])));
  leaving.kill('SIGTERM');
  await until(
    async () => (await send(leaving.endpoint, { method: 'GET', path: '/readyz' })).status === 503,
    'a front end that is not ready',
  );
  const reads = await Promise.all(readers);
  for (const [i, read] of reads.entries()) {
    const { taskId, log } = tasks[i]!;
    expect(read.broken).toBe(false);
    const nextSeq = (i === 0 ? 2 : 0) + read.params.length;
    expect(endOf(read)).toEqual({ reason: 'draining', status: 'working', nextSeq });
    await log.append([{ type: 'com.example.step', payload: { after: 'the drain' } }]);
    await log.appendStatus(DONE);
    const rest = await readStream(b, taskId, nextSeq === 0 ? undefined : nextSeq - 1);
    expect(endOf(rest)).toMatchObject({ reason: 'terminal' });
    const whole = await readStream(b, taskId, i === 0 ? 1 : undefined);
    expect([...read.params, ...rest.params]).toEqual(whole.params);
  }
  expect(await leaving.exited).toEqual({ code: 0, signal: null });
  expect(leaving.log()).not.toMatch(/"level":(50|60)/);
});

test('a front end that drains serves on until its load balancer had the time to notice', async () => {
  const leaving = await scene.frontEnd({ TASKSTREAM_DRAIN_DELAY_MS: '3000', TASKSTREAM_DRAIN_SPREAD_MS: '0' });
  const { taskId, log } = await liveTask(scene);
  const reader = readStream(leaving.endpoint, taskId);
  await until(async () => (await openStreams(leaving.endpoint)) === 1, 'the stream');
  leaving.kill('SIGTERM');
  const ready = async (path: string): Promise<number> => (await send(leaving.endpoint, { method: 'GET', path })).status;
  await until(async () => (await ready('/readyz')) === 503, 'a front end that is not ready');
  expect(await ready('/readyz?status=404')).toBe(404);
  // A request that was on its way is served, and what was open stays open.
  const late = await callTask(leaving.endpoint, 'count', { n: 1 });
  expect(await openStreams(leaving.endpoint)).toBe(1);
  expect(endOf(await reader)).toMatchObject({ reason: 'draining' });
  expect((await leaving.exited).code).toBe(0);
  expect(endOf(await readStream(b, late))).toMatchObject({ reason: 'terminal' });
  await log.appendStatus(DONE);
});

/** So many streams that a front end is seconds about ending them one by one. */
async function manyReaders(leaving: FrontEnd, taskId: string, others = 0): Promise<Array<Promise<ReadStream>>> {
  const readers = Array.from({ length: 30 }, () => readStream(leaving.endpoint, taskId));
  const { ops = leaving.endpoint } = leaving.ready as { ops?: string };
  const all = readers.length + others;
  await until(async () => (await openStreams(ops)) === all, 'all streams');
  leaving.kill('SIGTERM');
  await until(async () => (await openStreams(ops)) < all, 'the first stream to end');
  return readers;
}

test('while it drains, a front end takes no stream and says that another one will', async () => {
  const leaving = await scene.frontEnd({ TASKSTREAM_DRAIN_SPREAD_MS: '20000' });
  const { taskId, log } = await liveTask(scene);
  const readers = await manyReaders(leaving, taskId);
  const refused = await readStream(leaving.endpoint, taskId);
  expect(refused).toMatchObject({
    status: 200,
    error: { code: -32603, data: { reason: 'temporarily_unavailable' } },
  });
  for (const read of await Promise.all(readers)) expect(endOf(read)).toMatchObject({ reason: 'draining' });
  expect((await leaving.exited).code).toBe(0);
  await log.appendStatus(DONE);
});

test('with a port of its own for operations, it takes no connection while it drains', async () => {
  const leaving = await scene.frontEnd({ TASKSTREAM_DRAIN_SPREAD_MS: '20000', TASKSTREAM_OPS_PORT: '0' });
  const { taskId, log } = await liveTask(scene);
  const [idle, streaming] = [await openConnection(leaving.endpoint), await openConnection(leaving.endpoint)];
  const list = asSent('tools/list', {});
  idle.socket.write(asBytes(list));
  await idle.until((text) => text.includes('unserved'));
  streaming.socket.write(asBytes(asSent('tasks/stream', { taskId })));
  await streaming.until((text) => text.includes('"seq":1'));
  const readers = await manyReaders(leaving, taskId, 1);
  await idle.ended;
  // The head of its response promised to keep it.
  await streaming.ended;
  expect(streaming.text()).toContain('"draining"');
  await expect(send(leaving.endpoint, list)).rejects.toThrow('ECONNREFUSED');
  const ready = await send(String(leaving.ready['ops']), { method: 'GET', path: '/readyz?status=404' });
  expect(ready.status).toBe(404);
  await log.append([{ type: 'com.example.step', payload: { during: 'the drain' } }]);
  const reads = await Promise.all(readers);
  for (const read of reads) {
    expect(read.broken).toBe(false);
    expect(endOf(read)).toMatchObject({ reason: 'draining' });
  }
  expect(reads.some((read) => read.params.length === 3)).toBe(true);
  expect(await leaving.exited).toEqual({ code: 0, signal: null });
  await log.appendStatus(DONE);
});

test('SIGKILL breaks the streams of a front end; each goes on elsewhere with the very next event', async () => {
  const dying = await scene.frontEnd();
  const taskIds = await Promise.all(
    Array.from({ length: 5 }, () => callTask(dying.endpoint, 'count', { n: 120, everyMs: 25, pad: 2_000 })),
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
    expect(all.filter((p) => p.includes('com.example.count'))).toHaveLength(120);
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
  const { log, taskId: silent } = await liveTask(scene);
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
  const { taskId, log } = await liveTask(scene);
  const padding = 'x'.repeat(100_000);
  for (let i = 0; i < events; i += 20) {
    const batch = Array.from({ length: 20 }, (_, k) => ({ type: 'com.example.large', payload: { i: i + k, padding } }));
    await log.append(batch);
  }
  await log.appendStatus(DONE);
  return { taskId, events: events + 3, bytes: events * 100_000 };
}

test('clients that stop reading cost the server no memory, and get everything once they read', async () => {
  const { a } = scene;
  const { taskId, events, bytes } = await largeTask();
  const delivered = () => metric(a.endpoint, 'taskstream_delivered_bytes_total');
  const resident = () => metric(a.endpoint, 'process_resident_memory_bytes');
  const [deliveredBefore, residentBefore] = [await delivered(), await resident()];
  const connections = await Promise.all(Array.from({ length: 20 }, () => openConnection(a.endpoint)));
  for (const { socket } of connections) {
    socket.pause();
    socket.write(asBytes(asSent('tasks/stream', { taskId })));
  }
  let written = -1;
  await until(async () => {
    const now = await delivered();
    const still = now > deliveredBefore && now === written;
    written = now;
    if (!still) await new Promise((resolve) => setTimeout(resolve, 300));
    return still;
  }, 'the server to stop writing');
  // What the kernel buffers on both ends, and not more than the page in hand beyond that.
  const all = connections.length * bytes;
  expect(written - deliveredBefore).toBeLessThan(all / 3);
  expect((await resident()) - residentBefore).toBeLessThan(all / 4);

  const other = await readStream(a.endpoint, taskId);
  expectContiguous(other.params, 0);
  expect(other.params).toHaveLength(events);

  const [first, ...others] = connections;
  for (const { socket } of others) socket.destroy();
  first!.socket.resume();
  const text = await first!.until((t) => t.endsWith('0\r\n\r\n'), 30_000);
  first!.socket.destroy();
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
