import { describe, expect, it } from 'vitest';
import type { TaskClientOptions } from '../src/api.js';
import type { Notice } from '../src/notices.js';
import { createTaskClient } from '../src/task-client.js';
import { TASK, task, type FakeServer, type Handler, type Received } from './support/fake-server.js';
import { FAST, latch, runFollow, serve } from './support/with-server.js';

const REFUSED = { code: -32000, message: 'Bad Request: Unsupported protocol version' };
const text = (value: string): Record<string, unknown> => ({ content: [{ type: 'text', text: value }] });

const old = (status: string, over: Record<string, unknown> = {}): Record<string, unknown> => ({
  taskId: TASK,
  status,
  createdAt: '2026-01-01T00:00:00Z',
  lastUpdatedAt: '2026-01-01T00:00:00Z',
  ttl: 60_000,
  pollInterval: 1,
  ...over,
});

/** A server of 2025-11-25 that knows nothing newer. It forgets sessions when told to. */
async function older(handlers: Readonly<Record<string, Handler>>): Promise<{ server: FakeServer; forget: () => void }> {
  let sessions = 0;
  let known = new Set<string>();
  const guarded = (handler: Handler): Handler => {
    return (request, reply, count) => {
      const session = request.headers['mcp-session-id'];
      if (request.headers['mcp-protocol-version'] === '2026-07-28')
        reply.body(400, { jsonrpc: '2.0', id: null, error: REFUSED });
      else if (typeof session !== 'string' || !known.has(session)) reply.http(404);
      else return handler(request, reply, count);
      return undefined;
    };
  };
  const accept: Handler = (_request, reply) => {
    reply.response.writeHead(202).end();
  };
  const server = await serve({
    initialize: ({ id }, reply) => {
      sessions += 1;
      known.add(`session-${sessions}`);
      const capabilities = { tools: {}, tasks: { requests: { tools: { call: {} } } } };
      const result = { protocolVersion: '2025-11-25', capabilities, serverInfo: { name: 'old', version: '1' } };
      reply.body(200, { jsonrpc: '2.0', id, result }, { 'mcp-session-id': `session-${sessions}` });
    },
    'notifications/initialized': guarded(accept),
    'notifications/cancelled': guarded(accept),
    'tools/list': guarded((_request, reply) => {
      const tool = (name: string, taskSupport: string) => ({ name, inputSchema: {}, execution: { taskSupport } });
      reply.json({ tools: [tool('slow', 'optional'), tool('quick', 'forbidden')] });
    }),
    ...Object.fromEntries(Object.entries(handlers).map(([method, handler]) => [method, guarded(handler)])),
  });
  return { server, forget: () => (known = new Set()) };
}

function client(server: FakeServer, options: Partial<TaskClientOptions> = {}): ReturnType<typeof createTaskClient> {
  return createTaskClient({ endpoints: [server.url], ...options, limits: { ...FAST, ...options.limits } });
}

const methods = (server: FakeServer): string[] => server.requests.map(({ method }) => method);
const done: Readonly<Record<string, Handler>> = {
  'tasks/get': (_request, reply) => reply.json(old('completed')),
  'tasks/result': (_request, reply) => reply.json(text('done')),
};

describe('a server that knows 2025-11-25 only', () => {
  it('is found out by its refusal, and asked in its own words from then on', async () => {
    const { server } = await older({
      'tools/call': (_request, reply) => reply.json({ task: old('working') }),
      ...done,
    });
    const handle = await client(server).callTool('slow', { n: 1 });
    await expect(handle.result()).resolves.toEqual(text('done'));
    expect(methods(server)).toEqual([
      'tools/call',
      'initialize',
      'notifications/initialized',
      'tools/list',
      'tools/call',
      'tasks/get',
      'tasks/result',
    ]);
    expect(server.calls('tools/call')[1]?.params).toEqual({ name: 'slow', arguments: { n: 1 }, task: {} });
  });

  it('is called without a task where the tool forbids one', async () => {
    const { server } = await older({ 'tools/call': (_request, reply) => reply.json(text('hi')) });
    const handle = await client(server).callTool('quick');
    expect(handle.immediate).toEqual(text('hi'));
    expect(server.calls('tools/call')[1]?.params).toEqual({ name: 'quick', arguments: {} });
  });

  it('gets a new session when it has forgotten the old one', async () => {
    const { server, forget } = await older(done);
    const older_ = client(server);
    await older_.getTask(TASK);
    forget();
    await expect(older_.getTask(TASK)).resolves.toMatchObject({ status: 'completed', result: text('done') });
    expect(server.calls('initialize')).toHaveLength(2);
  });

  it('is told of a stream that is given up, before the stream is resumed', async () => {
    const { server } = await older({
      'tasks/stream': ({ params }, reply, count) => {
        reply.sse();
        // The first request was refused for its revision.
        if (count === 2) reply.event(0).event(2);
        else
          reply
            .event(Number(params['after']) + 1)
            .event(2)
            .terminal(3);
      },
      ...done,
    });
    const run = await runFollow(server);
    expect(run.seqs()).toEqual([0, 1, 2]);
    expect(run.faults()).toEqual(['skipped_event']);
    const streams = methods(server).filter((method) => /stream|cancelled/.test(method));
    expect(streams).toEqual(['tasks/stream', 'tasks/stream', 'notifications/cancelled', 'tasks/stream']);
    expect(server.calls('notifications/cancelled')[0]?.params).toEqual({
      requestId: server.calls('tasks/stream')[1]?.id,
    });
  });

  it('asks its questions on the response of tasks/result', async () => {
    const answered = latch();
    const answers: Received[] = [];
    const { server } = await older({
      'tools/call': (_request, reply) => reply.json({ task: old('working') }),
      'tasks/get': (_request, reply) => reply.json(old(answers.length > 0 ? 'completed' : 'input_required')),
      'tasks/result': async ({ id }, reply) => {
        reply.sse().message({ jsonrpc: '2.0', id: 'q-1', method: 'elicitation/create', params: { message: 'Name?' } });
        await answered.opened;
        reply.message({ jsonrpc: '2.0', id, result: text('Hello, Ada!') }).response.end();
      },
      undefined: (request, reply) => {
        answers.push(request);
        reply.response.writeHead(202).end();
        answered.open();
      },
    });
    const asked: unknown[] = [];
    const handle = await client(server, {
      onInputRequest: (key, request) => {
        asked.push([key, request]);
        return { action: 'accept', content: { name: 'Ada' } };
      },
    }).callTool('slow');
    await expect(handle.result()).resolves.toEqual(text('Hello, Ada!'));
    expect(asked).toEqual([['q-1', { method: 'elicitation/create', params: { message: 'Name?' } }]]);
    expect(answers).toEqual([
      expect.objectContaining({ id: 'q-1', result: { action: 'accept', content: { name: 'Ada' } } }),
    ]);
    expect(server.calls('initialize')[0]?.params).toMatchObject({ capabilities: { elicitation: {} } });
  });

  it('gets the rest of an update that was cut off, and nothing twice', async () => {
    const ids: unknown[] = [];
    const asked = latch();
    const { server } = await older({
      'tasks/get': (_request, reply) => reply.json(old('input_required')),
      'tasks/result': (_request, reply) => {
        reply.sse();
        for (const id of ['q-1', 'q-2']) {
          reply.message({ jsonrpc: '2.0', id, method: 'elicitation/create', params: { message: 'Name?' } });
        }
      },
      undefined: ({ id }, reply) => {
        ids.push(id);
        if (ids.length === 2) reply.response.destroy();
        else reply.response.writeHead(202).end();
      },
    });
    const handle = client(server).task(TASK, {
      onInputRequest: () => {
        asked.open();
        return new Promise(() => undefined);
      },
    });
    const abort = new AbortController();
    const waiting = handle.result({ signal: abort.signal });
    await asked.opened;
    await handle.answer({ 'q-1': { action: 'decline' }, 'q-2': { action: 'decline' } });
    expect(ids).toEqual(['q-1', 'q-2', 'q-2']);
    abort.abort();
    await expect(waiting).rejects.toMatchObject({ code: 'aborted' });
  });

  it('keeps the session for those who wait for it, when the one that began to open it leaves', async () => {
    const opening = latch();
    const { server } = await older(done);
    const { url } = server;
    const abort = new AbortController();
    let initializes = 0;
    const notices: Notice[] = [];
    const both = createTaskClient({
      endpoints: [url],
      revision: '2025-11-25',
      limits: FAST,
      onNotice: (notice) => notices.push(notice),
      fetch: (input, init) => {
        const { body } = init ?? {};
        const first = typeof body === 'string' && body.includes('"initialize"') && (initializes += 1) === 1;
        if (!first) return globalThis.fetch(input, init);
        opening.open();
        return new Promise(() => undefined);
      },
    });
    const leaving = both.getTask(TASK, { signal: abort.signal });
    await opening.opened;
    const staying = both.getTask(TASK);
    abort.abort();
    await expect(leaving).rejects.toMatchObject({ code: 'aborted' });
    await expect(staying).resolves.toMatchObject({ status: 'completed' });
    expect([initializes, notices]).toEqual([2, []]);
  });

  it('is told of by its fault when its answers do not have their shape, not as a failed connection', async () => {
    const { server } = await older({
      'tasks/get': (_request, reply) => reply.json(old('working', { ttl: 'soon' })),
      'tools/call': (_request, reply) => reply.json({ task: 'slow' }),
    });
    const broken = client(server);
    const what = 'expected a non-negative integer or null, got string';
    await expect(broken.getTask(TASK)).rejects.toMatchObject({
      code: 'protocol_fault',
      message: `Malformed result: task.ttlMs: ${what}`,
    });
    await expect(broken.callTool('slow')).rejects.toMatchObject({ code: 'protocol_fault' });
  });

  it('is found out when it was newer, and has gone back to an older release', async () => {
    const { server } = await older(done);
    let newer = 0;
    const both = client(server, {
      fetch: (input, init) => {
        if (new Headers(init?.headers).get('mcp-protocol-version') !== '2026-07-28')
          return globalThis.fetch(input, init);
        newer += 1;
        const head = { jsonrpc: '2.0', id: newer };
        const error = { code: -32022, message: 'Unsupported protocol version' };
        return Promise.resolve(
          newer === 1
            ? Response.json({ ...head, result: task('working') })
            : Response.json({ ...head, error }, { status: 400 }),
        );
      },
    });
    await expect(both.getTask(TASK)).resolves.toMatchObject({ status: 'working' });
    await expect(both.getTask(TASK)).resolves.toMatchObject({ status: 'completed', result: text('done') });
    await both.getTask(TASK);
    expect(newer).toBe(2);
  });

  it('keeps the answer of a server that speaks neither', async () => {
    const server = await serve({
      'tools/call': (_request, reply) => reply.error(-32022, { supported: ['2099-01-01'] }, 400),
      initialize: (_request, reply) => reply.error(-32022, { supported: ['2099-01-01'] }, 400),
    });
    await expect(client(server).callTool('x')).rejects.toMatchObject({ code: 'unsupported_protocol' });
  });

  it('is not asked in the older era by a client that is told not to', async () => {
    const { server } = await older(done);
    const notices: Notice[] = [];
    const pinned = client(server, { revision: '2026-07-28', onNotice: (notice) => notices.push(notice) });
    await expect(pinned.getTask(TASK)).rejects.toMatchObject({ code: 'rpc_error' });
    expect(methods(server)).toEqual(['tasks/get']);
  });

  it('is refused by name when the option is not one', () => {
    const wrong = () => createTaskClient({ endpoints: ['http://127.0.0.1/mcp'], revision: '1' as never });
    expect(wrong).toThrow('revision: expected one of auto, 2026-07-28, 2025-11-25, got string');
  });
});
