import { describe, expect, it } from 'vitest';
import { afterOf, log, upTo } from './support/fake-log.js';
import { task, type Reply } from './support/fake-server.js';
import { FAST, runFollow, serve } from './support/with-server.js';

describe('faults of the server', () => {
  const faulty: readonly [string, string[], (reply: Reply) => void | Promise<void>][] = [
    ['skips an event', ['skipped_event'], (reply) => void reply.sse().event(0).event(2)],
    [
      'repeats an event',
      ['repeated_event'],
      (reply) => reply.sse().event(0).event(1).event(1).event(2).event(3).terminal(4),
    ],
    ['ends too early', ['end_before_last_event'], (reply) => reply.sse().event(0).terminal(4)],
    ['sends what is no JSON', ['malformed_message'], (reply) => void reply.sse().event(0).write('data: {oops\n\n')],
    ['sends what is no message', ['malformed_message'], (reply) => void reply.sse().event(0).message([1])],
    [
      'sends an event without a payload',
      ['malformed_event'],
      (reply) => void reply.sse().event(0).event(1, { payload: 'text' }),
    ],
    ['sends a negative seq', ['malformed_event'], (reply) => void reply.sse().event(0).event(-1)],
    [
      'sends bytes that are not UTF-8',
      ['invalid_utf8'],
      (reply) =>
        void reply
          .sse()
          .event(0)
          .write(Buffer.from([0x64, 0xff, 0xfe, 0x0a])),
    ],
    [
      'answers another request',
      ['wrong_response_id'],
      (reply) => void reply.sse().event(0).message({ jsonrpc: '2.0', id: 'other', result: {} }),
    ],
    [
      'answers with a web page',
      ['wrong_content_type'],
      (reply) => reply.body(200, '<p>', { 'content-type': 'text/html' }),
    ],
    [
      'forgets related-task metadata',
      ['missing_related_task'],
      (reply) => reply.sse().event(0, { _meta: {} }).event(1, { _meta: undefined }).event(2).event(3).terminal(4),
    ],
    [
      'relates events to another task',
      ['wrong_related_task'],
      (reply) =>
        reply
          .sse()
          .event(0)
          .event(1, { _meta: { 'io.modelcontextprotocol/related-task': { taskId: 'other' } } })
          .event(2)
          .event(3)
          .terminal(4),
    ],
    [
      'mixes in events of another task',
      ['foreign_task_event'],
      (reply) => reply.sse().event(0).event(1, { taskId: 'other' }).event(1).event(2).event(3).terminal(4),
    ],
    [
      'sends types without a prefix',
      ['unprefixed_type'],
      (reply) => reply.sse().event(0).event(1, { type: 'step' }).event(2).event(3).terminal(4),
    ],
    [
      'sends requests',
      ['unexpected_request'],
      (reply) =>
        reply
          .sse()
          .message({ jsonrpc: '2.0', id: 1, method: 'elicitation/create', params: {} })
          .event(0)
          .event(1)
          .event(2)
          .event(3)
          .terminal(4),
    ],
  ];

  it.each(faulty)(
    'a server that %s is noticed as %j, and no event is lost or doubled',
    async (_name, faults, first) => {
      const server = await serve({ 'tasks/stream': log(3, first) });
      const run = await runFollow(server);
      expect(run.error).toBeUndefined();
      expect(run.faults()).toEqual(faults);
      expect(run.seqs()).toEqual(upTo(3));
    },
  );

  it('notices an inclusive cursor on every stream', async () => {
    const server = await serve({
      'tasks/stream': ({ params }, reply, count) => {
        const from = Math.max(0, afterOf(params));
        reply.sse();
        if (count < 3)
          return reply
            .event(from)
            .event(from + 1)
            .cut();
        for (let seq = from; seq <= 5; seq += 1) reply.event(seq);
        return reply.terminal(6);
      },
    });
    const run = await runFollow(server);
    expect(run.seqs()).toEqual(upTo(5));
    expect(run.faults()).toEqual(['inclusive_after', 'inclusive_after']);
  });

  it('notices a server that ignores the cursor', async () => {
    const server = await serve({
      'tasks/stream': (_request, reply, count) => {
        reply.sse().event(0).event(1);
        return count === 1 ? reply.cut() : reply.event(2).terminal(3);
      },
    });
    const run = await runFollow(server);
    expect(run.seqs()).toEqual([0, 1, 2]);
    expect(run.faults()).toEqual(['replayed_before_cursor', 'inclusive_after']);
  });

  it('notices a server that numbers from 1', async () => {
    const server = await serve({
      'tasks/stream': (_request, reply) => reply.sse().event(1).event(2).terminal(3),
    });
    const run = await runFollow(server);
    expect(run.items[0]).toEqual({ type: 'gap', from: 0, to: 0, restarted: false });
    expect(run.seqs()).toEqual([1, 2]);
    expect(run.faults()).toEqual(['starts_above_zero']);
  });

  it('gives up on a server that never has an event', async () => {
    const server = await serve({ 'tasks/stream': (_request, reply) => void reply.sse().event(2) });
    const run = await runFollow(server, { after: 0 });
    expect(run.error).toMatchObject({ code: 'sequence_gap', retryable: false });
    expect(run.seqs()).toEqual([]);
    expect(server.cursors()).toEqual([0, 0, 0, 0, 0]);
  });

  it('refuses a message that is too large', async () => {
    const server = await serve({
      'tasks/stream': (_request, reply) =>
        reply
          .sse()
          .event(0, { payload: { text: 'x'.repeat(5_000) } })
          .terminal(1),
    });
    const run = await runFollow(server, { limits: { ...FAST, messageCharsMax: 1_000 } });
    expect(run.error).toMatchObject({ code: 'message_too_large' });
    expect(run.faults()).toEqual(['message_too_large']);
  });

  it('refuses a result type that a stream cannot have', async () => {
    const server = await serve({
      'tasks/stream': (_request, reply) =>
        reply
          .sse()
          .event(0)
          .result(undefined, { result: { resultType: 'surprise' } }),
    });
    const run = await runFollow(server);
    expect(run.error).toMatchObject({ code: 'unknown_result_type' });
    expect(run.seqs()).toEqual([0]);
  });

  it('notices a task that is not the one that was asked for', async () => {
    const server = await serve({
      'tasks/stream': log(0),
      'tasks/get': (_request, reply, count) => reply.json(task('completed', count === 1 ? { taskId: 'other' } : {})),
    });
    const run = await runFollow(server);
    expect(run.faults()).toEqual(['malformed_result']);
    expect(run.outcome?.status).toBe('completed');
  });
});
