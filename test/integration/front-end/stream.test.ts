/**
 * `tasks/stream`: what goes over the wire, byte by byte, from any cursor and on any front end.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { callTask, expectContiguous, readStream, rpc, seqOf } from '../../support/rpc.js';
import { asBytes, asSent, jsonRpc, metric, openConnection, openStreams, send, until } from './http.js';
import { DONE, endOf, liveTask, startScene, type Scene } from './scene.js';

const HEARTBEAT_MS = 200;
const STREAM_META = 'dev.taskstream/stream';

let scene: Scene;
let a: string;
let b: string;

beforeAll(async () => {
  scene = await startScene({ env: { TASKSTREAM_HEARTBEAT_MS: String(HEARTBEAT_MS) } });
  a = scene.a.endpoint;
  b = scene.b.endpoint;
});
afterAll(() => scene[Symbol.asyncDispose]());

describe('the response', () => {
  test('opens with a comment before any event, and only then waits for the task', async () => {
    const { taskId, log } = await liveTask(scene);
    const connection = await openConnection(a);
    connection.socket.write(asBytes(asSent('tasks/stream', { taskId, after: 1 })));
    const text = await connection.until((t) => t.includes('taskstream\n\n'));
    const [head, body] = text.split('\r\n\r\n', 2);
    // One chunk of HTTP, which holds the comment.
    expect(body).toMatch(/^[0-9a-f]+\r\n: taskstream\n\n\r\n/);
    expect(head!.split('\r\n')[0]).toBe('HTTP/1.1 200 OK');
    expect(head!.toLowerCase().split('\r\n')).toEqual(
      expect.arrayContaining([
        'content-type: text/event-stream',
        'cache-control: no-cache, no-transform',
        'x-accel-buffering: no',
      ]),
    );
    expect(head!.toLowerCase()).not.toContain('mcp-session-id');
    expect(body).not.toContain('data:');
    await log.appendStatus(DONE);
    await connection.until((t) => t.includes('"resultType":"complete"'));
    connection.socket.destroy();
  });

  test('holds comments and data lines, nothing else: no id, no retry, no other event', async () => {
    const taskId = await callTask(a, 'count', { n: 5 });
    const { text } = await send(a, asSent('tasks/stream', { taskId }));
    const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith(':'));
    for (const line of lines) expect(line).toMatch(/^(event: message|data: \{"jsonrpc":"2\.0",.*\})$/);
    const messages = lines.filter((l) => l.startsWith('data: ')).map((l) => JSON.parse(l.slice(6)));
    expect(messages.slice(0, -1).every((m) => m.method === 'notifications/tasks/event' && !('id' in m))).toBe(true);
    expect(Object.keys(messages.at(-1))).toEqual(expect.arrayContaining(['jsonrpc', 'id', 'result']));
  });

  test('every event is an envelope: seq from 0 without a gap, its task, a vendor type, a payload, related-task', async () => {
    const taskId = await callTask(a, 'count', { n: 250 });
    const { params } = await readStream(b, taskId);
    expect(params.length).toBeGreaterThan(250);
    expectContiguous(params, 0);
    for (const text of params) {
      const event = JSON.parse(text) as Record<string, unknown>;
      expect(event).toEqual({
        seq: expect.any(Number),
        taskId,
        type: expect.stringMatching(/^(dev\.taskstream|com\.example)\.[a-z.]+$/),
        payload: expect.any(Object),
        _meta: {
          'io.modelcontextprotocol/related-task': { taskId },
          'dev.taskstream/event': expect.objectContaining({ at: expect.any(String), attempt: expect.any(Number) }),
        },
      });
      expect(text).not.toContain('subscriptionId');
    }
  });

  test('ends with an empty result that says why, where, and how the task stands', async () => {
    const taskId = await callTask(a, 'count', { n: 3 });
    const read = await readStream(a, taskId);
    expect(read.result).toEqual({
      resultType: 'complete',
      _meta: {
        'io.modelcontextprotocol/serverInfo': { name: 'taskstream', version: '0.1.0' },
        [STREAM_META]: { reason: 'terminal', status: 'completed', nextSeq: read.params.length },
      },
    });
    expect(seqOf(read.params.at(-1)!)).toBe(read.params.length - 1);
    expect(JSON.parse(read.params.at(-1)!)).toMatchObject({ payload: { status: 'completed' } });
  });

  test('a silent stream is kept alive by comments; with a progress token also by rising progress', async () => {
    const { taskId, log } = await liveTask(scene);
    const connection = await openConnection(a);
    const request = asSent('tasks/stream', { taskId, after: 1 }, { meta: { progressToken: 'p-1' } });
    connection.socket.write(asBytes(request));
    await connection.until((t) => t.split(': heartbeat').length > 4);
    await log.appendStatus(DONE);
    const text = await connection.until((t) => t.includes('"resultType":"complete"'));
    connection.socket.destroy();
    const messages = text.split('\n').flatMap((l) => (l.startsWith('data: ') ? [JSON.parse(l.slice(6))] : []));
    const progress = messages.filter((m) => m.method === 'notifications/progress').map((m) => m.params);
    expect(progress.length).toBeGreaterThanOrEqual(4);
    progress.forEach((params, i) => {
      expect(params.progressToken).toBe('p-1');
      if (i > 0) expect(params.progress).toBeGreaterThan(progress[i - 1].progress);
    });
    const events = messages.filter((m) => m.method === 'notifications/tasks/event');
    expect(events.map((m) => m.params.seq)).toEqual([2]);
  });

  test('without a progress token there is no progress', async () => {
    const { taskId, log } = await liveTask(scene);
    const reading = readStream(a, taskId);
    await until(async () => (await openStreams(a)) > 0, 'the stream');
    await new Promise((resolve) => setTimeout(resolve, 3 * HEARTBEAT_MS));
    await log.appendStatus(DONE);
    const read = await reading;
    expect(read.comments).toEqual(['taskstream', expect.any(String), ...read.comments.slice(2)]);
    expect(new Set(read.comments.slice(1))).toEqual(new Set(['heartbeat']));
    expectContiguous(read.params, 0);
  });

  test('notifications/cancelled is accepted and has no effect: closing the response is the signal', async () => {
    const { taskId, log } = await liveTask(scene);
    const reading = readStream(a, taskId);
    await until(async () => (await openStreams(a)) > 0, 'the stream');
    const open = asSent('notifications/cancelled', { requestId: 1 });
    const { id: _id, ...notification } = JSON.parse(open.body) as Record<string, unknown>;
    for (let id = 0; id < 200; id++) {
      const body = JSON.stringify({
        ...notification,
        params: { ...(notification['params'] as object), requestId: id },
      });
      const answer = await send(a, { ...open, body });
      expect({ status: answer.status, text: answer.text }).toEqual({ status: 202, text: '' });
    }
    await log.appendStatus(DONE);
    expect(endOf(await reading)).toMatchObject({ reason: 'terminal' });
  });

  test('a client that closes it frees its place and leaves the task alone', async () => {
    const { taskId, log } = await liveTask(scene);
    const before = await metric(a, 'taskstream_streams_ended_total', { reason: 'client' });
    await readStream(a, taskId, undefined, { stop: () => true });
    await until(async () => (await openStreams(a)) === 0, 'the place to be free');
    expect(await metric(a, 'taskstream_streams_ended_total', { reason: 'client' })).toBe(before + 1);
    expect((await rpc(b, 'tasks/get', { taskId })).result).toMatchObject({ status: 'working' });
    await log.appendStatus(DONE);
  });
});

describe('the same bytes', () => {
  test('for an uninterrupted reader, readers that were cut everywhere and changed the front end, and late readers', async () => {
    const taskId = await callTask(a, 'count', { n: 40, everyMs: 20, pad: 50 });
    const whole = readStream(a, taskId);
    const cut = (async () => {
      const params: string[] = [];
      const endpoints = [a, b];
      for (let turn = 0; ; turn++) {
        const after = params.length === 0 ? undefined : seqOf(params.at(-1)!);
        const part = await readStream(endpoints[turn % 2]!, taskId, after, { stop: (_p, n) => n >= 7 });
        params.push(...part.params);
        if (part.result !== undefined) return params;
      }
    })();
    const uninterrupted = await whole;
    expectContiguous(uninterrupted.params, 0);
    expect(uninterrupted.params.filter((p) => p.includes('com.example.count'))).toHaveLength(40);
    expect(await cut).toEqual(uninterrupted.params);
    for (const endpoint of [a, b]) {
      expect((await readStream(endpoint, taskId)).params).toEqual(uninterrupted.params);
    }
  });

  test('from every possible cursor of a task that is over', async () => {
    const taskId = await callTask(a, 'count', { n: 8 });
    const { params } = await readStream(a, taskId);
    for (let after = 0; after < params.length + 2; after++) {
      const endpoint = after % 2 === 0 ? a : b;
      const read = await readStream(endpoint, taskId, after);
      expect(read.params).toEqual(params.slice(after + 1));
      expect(endOf(read)).toEqual({ reason: 'terminal', status: 'completed', nextSeq: params.length });
      expect(read.comments[0]).toBe('taskstream');
    }
  });

  test('from every possible cursor of a task that runs', async () => {
    const { taskId, log } = await liveTask(scene);
    for (let i = 0; i < 6; i++) await log.append([{ type: 'com.example.step', payload: { i, text: 'ä€😀\u2028"\\' } }]);
    const tail = log.nextSeq;
    const readers = Array.from({ length: tail }, (_, after) => readStream(after % 2 === 0 ? a : b, taskId, after));
    const all = readStream(a, taskId);
    await until(async () => (await openStreams(a)) + (await openStreams(b)) === tail + 1, 'all streams to be open');
    await log.append([{ type: 'com.example.step', payload: { i: 6 } }]);
    await log.appendStatus(DONE);
    const { params } = await all;
    expect(params).toHaveLength(tail + 2);
    for (const [after, reader] of readers.entries()) expect((await reader).params).toEqual(params.slice(after + 1));
  });
});

describe('limits', () => {
  test('one active stream of a task per connection: a second one there is refused, on another it is fine', async () => {
    const { taskId, log } = await liveTask(scene);
    const other = await liveTask(scene);
    const connection = await openConnection(a);
    // HTTP/1.1 answers in order: a second request on a connection can only be sent into the open response of the first.
    connection.socket.write(asBytes(asSent('tasks/stream', { taskId })));
    await connection.until((t) => t.includes('"seq":1'));
    const second = asSent('tasks/stream', { taskId, after: 0 });
    connection.socket.write(asBytes(second) + asBytes(asSent('tasks/stream', { taskId: other.taskId })));
    await until(async () => (await openStreams(a)) === 2, 'the stream of the other task');
    const elsewhere = readStream(a, taskId);
    const onOtherNode = readStream(b, taskId);
    await until(async () => (await openStreams(a)) === 3, 'the stream on another connection');
    await log.appendStatus(DONE);
    await other.log.appendStatus(DONE);
    expect(endOf(await elsewhere)).toMatchObject({ reason: 'terminal' });
    expect(endOf(await onOtherNode)).toMatchObject({ reason: 'terminal' });
    const text = await connection.until((t) => t.split('"resultType":"complete"').length === 3);
    const refused = text.split('HTTP/1.1 200 OK').find((answer) => answer.includes('"error"'));
    expect(JSON.parse(refused!.split('\r\n\r\n')[1]!)).toEqual({
      jsonrpc: '2.0',
      id: JSON.parse(second.body).id,
      error: {
        code: -32602,
        message: expect.stringContaining('already has an active tasks/stream'),
        data: { reason: 'stream_active', taskId },
      },
    });
    // The connection is as good as new: the same task again is no second stream.
    connection.socket.write(asBytes(asSent('tasks/stream', { taskId, after: 1 })));
    await connection.until((t) => t.split('"resultType":"complete"').length === 4);
    connection.socket.destroy();
  });

  test('a connection that goes with requests still waiting for their turn leaves no place taken', async () => {
    const [first, second] = [await liveTask(scene), await liveTask(scene)];
    const connection = await openConnection(a);
    connection.socket.write(
      asBytes(asSent('tasks/stream', { taskId: first.taskId })) +
        asBytes(asSent('tasks/stream', { taskId: second.taskId })),
    );
    await until(async () => (await openStreams(a)) === 2, 'both streams');
    connection.socket.destroy();
    await until(async () => (await openStreams(a)) === 0, 'both places to be free');
    // Nor is the task taken for one that has an active stream.
    expect((await readStream(a, second.taskId, undefined, { stop: () => true })).params).toHaveLength(1);
    for (const { log } of [first, second]) await log.appendStatus(DONE);
  });

  test('a client that goes while its stream is being opened leaves no place taken', async () => {
    const tasks = await Promise.all(Array.from({ length: 3 }, () => liveTask(scene)));
    scene.nats.server.kill('SIGSTOP');
    const connections = await Promise.all(tasks.map(() => openConnection(a)));
    tasks.forEach(({ taskId }, i) => connections[i]!.socket.write(asBytes(asSent('tasks/stream', { taskId }))));
    await new Promise((resolve) => setTimeout(resolve, 300));
    for (const { socket } of connections) socket.destroy();
    await new Promise((resolve) => setTimeout(resolve, 200));
    scene.nats.server.kill('SIGCONT');
    // Streams of the same tasks, which come after those in the queues of the store, are open.
    const readers = tasks.map(({ taskId }) => readStream(a, taskId));
    await until(async () => (await openStreams(a)) === tasks.length, 'only the streams that somebody reads');
    for (const { log } of tasks) await log.appendStatus(DONE);
    for (const reader of readers) expect(endOf(await reader)).toMatchObject({ reason: 'terminal' });
    await until(async () => (await openStreams(a)) === 0, 'all places to be free');
  });

  test.each([
    ['streamsPerOwnerMax', 'TASKSTREAM_STREAMS_PER_OWNER_MAX'],
    ['streamsMax', 'TASKSTREAM_STREAMS_MAX'],
  ])('%s: one more is refused by the name of the limit, until a place is free', async (limit, key) => {
    const small = await scene.frontEnd({ [key]: '2' });
    const tasks = await Promise.all(Array.from({ length: 3 }, () => liveTask(scene)));
    const stops = [new AbortController(), new AbortController()];
    const readers = stops.map(({ signal }, i) => readStream(small.endpoint, tasks[i]!.taskId, undefined, { signal }));
    await until(async () => (await openStreams(small.endpoint)) === 2, 'two streams');
    const ask = asSent('tasks/stream', { taskId: tasks[2]!.taskId });
    const refused = await send(small.endpoint, ask);
    expect(refused.status).toBe(200);
    expect(jsonRpc(refused).error).toMatchObject({ code: -32603, data: { reason: 'limit_reached', limit } });
    stops[0]!.abort();
    await until(async () => (await openStreams(small.endpoint)) === 1, 'a free place');
    await tasks[2]!.log.appendStatus(DONE);
    expect((await send(small.endpoint, ask)).text).toContain('"reason":"terminal"');
    stops[1]!.abort();
    await Promise.allSettled(readers);
    for (const { log } of tasks.slice(0, 2)) await log.appendStatus(DONE);
  });
});
