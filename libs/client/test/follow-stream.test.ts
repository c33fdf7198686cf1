import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { log, upTo } from './support/fake-log.js';
import { event, TASK, task } from './support/fake-server.js';
import { FAST, runFollow, serve } from './support/with-server.js';

describe('a whole stream', () => {
  it('yields every event and the outcome', async () => {
    const server = await serve({ 'tasks/stream': log(4) });
    const run = await runFollow(server);
    expect(run.seqs()).toEqual([0, 1, 2, 3, 4]);
    expect(run.items[2]).toEqual({ type: 'event', event: event(2) });
    expect(run.error).toBeUndefined();
    expect(run.outcome).toMatchObject({ status: 'completed', result: { content: [{ text: 'done' }] } });
    expect(run.follow.lastSeq).toBe(4);
    expect(run.notices).toEqual([{ type: 'connected', taskId: TASK, endpoint: server.url, after: undefined }]);
  });

  it('sends what the transport asks for', async () => {
    const server = await serve({ 'tasks/stream': log(1) });
    await runFollow(server, { after: 0, clientInfo: { name: 'app', version: '9' } });
    const [stream, get] = server.requests;
    expect(stream).toMatchObject({
      method: 'tasks/stream',
      headers: {
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        'mcp-protocol-version': '2026-07-28',
        'mcp-method': 'tasks/stream',
        'mcp-name': TASK,
      },
    });
    expect(stream?.params).toEqual({
      taskId: TASK,
      after: 0,
      _meta: {
        'io.modelcontextprotocol/protocolVersion': '2026-07-28',
        'io.modelcontextprotocol/clientInfo': { name: 'app', version: '9' },
        'io.modelcontextprotocol/clientCapabilities': {
          extensions: { 'io.modelcontextprotocol/tasks': {}, 'dev.taskstream/steering': {} },
        },
      },
    });
    expect(get).toMatchObject({ method: 'tasks/get', headers: { 'mcp-method': 'tasks/get', 'mcp-name': TASK } });
    expect(stream?.id).not.toBe(get?.id);
  });

  it('takes a JSON answer', async () => {
    const server = await serve({
      'tasks/stream': (_request, reply) =>
        reply.json({ _meta: { 'dev.taskstream/stream': { reason: 'terminal', status: 'completed', nextSeq: 1 } } }),
    });
    const run = await runFollow(server, { after: 0 });
    expect(run.seqs()).toEqual([]);
    expect(run.outcome?.status).toBe('completed');
  });

  it('gives the bytes of an event as they came', async () => {
    const odd = `{"seq":0,"taskId":"${TASK}","type":"a.b","payload":{"big":1.0,"x":12345678901234567890},"_meta":{}}`;
    const server = await serve({
      'tasks/stream': (_request, reply) => {
        reply.sse().write(`data: {"jsonrpc":"2.0","method":"notifications/tasks/event","params":${odd}}\n\n`);
        reply.write(
          `data: {"method":"notifications/tasks/event","params":${JSON.stringify(event(1))},"jsonrpc":"2.0"}\n\n`,
        );
        reply.terminal(2);
      },
    });
    const run = await runFollow(server, { raw: true });
    expect(run.items.map((item) => (item.type === 'event' ? item.raw : ''))).toEqual([odd, JSON.stringify(event(1))]);
  });

  it('gives the error of a failed task as its outcome', async () => {
    const server = await serve({
      'tasks/stream': log(0),
      'tasks/get': (_request, reply) => reply.json(task('failed')),
    });
    const run = await runFollow(server);
    expect(run.outcome).toMatchObject({ status: 'failed', error: { code: -32603, message: 'broken' } });
  });
});

describe('cuts', () => {
  it('resumes after a cut in the middle of a frame', async () => {
    const server = await serve({
      'tasks/stream': log(4, (reply) =>
        reply.sse().event(0).event(1).write('event: message\ndata: {"jsonrpc":"2.0","method":"notif').cut(),
      ),
    });
    const run = await runFollow(server);
    expect(run.seqs()).toEqual(upTo(4));
    expect(server.cursors()).toEqual([undefined, 1]);
    expect(run.faults()).toEqual([]);
    expect(run.notices).toContainEqual(expect.objectContaining({ type: 'reconnecting', cause: 'network', after: 1 }));
  });

  it('resumes after a cut in the middle of a character', async () => {
    const whole = JSON.stringify({
      jsonrpc: '2.0',
      method: 'notifications/tasks/event',
      params: event(1, { payload: { text: 'ä→😀' } }),
    });
    const bytes = Buffer.from(`data: ${whole}\n\n`);
    const inside = bytes.indexOf(Buffer.from('😀')) + 2;
    const server = await serve({
      'tasks/stream': ({ params }, reply, count) => {
        reply.sse();
        if (count === 1) return reply.event(0).write(bytes.subarray(0, inside)).cut();
        expect(params['after']).toBe(0);
        reply.write(bytes.subarray(0, inside));
        // The rest of the character comes in another packet.
        setImmediate(() => {
          reply.write(bytes.subarray(inside));
          reply.terminal(2);
        });
        return undefined;
      },
    });
    const run = await runFollow(server);
    expect(run.seqs()).toEqual([0, 1]);
    expect(run.items[1]).toMatchObject({ event: { payload: { text: 'ä→😀' } } });
    expect(run.faults()).toEqual([]);
  });

  it('treats the end of the body without a result as a cut', async () => {
    const server = await serve({
      'tasks/stream': log(3, (reply) => {
        reply.sse().event(0).response.end();
      }),
    });
    const run = await runFollow(server);
    expect(run.seqs()).toEqual(upTo(3));
  });

  it('notices a stall without a close', async () => {
    const server = await serve({
      'tasks/stream': log(3, (reply) => {
        reply.sse().event(0);
      }),
    });
    const run = await runFollow(server, { limits: { ...FAST, attemptsMax: 20, silenceTimeoutMs: 300 } });
    expect(run.seqs()).toEqual(upTo(3));
    expect(run.notices).toContainEqual(expect.objectContaining({ type: 'reconnecting', cause: 'silence' }));
  });

  it('notices a server that takes the request and says nothing', async () => {
    const server = await serve({ 'tasks/stream': log(2, () => undefined) });
    const run = await runFollow(server, { limits: { ...FAST, attemptsMax: 20, silenceTimeoutMs: 300 } });
    expect(run.seqs()).toEqual(upTo(2));
  });

  it('is not silenced by heartbeats', async () => {
    const beats = 30;
    const server = await serve({
      'tasks/stream': async (_request, reply) => {
        reply.sse();
        for (let beat = 0; beat < beats; beat += 1) {
          await sleep(50);
          // Comments, progress, and parts of a message all show life.
          if (beat % 3 === 0) reply.write(': beat\n\n');
          else if (beat % 3 === 1) reply.message({ jsonrpc: '2.0', method: 'notifications/progress', params: {} });
          else reply.write(':');
        }
        reply.write('\n\n').event(0).terminal(1);
      },
    });
    const run = await runFollow(server, { limits: { ...FAST, silenceTimeoutMs: 1_000 } });
    expect(run.seqs()).toEqual([0]);
    expect(server.cursors()).toHaveLength(1);
  });

  it('gives up with a typed error when nobody listens', async () => {
    const server = await serve({});
    const { url } = server;
    await server.close();
    const run = await runFollow([url]);
    expect(run.error).toMatchObject({ code: 'unavailable', retryable: true });
    await expect(run.follow.outcome).rejects.toBe(run.error);
    // The server was closed by the test itself.
    await expect(run.follow.next()).resolves.toEqual({ done: true, value: undefined });
  });
});
