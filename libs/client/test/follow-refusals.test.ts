import { describe, expect, it } from 'vitest';
import { createTaskClient } from '../src/task-client.js';
import { afterOf, log, upTo } from './support/fake-log.js';
import { TASK, task, type Handler } from './support/fake-server.js';
import { FAST, latch, runFollow, serve } from './support/with-server.js';

describe('ends and refusals', () => {
  it('asks tasks/get when a stream ends without a reason', async () => {
    const server = await serve({
      'tasks/stream': ({ params }, reply, count) => {
        reply.sse();
        if (count <= 3) reply.event(afterOf(params) + 1);
        reply.result();
      },
      'tasks/get': (_request, reply, count) => reply.json(task(count === 1 ? 'working' : 'completed')),
    });
    const run = await runFollow(server);
    expect(run.seqs()).toEqual([0, 1, 2]);
    // Once more with the last cursor, after the task was over: only an empty stream is the end.
    expect(server.cursors()).toEqual([undefined, 0, 1, 2]);
    expect(run.outcome?.status).toBe('completed');
  });

  it('falls back to polling without tasks/stream', async () => {
    const server = await serve({
      'tasks/get': (_request, reply, count) => reply.json(task(count < 4 ? 'working' : 'completed')),
    });
    const run = await runFollow(server);
    expect(run.items).toEqual([]);
    expect(run.outcome?.status).toBe('completed');
    expect(server.calls('tasks/get')).toHaveLength(4);
    expect(run.notices.map(({ type }) => type)).toEqual(['fallback-polling']);
  });

  it('fails with unknown_task', async () => {
    const refuse: Handler = (_request, reply) => reply.error(-32602);
    const server = await serve({ 'tasks/stream': refuse, 'tasks/get': refuse });
    expect((await runFollow(server)).error).toMatchObject({ code: 'unknown_task', retryable: false });
  });

  it('waits for an active stream to end', async () => {
    const server = await serve({
      'tasks/stream': log(1, (reply) => reply.error(-32602, { reason: 'stream_active' })),
    });
    const run = await runFollow(server);
    expect(run.seqs()).toEqual([0, 1]);
    expect(run.notices[1]).toMatchObject({ type: 'reconnecting', cause: 'stream_active' });
  });

  it.each([
    ['fail', [], 'events_gone'],
    ['resume', [{ type: 'gap', from: 3, to: 4, restarted: false }, 5, 6], undefined],
    ['restart', [{ type: 'gap', from: 3, to: 4, restarted: true }, 5, 6], undefined],
  ] as const)('events_gone with policy %s', async (onEventsGone, expected, code) => {
    const server = await serve({
      'tasks/stream': ({ params }, reply) => {
        if (params['after'] === 2) {
          reply.error(-32010, { reason: 'events_gone', taskId: TASK, earliestSeq: 5 });
          return;
        }
        reply.sse().event(5).event(6).terminal(7);
      },
    });
    const run = await runFollow(server, { after: 2, onEventsGone });
    expect(run.items.map((item) => (item.type === 'event' ? item.event.seq : item))).toEqual(expected);
    expect((run.error as { code?: string } | undefined)?.code).toBe(code);
    if (onEventsGone === 'resume') expect(server.cursors()).toEqual([2, 4]);
    if (onEventsGone === 'restart') expect(server.cursors()).toEqual([2, 4]);
  });

  it('understands events_gone in the middle of a stream, and as HTTP 410', async () => {
    const server = await serve({
      'tasks/stream': ({ params }, reply, count) => {
        if (count === 1) {
          reply.sse().event(0);
          reply.message({
            jsonrpc: '2.0',
            id: 1,
            error: { code: -32010, message: 'gone', data: { reason: 'events_gone', earliestSeq: 4 } },
          });
          return;
        }
        if (count === 2) {
          expect(params['after']).toBe(3);
          reply.http(410);
          return;
        }
        reply.sse().event(6).terminal(7);
      },
    });
    const run = await runFollow(server, { onEventsGone: 'resume' });
    expect(run.items).toMatchObject([{ type: 'event' }, { type: 'gap', from: 1, to: 5 }, { event: { seq: 6 } }]);
  });

  it.each([
    [401, 'unauthorized'],
    [403, 'forbidden'],
    [404, 'endpoint_refused'],
    [406, 'endpoint_refused'],
    [429, 'rate_limited'],
    [503, 'unavailable'],
  ])('HTTP %i becomes %s', async (status, code) => {
    const server = await serve({
      'tasks/stream': (_request, reply) => reply.http(status, { 'retry-after': '0' }),
    });
    const run = await runFollow(server);
    expect(run.error).toMatchObject({ code });
    expect(server.cursors()).toHaveLength(status === 429 || status === 503 ? FAST.attemptsMax + 1 : 1);
  });

  it('reads JSON-RPC errors under HTTP 400', async () => {
    const server = await serve({
      'tasks/stream': (_request, reply) => reply.error(-32021, { requiredCapabilities: { extensions: {} } }, 400),
    });
    const run = await runFollow(server);
    expect(run.error).toMatchObject({
      code: 'missing_capability',
      details: { rpcCode: -32021, requiredCapabilities: { extensions: {} } },
    });
  });
});

describe('nodes that disagree', () => {
  it('keeps what was said of the end, when a node that lags says that the task still works', async () => {
    const server = await serve({
      'tasks/stream': (_request, reply, count) => {
        if (count === 1) reply.sse().event(0).result();
        else if (count === 2) reply.error(-32602);
        else reply.sse().terminal(1);
      },
      'tasks/get': (_request, reply, count) => reply.json(task(count === 1 ? 'completed' : 'working')),
    });
    const run = await runFollow(server);
    expect(run.error).toBeUndefined();
    expect(run.outcome).toMatchObject({ status: 'completed', result: { content: [{ text: 'done' }] } });
    expect(server.calls('tasks/get')).toHaveLength(2);
  });
});

describe('endpoints and credentials', () => {
  it('goes to another endpoint and tries the failed one last', async () => {
    const bad = await serve({ 'tasks/stream': (_request, reply) => reply.http(503) });
    const good = await serve({ 'tasks/stream': log(3, (reply) => reply.sse().event(0).cut()) });
    const run = await runFollow([bad.url, good.url]);
    expect(run.seqs()).toEqual(upTo(3));
    // The good one was cut once, so the bad one had another turn before it.
    expect(bad.cursors()).toEqual([undefined, 0]);
    expect(good.cursors()).toEqual([undefined, 0]);
    expect(run.notices.flatMap((notice) => (notice.type === 'endpoint-failed' ? [notice.endpoint] : []))).toEqual([
      bad.url,
      good.url,
    ]);
  });

  it('waits for one that is busy, when the other does not answer as an MCP endpoint at all', async () => {
    const notThere: Handler = (_request, reply) => reply.http(404);
    const wrong = await serve({ 'tasks/stream': notThere, 'tasks/cancel': notThere });
    const busyTwice: Handler = (request, reply, count) =>
      count <= 2 ? reply.http(503) : log(2)(request, reply, count);
    const restarting = await serve({
      'tasks/stream': busyTwice,
      'tasks/cancel': (_request, reply, count) => (count <= 2 ? reply.http(503) : reply.json({})),
    });
    const run = await runFollow([wrong.url, restarting.url]);
    expect(run.error).toBeUndefined();
    expect(run.seqs()).toEqual(upTo(2));
    expect(wrong.cursors().length).toBeGreaterThan(1);
    const client = createTaskClient({ endpoints: [wrong.url, restarting.url], limits: FAST });
    await client.cancelTask(TASK);
  });

  it('asks for fresh headers once after a 401', async () => {
    let token = 'old';
    const authorized =
      (handler: Handler): Handler =>
      (request, reply, count) =>
        request.headers.authorization === 'Bearer new' ? handler(request, reply, count) : reply.http(401);
    const server = await serve({
      'tasks/stream': authorized(log(1)),
      'tasks/get': authorized((_request, reply) => reply.json(task('completed'))),
    });
    const refreshes: boolean[] = [];
    const run = await runFollow(server, {
      auth: async ({ refresh }) => {
        refreshes.push(refresh);
        if (refresh) token = 'new';
        return { authorization: `Bearer ${token}` };
      },
    });
    expect(run.seqs()).toEqual([0, 1]);
    expect(refreshes).toEqual([false, true, false]);
    expect(run.notices.filter(({ type }) => type === 'auth-refreshed')).toHaveLength(1);
  });

  it('asks once for requests that meet a 401 together', async () => {
    const both = latch();
    const server = await serve({
      'tasks/get': async ({ headers }, reply, count) => {
        if (headers.authorization === 'Bearer 1') return reply.json(task('working'));
        // Neither is refused before both have come.
        if (count === 2) both.open();
        await both.opened;
        return reply.http(401);
      },
    });
    const fresh = latch();
    let refreshes = 0;
    const notices: string[] = [];
    const client = createTaskClient({
      endpoints: [server.url],
      onNotice: ({ type }) => {
        notices.push(type);
        if (notices.length === 2) fresh.open();
      },
      auth: async ({ refresh }) => {
        if (refresh) {
          refreshes += 1;
          // The second request gets here while the first one is being served.
          await fresh.opened;
        }
        return { authorization: `Bearer ${refreshes}` };
      },
    });
    await Promise.all([client.getTask(TASK), client.getTask(TASK)]);
    expect(refreshes).toBe(1);
    expect(notices).toEqual(['auth-refreshed', 'auth-refreshed']);
  });

  it('gives up when fresh headers do not help, and when the hook fails', async () => {
    const server = await serve({ 'tasks/stream': (_request, reply) => reply.http(401) });
    const refused = await runFollow(server, { auth: () => ({ authorization: 'Bearer x' }) });
    expect(refused.error).toMatchObject({ code: 'unauthorized' });
    expect(server.cursors()).toHaveLength(2);
    const broken = await runFollow(server, { auth: () => Promise.reject(new Error('no token')) });
    expect(broken.error).toMatchObject({ code: 'unauthorized', cause: new Error('no token') });
  });
});
