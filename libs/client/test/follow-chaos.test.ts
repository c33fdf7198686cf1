import { describe, expect, it } from 'vitest';
import { afterOf, upTo } from './support/fake-log.js';
import { event, task, type Handler, type Reply } from './support/fake-server.js';
import { runFollow, serve } from './support/with-server.js';

/** The same numbers for the same seed (a linear congruential generator). */
function numbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 4_294_967_296) * below);
  };
}

const LAST = 120;

/** Ways to end a stream other than the right one, after the events that were written. */
const ENDS: readonly ((reply: Reply, next: number) => void | Promise<void>)[] = [
  (reply) => reply.cut(),
  (reply, next) => reply.write(`data: ${JSON.stringify(event(next)).slice(0, 40)}`).cut(),
  (reply) => reply.write(Buffer.from('data: "ä'.slice(0, 8))).cut(),
  (reply) => void reply.response.end(),
  (reply) => reply.result(),
  (reply, next) => reply.result({ reason: 'draining', status: 'working', nextSeq: next }),
  (reply, next) => reply.result({ reason: 'rotated', status: 'working', nextSeq: next }),
  (reply, next) => void reply.event(next + 2),
  (reply) => void reply.write('data: {"jsonrpc"\n\n'),
  // Falls silent; nothing is ever sent again.
  () => undefined,
];

/** Refusals before a stream. */
const REFUSALS: readonly ((reply: Reply) => void)[] = [
  (reply) => void reply.response.destroy(),
  (reply) => reply.http(503),
  (reply) => reply.http(429, { 'retry-after': '0' }),
  (reply) => reply.error(-32602, { reason: 'stream_active' }),
  (reply) => reply.error(-32603, { reason: 'temporarily_unavailable' }),
];

/** `over` is told when the log was read to its end. */
function chaos(random: (below: number) => number, over: () => void): Handler {
  return ({ params }, reply) => {
    if (random(4) === 0) return REFUSALS[random(REFUSALS.length)]?.(reply);
    let next = afterOf(params) + 1;
    // Inclusive, or replaying from earlier.
    if (random(4) === 0) next = Math.max(0, next - 1 - random(3));
    reply.sse();
    const until = Math.min(LAST + 1, next + random(30));
    for (; next < until; next += 1) {
      const bytes = Buffer.from(
        `data: ${JSON.stringify({ jsonrpc: '2.0', method: 'notifications/tasks/event', params: event(next, { payload: { text: 'ä→😀' } }) })}\n\n`,
      );
      const at = random(bytes.length);
      reply.write(bytes.subarray(0, at)).write(bytes.subarray(at));
      if (random(5) === 0) reply.event(next);
    }
    if (next > LAST) {
      over();
      return reply.terminal(LAST + 1);
    }
    return ENDS[random(ENDS.length)]?.(reply, next);
  };
}

describe('over real connections that fail at random', () => {
  it.each([1, 2, 3, 4, 5, 6, 7, 8])('seed %i: every event once, in order', async (seed) => {
    const random = numbers(seed);
    let over = false;
    const end = (): void => {
      over = true;
    };
    const get: Handler = (_request, reply) => reply.json(task(over && random(3) === 0 ? 'completed' : 'working'));
    const servers = await Promise.all(
      [1, 2].map(() => serve({ 'tasks/stream': chaos(random, end), 'tasks/get': get })),
    );
    const run = await runFollow(
      servers.map(({ url }) => url),
      { limits: { attemptsMax: 100, backoffBaseMs: 1, backoffMaxMs: 2, silenceTimeoutMs: 250 } },
    );
    expect(run.error).toBeUndefined();
    expect(run.seqs()).toEqual(upTo(LAST));
    expect(run.items.every(({ type }) => type === 'event')).toBe(true);
    expect(run.outcome?.status).toBe('completed');
    // It was not a smooth ride.
    expect(run.notices.filter(({ type }) => type === 'reconnecting').length).toBeGreaterThan(2);
  });
});
