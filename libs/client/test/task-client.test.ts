import { describe, expect, it } from 'vitest';
import type { TaskClientOptions } from '../src/api.js';
import type { Notice } from '../src/notices.js';
import { createTaskClient } from '../src/task-client.js';
import { FakeServer, TASK, task, type Handler } from './support/fake-server.js';
import { FAST, latch, serve } from './support/with-server.js';

const created: Handler = (_request, reply) => reply.json(task('working', { resultType: 'task' }));
const text = (value: string): Record<string, unknown> => ({ content: [{ type: 'text', text: value }] });

function client(
  server: FakeServer | readonly string[],
  options: Partial<TaskClientOptions> = {},
): ReturnType<typeof createTaskClient> {
  const endpoints = server instanceof FakeServer ? [server.url] : server;
  return createTaskClient({ endpoints, ...options, limits: { ...FAST, ...options.limits } });
}

describe('callTool', () => {
  it('gives the result of a tool that answers at once', async () => {
    const server = await serve({ 'tools/call': (_request, reply) => reply.json({ ...text('hi'), extra: 1 }) });
    const handle = await client(server).callTool('greet', { name: 'Ada' });
    expect(handle).toMatchObject({ taskId: undefined, immediate: { ...text('hi'), extra: 1 } });
    await expect(handle.result()).resolves.toBe(handle.immediate);
    const items = [];
    for await (const item of handle.events()) items.push(item);
    expect(items).toEqual([]);
    await expect(handle.events().outcome).resolves.toMatchObject({ status: 'completed' });
    await expect(handle.status()).resolves.toBeUndefined();
    expect(server.requests).toHaveLength(1);
    expect(server.requests[0]).toMatchObject({
      params: { name: 'greet', arguments: { name: 'Ada' } },
      headers: { 'mcp-method': 'tools/call', 'mcp-name': 'greet' },
    });
  });

  it('reads an answer that comes as an event stream', async () => {
    const server = await serve({
      'tools/call': ({ id }, reply) => {
        reply.sse().message({ jsonrpc: '2.0', method: 'notifications/progress', params: { progress: 1 } });
        reply.message({ jsonrpc: '2.0', id, result: text('late') }).response.end();
      },
    });
    const handle = await client(server).callTool('greet');
    expect(handle.immediate).toEqual(text('late'));
  });

  it('follows a task and waits for its result', async () => {
    const server = await serve({
      'tools/call': created,
      'tasks/stream': (_request, reply) => reply.sse().event(0).event(1).terminal(2),
    });
    const handle = await client(server).callTool('slow');
    expect(handle.taskId).toBe(TASK);
    const seqs = [];
    for await (const item of handle.events()) if (item.type === 'event') seqs.push(item.event.seq);
    expect(seqs).toEqual([0, 1]);
    const asked = server.calls('tasks/get').length;
    await expect(handle.result()).resolves.toEqual(text('done'));
    // The follow has learnt it already.
    expect(server.calls('tasks/get')).toHaveLength(asked);
  });

  it('polls for the result without events', async () => {
    const server = await serve({
      'tools/call': created,
      'tasks/get': (_request, reply, count) => reply.json(task(count < 3 ? 'working' : 'completed')),
    });
    const handle = await client(server).callTool('slow');
    const results = await Promise.all([handle.result(), handle.result()]);
    expect(results).toEqual([text('done'), text('done')]);
    expect(server.calls('tasks/get')).toHaveLength(3);
  });

  it('throws task_failed and task_cancelled', async () => {
    const end = (status: string): Promise<FakeServer> =>
      serve({ 'tools/call': created, 'tasks/get': (_request, reply) => reply.json(task(status)) });
    const failed = await client(await end('failed')).callTool('slow');
    await expect(failed.result()).rejects.toMatchObject({
      code: 'task_failed',
      details: { error: { code: -32603, message: 'broken' } },
    });
    const cancelled = await client(await end('cancelled')).callTool('slow');
    await expect(cancelled.result()).rejects.toMatchObject({ code: 'task_cancelled' });
    await expect(cancelled.outcome()).resolves.toMatchObject({ status: 'cancelled' });
  });

  it('stops waiting when the signal aborts, and goes on for others', async () => {
    let over = false;
    const server = await serve({
      'tools/call': created,
      'tasks/get': (_request, reply) => reply.json(task(over ? 'completed' : 'working')),
    });
    const handle = await client(server).callTool('slow');
    const controller = new AbortController();
    const first = handle.result({ signal: controller.signal });
    const second = handle.result();
    controller.abort();
    await expect(first).rejects.toMatchObject({ code: 'aborted' });
    over = true;
    await expect(second).resolves.toEqual(text('done'));
  });

  it('refuses a result type that it does not know', async () => {
    const server = await serve({ 'tools/call': (_request, reply) => reply.json({ resultType: 'later' }) });
    await expect(client(server).callTool('x')).rejects.toMatchObject({ code: 'unknown_result_type' });
  });

  it('names what is wrong with a result', async () => {
    const server = await serve({ 'tools/call': (_request, reply) => reply.json({ resultType: 'task', taskId: 7 }) });
    await expect(client(server).callTool('x')).rejects.toThrow('task.taskId: expected a non-empty string, got integer');
  });

  it('repeats a call only with an idempotency key', async () => {
    const flaky: Handler = (_request, reply, count) => {
      if (count === 1) reply.response.destroy();
      else reply.json(text('once'));
    };
    const server = await serve({ 'tools/call': flaky });
    await expect(client(server).callTool('pay')).rejects.toMatchObject({ code: 'maybe_executed', retryable: false });
    expect(server.calls('tools/call')).toHaveLength(1);
    const again = await serve({ 'tools/call': flaky });
    const handle = await client(again).callTool('pay', {}, { idempotencyKey: 'order-1' });
    expect(handle.immediate).toEqual(text('once'));
    expect(again.calls('tools/call').map(({ params }) => params['_meta'])).toEqual([
      expect.objectContaining({ 'dev.taskstream/idempotencyKey': 'order-1' }),
      expect.objectContaining({ 'dev.taskstream/idempotencyKey': 'order-1' }),
    ]);
    expect(again.requests[0]?.id).not.toBe(again.requests[1]?.id);
  });

  it('repeats a call that was refused before it was executed', async () => {
    const busy = await serve({ 'tools/call': (_request, reply) => reply.http(503) });
    const free = await serve({
      'tools/call': (_request, reply, count) => (count === 1 ? reply.http(429) : reply.json(text('ok'))),
    });
    const notices: Notice[] = [];
    const handle = await client([busy.url, free.url], { onNotice: (notice) => notices.push(notice) }).callTool('x');
    expect(handle.immediate).toEqual(text('ok'));
    expect(notices.map(({ type }) => type)).toEqual(['endpoint-failed', 'retrying-request', 'retrying-request']);
  });

  it('does not repeat what a gateway gave up on', async () => {
    const server = await serve({ 'tools/call': (_request, reply) => reply.http(504) });
    await expect(client(server).callTool('x')).rejects.toMatchObject({ code: 'maybe_executed' });
    expect(server.requests).toHaveLength(1);
  });

  it('gives the code and the data of a JSON-RPC error', async () => {
    const server = await serve({ 'tools/call': (_request, reply) => reply.error(-32602, { field: 'name' }) });
    await expect(client(server).callTool('x')).rejects.toMatchObject({
      code: 'rpc_error',
      details: { rpcCode: -32602, field: 'name' },
    });
  });

  it('gives up on a server that does not answer', async () => {
    const server = await serve({ 'tools/call': () => undefined });
    const limits = { callTimeoutMs: 300, requestAttemptsMax: 2 };
    await expect(client(server, { limits }).callTool('x', {}, { idempotencyKey: 'k' })).rejects.toMatchObject({
      code: 'unavailable',
    });
    expect(server.requests).toHaveLength(2);
  });

  it('can be aborted', async () => {
    const controller = new AbortController();
    const server = await serve({ 'tools/call': () => controller.abort() });
    await expect(client(server).callTool('x', {}, { signal: controller.signal })).rejects.toMatchObject({
      code: 'aborted',
    });
  });

  it.each([
    [() => ['', {}], 'name'],
    [() => ['x', []], 'args'],
    [() => ['x', {}, { idempotencyKey: '' }], 'idempotencyKey'],
  ] as const)('refuses arguments that are not valid, by name', async (args, name) => {
    const call = args() as unknown as Parameters<ReturnType<typeof createTaskClient>['callTool']>;
    await expect(client(['http://127.0.0.1:1/mcp']).callTool(...call)).rejects.toThrow(`${name}: expected`);
  });
});

describe('tasks', () => {
  it('gets, cancels, updates and deletes', async () => {
    const ack: Handler = (_request, reply) => reply.json({ resultType: 'complete' });
    const server = await serve({ 'tasks/cancel': ack, 'tasks/update': ack, 'dev.taskstream/delete': ack });
    const tasks = client(server);
    await expect(tasks.getTask(TASK)).resolves.toMatchObject({ taskId: TASK, status: 'completed' });
    await tasks.cancelTask(TASK);
    await tasks.updateTask(TASK, { q: { action: 'accept' } });
    await tasks.deleteTask(TASK);
    expect(server.requests.map(({ method, headers }) => [method, headers['mcp-method'], headers['mcp-name']])).toEqual([
      ['tasks/get', 'tasks/get', TASK],
      ['tasks/cancel', 'tasks/cancel', TASK],
      ['tasks/update', 'tasks/update', TASK],
      ['dev.taskstream/delete', 'dev.taskstream/delete', TASK],
    ]);
    expect(server.requests[2]?.params).toMatchObject({ taskId: TASK, inputResponses: { q: { action: 'accept' } } });
  });

  it('steers, pauses and resumes', async () => {
    const ack: Handler = (_request, reply) => reply.json({ resultType: 'complete' });
    const methods = ['steer', 'pause', 'resume'].map((name) => `dev.taskstream/${name}`);
    const server = await serve(Object.fromEntries(methods.map((method) => [method, ack])));
    const handle = client(server).task(TASK);
    await handle.steer('left', { degrees: 9 });
    await handle.pause();
    await handle.resume();
    expect(server.requests.map(({ method, headers }) => [method, headers['mcp-name']])).toEqual(
      methods.map((method) => [method, TASK]),
    );
    expect(server.requests[0]?.params).toMatchObject({ taskId: TASK, message: 'left', data: { degrees: 9 } });
    expect(server.requests[1]?.params).not.toHaveProperty('message');
    await expect(handle.steer('')).rejects.toThrow('message: expected');
    await expect(handle.steer('x', [] as never)).rejects.toThrow('data: expected');
    expect(server.requests).toHaveLength(3);
  });

  it('sends a pause again whose answer was lost, but no steer', async () => {
    const cutOnce: Handler = (_request, reply, count) => {
      if (count === 1) reply.response.destroy();
      else reply.json({ resultType: 'complete' });
    };
    const server = await serve({ 'dev.taskstream/pause': cutOnce, 'dev.taskstream/steer': cutOnce });
    const tasks = client(server);
    await tasks.pauseTask(TASK);
    await expect(tasks.steerTask(TASK, 'left')).rejects.toMatchObject({ code: 'maybe_executed' });
    expect(server.requests.map(({ method }) => method.slice('dev.taskstream/'.length))).toEqual([
      'pause',
      'pause',
      'steer',
    ]);
  });

  it('takes a refusal that gives a reason for what it is, not for an unknown task', async () => {
    const server = await serve({
      'dev.taskstream/pause': (_request, reply) => reply.error(-32602, { reason: 'not_pausable' }),
    });
    await expect(client(server).pauseTask(TASK)).rejects.toMatchObject({
      code: 'rpc_error',
      details: { reason: 'not_pausable' },
    });
  });

  it('encodes a task id that a header cannot carry', async () => {
    const server = await serve({ 'tasks/get': ({ params }, reply) => reply.json(task('working', params)) });
    await client(server).getTask('Aufgabe-ä');
    expect(server.requests[0]?.headers['mcp-name']).toBe('=?base64?QXVmZ2FiZS3DpA==?=');
  });

  it('says unknown_task for -32602, and refuses an empty id', async () => {
    const server = await serve({ 'tasks/get': (_request, reply) => reply.error(-32602) });
    await expect(client(server).getTask('other')).rejects.toMatchObject({ code: 'unknown_task' });
    await expect(client(server).getTask('')).rejects.toMatchObject({ code: 'invalid_argument' });
  });

  it('tries again where that is safe', async () => {
    const server = await serve({
      'tasks/get': (_request, reply, count) => {
        if (count === 1) reply.response.destroy();
        else if (count === 2) reply.body(200, '{"jsonrpc":"2.0"');
        else if (count === 3) reply.error(-32603, { reason: 'temporarily_unavailable' });
        else reply.json(task('working'));
      },
    });
    await expect(client(server).getTask(TASK)).resolves.toMatchObject({ status: 'working' });
    expect(server.requests).toHaveLength(4);
  });
});

describe('questions', () => {
  const question = { method: 'elicitation/create', params: { message: 'Sure?' } };

  it('asks the application once a key and sends the answers', async () => {
    const answers: unknown[] = [];
    const server = await serve({
      'tools/call': created,
      'tasks/get': (_request, reply) => {
        const inputRequests = answers.length === 0 ? { a: question } : { b: question };
        reply.json(answers.length < 2 ? task('input_required', { inputRequests }) : task('completed'));
      },
      'tasks/update': ({ params }, reply) => {
        answers.push(params['inputResponses']);
        reply.json({});
      },
    });
    const asked: string[] = [];
    const handle = await client(server, {
      onInputRequest: (key, request, { taskId }) => {
        asked.push(`${taskId ?? ''} ${key} ${String(request.params['message'])}`);
        return { action: 'accept', content: { key } };
      },
    }).callTool('confirm');
    await expect(handle.result()).resolves.toEqual(text('done'));
    expect(asked).toEqual([`${TASK} a Sure?`, `${TASK} b Sure?`]);
    expect(answers).toEqual([
      { a: { action: 'accept', content: { key: 'a' } } },
      { b: { action: 'accept', content: { key: 'b' } } },
    ]);
    const capabilities = server.requests.map(({ params }) => params['_meta'] as Record<string, unknown>);
    for (const meta of capabilities) {
      expect(meta['io.modelcontextprotocol/clientCapabilities']).toHaveProperty('elicitation');
    }
  });

  it('asks while the events are iterated', async () => {
    const answer = latch();
    let over = false;
    const server = await serve({
      'tools/call': created,
      'tasks/get': (_request, reply) =>
        reply.json(over ? task('completed') : task('input_required', { inputRequests: { a: question } })),
      'tasks/update': (_request, reply) => {
        over = true;
        reply.json({});
        answer.open();
      },
      'tasks/stream': async (_request, reply) => {
        reply.sse().event(0);
        await answer.opened;
        reply.event(1).terminal(2);
      },
    });
    const handle = await client(server).callTool('confirm', {}, { onInputRequest: () => ({ action: 'decline' }) });
    const seqs = [];
    for await (const item of handle.events()) if (item.type === 'event') seqs.push(item.event.seq);
    expect(seqs).toEqual([0, 1]);
    expect(server.calls('tasks/update')).toHaveLength(1);
  });

  it('withdraws a question that was answered elsewhere', async () => {
    let withdrawn = false;
    const server = await serve({
      'tasks/get': (_request, reply, count) => {
        if (count === 1) reply.json(task('input_required', { inputRequests: { a: question } }));
        else reply.json(task(withdrawn ? 'completed' : 'working'));
      },
    });
    const handle = client(server).task(TASK, {
      onInputRequest: (_key, _request, { signal }) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => {
            withdrawn = true;
            reject(new Error('withdrawn'));
          });
        }),
    });
    await expect(handle.result()).resolves.toEqual(text('done'));
    expect(server.calls('tasks/update')).toEqual([]);
  });

  it('gives an error of the callback to whoever waits', async () => {
    const server = await serve({
      'tasks/get': (_request, reply) => reply.json(task('input_required', { inputRequests: { a: question } })),
      'tasks/stream': (_request, reply) => void reply.sse(),
    });
    const handle = client(server).task(TASK, {
      onInputRequest: () => {
        throw new Error('no terminal');
      },
    });
    const expected = { code: 'callback_failed', cause: new Error('no terminal') };
    await expect(handle.result()).rejects.toMatchObject(expected);
    await expect(handle.events().next()).rejects.toMatchObject(expected);
  });

  it('answers questions of a call and sends the state back', async () => {
    const server = await serve({
      'tools/call': (_request, reply, count) => {
        if (count === 1) {
          reply.json({ resultType: 'input_required', inputRequests: { q: question }, requestState: 'opaque' });
        } else if (count === 2) reply.json({ resultType: 'input_required', requestState: 'more' });
        else reply.json(text('ok'));
      },
    });
    const handle = await client(server, { onInputRequest: () => ({ action: 'accept' }) }).callTool('x', { a: 1 });
    expect(handle.immediate).toEqual(text('ok'));
    const [first, second, third] = server.requests.map(({ params, id }) => ({ ...params, id, _meta: undefined }));
    expect(second).toEqual({
      ...first,
      id: second?.id,
      inputResponses: { q: { action: 'accept' } },
      requestState: 'opaque',
    });
    expect(third).toEqual({ ...first, id: third?.id, requestState: 'more' });
    expect(new Set(server.requests.map(({ id }) => id)).size).toBe(3);
  });

  it('fails with input_unanswered without a callback, and after too many rounds', async () => {
    const server = await serve({
      'tools/call': (_request, reply) => reply.json({ resultType: 'input_required', inputRequests: { q: question } }),
    });
    await expect(client(server).callTool('x')).rejects.toMatchObject({ code: 'input_unanswered' });
    const asking = client(server, { onInputRequest: () => ({}), limits: { inputRoundsMax: 3 } });
    await expect(asking.callTool('x')).rejects.toMatchObject({ code: 'input_unanswered' });
    expect(server.requests).toHaveLength(4);
  });
});

describe('tools', () => {
  const tool = (name: string, header?: unknown): Record<string, unknown> => ({
    name,
    inputSchema: {
      type: 'object',
      properties: { region: { type: 'string', ...(header !== undefined && { 'x-mcp-header': header }) } },
    },
  });

  it('reads all pages and leaves out tools that are not valid', async () => {
    const server = await serve({
      'tools/list': ({ params }, reply) =>
        reply.json(
          params['cursor'] === 'p2'
            ? { tools: [tool('c')] }
            : { tools: [tool('a', 'Region'), tool('b', 'not a name')], nextCursor: 'p2' },
        ),
    });
    const notices: Notice[] = [];
    const tools = await client(server, { onNotice: (notice) => notices.push(notice) }).listTools();
    expect(tools.map(({ name }) => name)).toEqual(['a', 'c']);
    expect(notices).toEqual([
      { type: 'tool-rejected', tool: 'b', message: 'The tool is left out: an x-mcp-header is not a header name' },
    ]);
  });

  it('bounds the pages', async () => {
    const server = await serve({
      'tools/list': (_request, reply) => reply.json({ tools: [], nextCursor: 'again' }),
    });
    await expect(client(server, { limits: { toolPagesMax: 3 } }).listTools()).rejects.toMatchObject({
      code: 'protocol_fault',
    });
    expect(server.requests).toHaveLength(3);
  });

  it('mirrors parameters, and lists the tools again after a mismatch', async () => {
    const server = await serve({
      'tools/list': (_request, reply) => reply.json({ tools: [tool('sql', 'Region')] }),
      'tools/call': ({ headers }, reply) =>
        headers['mcp-param-region'] === undefined ? reply.error(-32020, undefined, 400) : reply.json(text('ok')),
    });
    const tools = client(server);
    const handle = await tools.callTool('sql', { region: 'zürich' });
    expect(handle.immediate).toEqual(text('ok'));
    expect(server.requests.map(({ method }) => method)).toEqual(['tools/call', 'tools/list', 'tools/call']);
    expect(server.requests[2]?.headers['mcp-param-region']).toBe('=?base64?esO8cmljaA==?=');
    await tools.callTool('sql', { region: 'us-west1' });
    expect(server.requests[3]?.headers['mcp-param-region']).toBe('us-west1');
  });

  it('does not list for ever', async () => {
    const server = await serve({
      'tools/list': (_request, reply) => reply.json({ tools: [] }),
      'tools/call': (_request, reply) => reply.error(-32020, undefined, 400),
    });
    await expect(client(server).callTool('x')).rejects.toMatchObject({
      code: 'rpc_error',
      details: { rpcCode: -32020 },
    });
    expect(server.requests).toHaveLength(3);
  });
});
