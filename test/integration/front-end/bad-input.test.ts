/**
 * Requests that are no good: each gets its answer from the protocol decisions, and changes nothing.
 */
import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { callTask, readStream, rpc } from '../../support/rpc.js';
import { createTask, runningTask } from '../../support/task-logs.js';
import { asBytes, asSent, jsonRpc, openConnection, openStreams, send, until, type Answer, type Sent } from './http.js';
import { IDLE_QUEUE, startScene, storedState, type Scene } from './scene.js';

const MODERN = {
  'content-type': 'application/json',
  accept: 'application/json, text/event-stream',
  'mcp-protocol-version': '2026-07-28',
};
const UNKNOWN_TASK = {
  code: -32602,
  message: 'Unknown task: it does not exist, has expired, or is not yours',
};

let scene: Scene;
let a: string;
/** A task that is over, one that runs for ever in the test's hands, and one that nobody has begun. */
let over: { taskId: string; params: string[] };
let live: { taskId: string; nextSeq: number };

beforeAll(async () => {
  scene = await startScene({ env: { TASKSTREAM_REQUEST_BYTES_MAX: '100000', TASKSTREAM_REFUSED_BODY_MS_MAX: '1000' } });
  a = scene.a.endpoint;
  const taskId = await callTask(a, 'count', { n: 3 });
  over = { taskId, params: (await readStream(a, taskId)).params };
  const { spec, log } = await runningTask(scene.own, { queue: IDLE_QUEUE });
  live = { taskId: spec.taskId, nextSeq: log.nextSeq };
});
afterAll(() => scene[Symbol.asyncDispose]());

let before: Record<string, string>;
beforeEach(async () => {
  before = await storedState(scene);
});
/** Whatever a test here sends, nothing was stored and no stream was left open. */
afterEach(async () => {
  expect(await storedState(scene)).toEqual(before);
  await until(async () => (await openStreams(a)) === 0, 'no open stream');
});

function expectError(answer: Answer, status: number, code: number, message: RegExp | string, id: unknown = null): void {
  expect({ status: answer.status, body: jsonRpc(answer) }).toEqual({
    status,
    body: {
      jsonrpc: '2.0',
      id,
      error: expect.objectContaining({ code, message: expect.stringMatching(message) }),
    },
  });
  expect(answer.headers['content-type']).toMatch(/^application\/json/);
}

const idOf = (sent: Sent & { body: string }): unknown => (JSON.parse(sent.body) as { id: unknown }).id;

describe('the cursor', () => {
  const message =
    /^Invalid params for tasks\/stream: after: .+ \(got (integer|number|string|null|object|boolean|array)\)$/;
  test.each([[-1], [-0.5], [1.5], ['3'], [''], [2 ** 60], [2 ** 53], [null], [true], [{}], [[1]]])(
    'after %j is refused by name and type, for any task',
    async (after) => {
      for (const taskId of [over.taskId, live.taskId]) {
        const read = await readStream(a, taskId, after as number);
        expect(read).toMatchObject({ status: 200, error: { code: -32602, message: expect.stringMatching(message) } });
        expect(read.error).not.toHaveProperty('data');
      }
    },
  );

  test.each([0, 1, 1_000, 2 ** 53 - 1 - 10])(
    '%i beyond the tail of a task that runs is ahead of it',
    async (beyond) => {
      for (const endpoint of [a, scene.b.endpoint]) {
        const read = await readStream(endpoint, live.taskId, live.nextSeq + beyond);
        expect(read).toMatchObject({
          status: 200,
          error: { code: -32602, data: { reason: 'cursor_ahead', taskId: live.taskId, nextSeq: live.nextSeq } },
        });
      }
    },
  );

  test('the last event of a task that runs is not ahead: it waits', async () => {
    const abort = new AbortController();
    const reading = readStream(a, live.taskId, live.nextSeq - 1, { signal: abort.signal });
    await until(async () => (await openStreams(a)) === 1, 'the stream');
    abort.abort();
    expect((await reading).params).toEqual([]);
  });

  test.each([0, 1, 1_000, 2 ** 53 - 1 - 100])(
    '%i beyond the tail of a task that is over is an empty result',
    async (beyond) => {
      const nextSeq = over.params.length;
      const read = await readStream(a, over.taskId, nextSeq - 1 + beyond);
      expect(read.params).toEqual([]);
      expect(read.result).toMatchObject({
        resultType: 'complete',
        _meta: { 'dev.taskstream/stream': { reason: 'terminal', status: 'completed', nextSeq } },
      });
    },
  );
});

describe('the task id', () => {
  const METHODS = ['tasks/get', 'tasks/cancel', 'tasks/update', 'tasks/stream'] as const;
  const ask = (method: string, taskId: unknown, endpoint = a) =>
    rpc(endpoint, method, { taskId, ...(method === 'tasks/update' && { inputResponses: { x: {} } }) });

  test.each(METHODS)('%s: unknown, foreign and expired tasks have one answer on every front end', async (method) => {
    const foreign = await createTask(scene.own, { owner: 'somebody-else', queue: IDLE_QUEUE });
    const expired = await createTask(scene.own, {
      createdAt: new Date(Date.now() - 3_600_000).toISOString(),
      ttlMs: 3_599_000,
      queue: IDLE_QUEUE,
    });
    before = await storedState(scene);
    // Ids of a class and of shards that have no stream are as unknown as any other, and as soon.
    const random = '0123456789abcdefghijkl';
    const nobody = ['d0', 'h0', 'd9', 'd9999', 'zzz0'].map((place) => `${place}-${random}`);
    const ids = [foreign.taskId, expired.taskId, ...nobody];
    for (const endpoint of [a, scene.b.endpoint]) {
      for (const taskId of ids) {
        const answer = await ask(method, taskId, endpoint);
        expect({ status: answer.status, error: answer.error }).toEqual({ status: 200, error: UNKNOWN_TASK });
      }
    }
  });

  test.each(METHODS)('%s: an id that cannot be one is unknown as well', async (method) => {
    const shapes = [
      'nope',
      'x'.repeat(10_000),
      `d0-${'x'.repeat(10_000)}`,
      'd0-../../../../etc/passwd',
      'd0.>',
      '*',
      ' ',
    ];
    for (const taskId of [...shapes, `${over.taskId} `, over.taskId.toUpperCase(), `${over.taskId}x`]) {
      const sent = asSent(method, { taskId, ...(method === 'tasks/update' && { inputResponses: {} }) });
      // Long and padded names go behind the sentinel, as a client would send them.
      const name = `=?base64?${Buffer.from(taskId).toString('base64')}?=`;
      const headers = { ...sent.headers, 'mcp-name': name.length > 8_000 ? undefined : name };
      if (method !== 'tasks/stream' && headers['mcp-name'] === undefined) continue;
      expectError(await send(a, { ...sent, headers }), 200, -32602, UNKNOWN_TASK.message, idOf(sent));
    }
  });

  test.each(METHODS)('%s: an id that is no string is refused by the name of the field', async (method) => {
    for (const taskId of [7, null, {}, ['d0'], true, undefined]) {
      const answer = await ask(method, taskId);
      expect(answer).toMatchObject({
        status: 200,
        error: { code: -32602, message: expect.stringContaining('taskId') },
      });
    }
    const empty = await ask(method, '');
    expect(empty).toMatchObject({ status: 200, error: { code: -32602 } });
  });
});

describe('the body', () => {
  const post = (body: string | Buffer, headers: Record<string, string | undefined> = {}) =>
    send(a, { headers: { ...MODERN, ...headers }, body });

  test.each([['{"jsonrpc":'], ['nonsense'], [''], ['{}{}'], ["{'a':1}"], ['\u0000'], ['[1,]']])(
    'that is not JSON is a parse error: %j',
    async (body) => expectError(await post(body), 400, -32700, /not valid JSON/),
  );

  test.each([257, 10_000, 40_000])('that is nested %i levels deep is a parse error', async (depth) => {
    const { body, ...sent } = asSent('tools/call', { name: 'unserved', arguments: { text: '$DEEP' } });
    const levels = depth - 3;
    const deep = body.replace('"$DEEP"', '['.repeat(levels) + ']'.repeat(levels));
    expectError(await send(a, { ...sent, body: deep }), 400, -32700, /at most 256 levels/);
    expectError(await post('['.repeat(depth) + ']'.repeat(depth)), 400, -32700, /at most 256 levels/);
  });

  test('that is not UTF-8 gets an answer', async () => {
    expectError(await post(Buffer.from([0xff, 0xfe, 0x00])), 400, -32700, /not valid JSON/);
  });

  test.each([
    ['3'],
    ['null'],
    ['"text"'],
    ['{}'],
    ['{"jsonrpc":"2.0"}'],
    ['{"jsonrpc":"1.0","id":1,"method":"tasks/get"}'],
    ['{"jsonrpc":"2.0","id":null,"method":"tasks/get","params":{}}'],
    ['{"jsonrpc":"2.0","id":{},"method":"tasks/stream","params":{}}'],
    ['{"jsonrpc":"2.0","id":1.5,"method":"tasks/stream","params":{}}'],
    ['{"jsonrpc":"2.0","id":1,"method":7}'],
  ])('that is not a message is an invalid request: %s', async (body) => {
    const answer = await post(body);
    expect(answer.status).toBe(400);
    expect(jsonRpc(answer)).toMatchObject({ jsonrpc: '2.0', error: { code: expect.any(Number) } });
    expect([-32600, -32602]).toContain(jsonRpc(answer).error!.code);
  });

  test('that is a batch is an invalid request, and nothing in it is done', async () => {
    const create = JSON.parse(asSent('tools/call', { name: 'unserved', arguments: {} }).body) as object;
    const stream = JSON.parse(asSent('tasks/stream', { taskId: over.taskId }).body) as object;
    for (const batch of [[], [create], [stream], [create, stream]]) {
      expectError(await post(JSON.stringify(batch)), 400, -32600, /batch/);
    }
  });

  test.each([100_001, 5_000_000])('of %i bytes is too large, and the client can read that', async (bytes) => {
    for (let i = 0; i < 5; i++) {
      const answer = await post(`"${'x'.repeat(bytes - 2)}"`);
      expectError(answer, 413, -32600, /the body may have 100000 bytes/);
    }
  });

  test('that is too large leaves the connection usable', async () => {
    const connection = await openConnection(a);
    const large = `"${'x'.repeat(1_000_000)}"`;
    connection.socket.write(
      asBytes({ headers: MODERN, body: large }) + asBytes(asSent('tasks/get', { taskId: over.taskId })),
    );
    const text = await connection.until((t) => t.includes('"completed"'));
    expect(text).toContain('HTTP/1.1 413');
    connection.socket.destroy();
  });

  test('that is too large and has no end is answered, read for a bounded time, and cut', async () => {
    const { hostname, port } = new URL(a);
    const socket = connect(Number(port), hostname);
    let text = '';
    let closed = false;
    socket.on('data', (chunk: Buffer) => (text += chunk.toString()));
    socket.on('error', () => undefined);
    socket.once('close', () => (closed = true));
    const headers = Object.entries(MODERN).map(([k, v]) => `${k}: ${v}\r\n`);
    socket.write(`POST /mcp HTTP/1.1\r\nhost: 127.0.0.1\r\ntransfer-encoding: chunked\r\n${headers.join('')}\r\n`);
    const endless = setInterval(() => socket.write(`4000\r\n${'x'.repeat(0x4000)}\r\n`), 10);
    await until(() => text.includes('\r\n\r\n{'), 'an answer');
    expect(text).toContain('HTTP/1.1 413');
    await until(() => closed, 'the cut');
    clearInterval(endless);
  });

  test('that is below the limit is served', async () => {
    const sent = asSent('tasks/get', { taskId: over.taskId, padding: 'x'.repeat(90_000) });
    expect(jsonRpc(await send(a, sent)).result).toMatchObject({ status: 'completed' });
  });
});

describe('the headers', () => {
  const stream = () => asSent('tasks/stream', { taskId: over.taskId });
  const withHeaders = (sent: Sent & { body: string }, headers: Record<string, string | undefined>) => ({
    ...sent,
    headers: { ...sent.headers, ...headers },
  });

  test.each([['text/plain'], ['application/x-www-form-urlencoded'], [undefined], ['application/jsonp'], ['json']])(
    'content type %s is not served, whatever the method',
    async (type) => {
      for (const sent of [stream(), asSent('tasks/get', { taskId: over.taskId })]) {
        expectError(await send(a, withHeaders(sent, { 'content-type': type })), 415, -32000, /Unsupported Media Type/);
      }
    },
  );

  test.each([['application/json; charset=utf-8'], ['Application/JSON']])('content type %s is JSON', async (type) => {
    expect((await send(a, withHeaders(stream(), { 'content-type': type }))).status).toBe(200);
  });

  test.each([['application/json'], ['text/html'], ['application/json, text/html;q=0.9']])(
    'accept %s cannot take a stream',
    async (accept) => {
      const sent = stream();
      expectError(await send(a, withHeaders(sent, { accept })), 406, -32000, /text\/event-stream/, idOf(sent));
    },
  );

  test.each([
    ['text/event-stream'],
    ['*/*'],
    ['application/json;q=0.5,TEXT/EVENT-STREAM;q=1'],
    ['text/*'],
    [undefined],
  ])('accept %s can take a stream', async (accept) => {
    const answer = await send(a, withHeaders(stream(), { accept }));
    expect(answer.headers['content-type']).toBe('text/event-stream');
  });

  test.each(['tasks/stream', 'tasks/get'])('%s: the standard headers are required and must agree', async (method) => {
    const sent = asSent(method, { taskId: over.taskId });
    const cases: Array<[Record<string, string | undefined>, RegExp]> = [
      [{ 'mcp-method': undefined }, /Mcp-Method header is absent/],
      [{ 'mcp-method': 'tasks/cancel' }, /Mcp-Method header names tasks\/cancel/],
      [{ 'mcp-method': `${method}, ${method}` }, /Mcp-Method header names/],
      [{ 'mcp-protocol-version': undefined }, /MCP-Protocol-Version header is absent/],
      [{ 'mcp-protocol-version': '1999-01-01' }, /MCP-Protocol-Version header names 1999-01-01/],
      [{ 'mcp-name': live.taskId }, /Mcp-Name/],
      [{ 'mcp-name': '' }, /Mcp-Name/],
      [{ 'mcp-name': '=?base64?$$$?=' }, /Mcp-Name/],
      [{ 'mcp-name': '=?base64?/w==?=' }, /Mcp-Name/],
      [{ 'mcp-name': `=?base64?${Buffer.from(live.taskId).toString('base64')}?=` }, /Mcp-Name/],
    ];
    for (const [headers, message] of cases) {
      expectError(await send(a, withHeaders(sent, headers)), 400, -32020, message, idOf(sent));
    }
  });

  test('a mismatch is said before a missing capability, as for the methods of the SDK', async () => {
    for (const method of ['tasks/stream', 'tasks/get']) {
      const sent = asSent(method, { taskId: over.taskId }, { capabilities: {} });
      expectError(await send(a, withHeaders(sent, { 'mcp-name': 'other' })), 400, -32020, /Mcp-Name/, idOf(sent));
      expectError(await send(a, sent), 400, -32021, /capability/, idOf(sent));
    }
  });

  test('Mcp-Name of tasks/stream may be absent, plain, padded, or behind the sentinel', async () => {
    const encoded = `=?base64?${Buffer.from(over.taskId).toString('base64')}?=`;
    for (const name of [undefined, over.taskId, `  ${over.taskId}\t`, encoded, ` ${encoded} `]) {
      const answer = await send(a, withHeaders(stream(), { 'mcp-name': name }));
      expect(answer.text).toContain('"reason":"terminal"');
    }
  });

  test('Mcp-Name of tasks/get is required', async () => {
    const sent = asSent('tasks/get', { taskId: over.taskId });
    expectError(await send(a, withHeaders(sent, { 'mcp-name': undefined })), 400, -32020, /Mcp-Name/, idOf(sent));
  });

  test.each(['tasks/stream', 'tasks/get', 'server/discover'])('%s of a revision that is not served', async (method) => {
    for (const version of ['1999-01-01', '2027-01-01', 'draft']) {
      const meta = { 'io.modelcontextprotocol/protocolVersion': version };
      const sent = asSent(method, { taskId: over.taskId }, { meta, headers: { 'mcp-protocol-version': version } });
      const answer = await send(a, sent);
      expectError(answer, 400, -32022, /Unsupported protocol version/, idOf(sent));
      expect(jsonRpc(answer).error!.data).toEqual({ supported: ['2026-07-28'], requested: version });
    }
  });

  test.each(['tasks/stream', 'tasks/get'])('%s without its envelope is refused by what is missing', async (method) => {
    const sent = asSent(method, { taskId: over.taskId });
    const body = { jsonrpc: '2.0', id: 'no-envelope', method };
    for (const params of [{ taskId: over.taskId }, { taskId: over.taskId, _meta: {} }]) {
      const answer = await send(a, { ...sent, body: JSON.stringify({ ...body, params }) });
      expectError(answer, 400, -32602, /_meta|envelope/, 'no-envelope');
    }
  });

  test.each(['evil.example', 'evil.example:80', '127.0.0.1.evil.example', ''])(
    'host %j is not served',
    async (host) => {
      for (const [method, path] of [
        ['POST', '/mcp'],
        ['GET', '/mcp'],
        ['GET', `/tasks/${over.taskId}/events`],
      ] as const) {
        const sent = method === 'POST' ? stream() : { headers: {}, body: '' };
        const connection = await openConnection(a);
        const headers = { ...sent.headers, host, connection: 'close' };
        connection.socket.write(asBytes({ ...sent, method, path, headers }));
        await connection.ended;
        expect(connection.text()).toMatch(/^HTTP\/1\.1 403 /);
        expect(connection.text()).toContain('"jsonrpc":"2.0"');
        expect(connection.text()).not.toContain('event-stream');
      }
    },
  );

  test.each(['http://evil.example', 'null', 'nonsense', 'https://127.0.0.1.evil.example'])(
    'origin %s is not served',
    async (origin) => expectError(await send(a, withHeaders(stream(), { origin })), 403, -32000, /Origin/),
  );

  test('the loopback origin is served', async () => {
    const answer = await send(a, withHeaders(stream(), { origin: 'http://localhost:5173' }));
    expect(answer.headers['content-type']).toBe('text/event-stream');
  });
});

describe('the method and the path', () => {
  test.each(['GET', 'DELETE'])('%s /mcp is not allowed', async (method) => {
    for (const headers of [{}, { ...MODERN, accept: 'text/event-stream' }]) {
      const answer = await send(a, { method, headers });
      expectError(answer, 405, -32000, /Method not allowed/);
      expect(answer.headers['allow']).toBe('POST');
    }
  });

  test.each(['PUT', 'PATCH', 'OPTIONS'])('%s /mcp does nothing', async (method) => {
    const body = asSent('tools/call', { name: 'unserved', arguments: {} }).body;
    expect([400, 404, 405]).toContain((await send(a, { method, headers: MODERN, body })).status);
  });

  test.each(['tasks/list', 'tasks/result', 'initialize', 'resources/list', 'nonsense', '__proto__', 'tasks/streams'])(
    'the method %s does not exist in this revision',
    async (method) => {
      const sent = asSent(method, { taskId: over.taskId });
      expectError(await send(a, sent), 404, -32601, /Method not found/, idOf(sent));
    },
  );

  test.each(['/', '/mcp/', '/mcp/x', '/tasks', '/..%2fmcp', '/%zz'])('POST %s does nothing', async (path) => {
    const { status } = await send(a, { ...asSent('tools/call', { name: 'unserved', arguments: {} }), path });
    expect([400, 404]).toContain(status);
  });
});

test('a client that sends half a request and waits does not hold up others', async () => {
  const sent = asBytes(asSent('tasks/stream', { taskId: over.taskId }));
  const half = await Promise.all(Array.from({ length: 20 }, () => openConnection(a)));
  for (const { socket } of half) socket.write(sent.slice(0, sent.length - 20));
  await delay(100);
  expect((await readStream(a, over.taskId)).params).toEqual(over.params);
  for (const { socket } of half) socket.write(sent.slice(sent.length - 20));
  for (const connection of half) {
    await connection.until((t) => t.includes('"reason":"terminal"'));
    connection.socket.destroy();
  }
});
