/** Endpoints that fail are tried last for a while, and return to their place. */
import { describe, expect, it } from 'vitest';
import { afterFailure, endpointOrder, type EndpointRest } from '../src/endpoint-health.js';
import { createTaskClient } from '../src/task-client.js';
import { TASK, task, type Handler } from './support/fake-server.js';
import { FAST, serve } from './support/with-server.js';

const LIMITS = { endpointRestBaseMs: 100, endpointRestMaxMs: 350 };

describe('the rest of an endpoint', () => {
  it('doubles with each failure after a return, up to its bound', () => {
    let rest: EndpointRest | undefined;
    const rests: number[] = [];
    for (let nowMs = 0; rests.length < 4; nowMs += rest.restMs) {
      rest = afterFailure(rest, nowMs, LIMITS);
      rests.push(rest.restMs);
    }
    expect(rests).toEqual([100, 200, 350, 350]);
  });

  it('counts failures at the same moment once', () => {
    const rest = afterFailure(afterFailure(undefined, 10, LIMITS), 9, LIMITS);
    expect(rest).toEqual({ fromMs: 10, restMs: 100 });
    expect(afterFailure(rest, 60, LIMITS)).toEqual({ fromMs: 60, restMs: 100 });
  });

  it('begins anew with who did well for as long as it had rested', () => {
    const rest = { fromMs: 0, restMs: 200 };
    expect(afterFailure(rest, 399, LIMITS).restMs).toBe(350);
    expect(afterFailure(rest, 400, LIMITS).restMs).toBe(100);
  });

  it('puts those that rest behind the others, the one that failed longest ago first', () => {
    const rests = [{ fromMs: 50, restMs: 100 }, undefined, { fromMs: 20, restMs: 100 }, { fromMs: 0, restMs: 100 }];
    expect(endpointOrder(rests, 60)).toEqual([1, 3, 2, 0]);
    expect(endpointOrder(rests, 110)).toEqual([1, 3, 2, 0]);
    expect(endpointOrder(rests, 130)).toEqual([1, 2, 3, 0]);
    expect(endpointOrder(rests, 150)).toEqual([0, 1, 2, 3]);
  });
});

describe('a client of several endpoints', () => {
  const works: Handler = (_request, reply) => reply.json(task('working'));

  it('returns to the first one after a while, and tells of each failure', async () => {
    const first = await serve({
      'tasks/get': (_request, reply, count) => (count === 1 ? reply.http(503) : reply.json(task('working'))),
    });
    const second = await serve({ 'tasks/get': works });
    const failed: string[] = [];
    const client = createTaskClient({
      endpoints: [first.url, second.url],
      limits: { ...FAST, endpointRestBaseMs: 300 },
      onNotice: (notice) => {
        if (notice.type === 'endpoint-failed') failed.push(notice.endpoint);
      },
    });
    await client.getTask(TASK);
    expect([first.requests.length, second.requests.length]).toEqual([1, 1]);
    const returned = async (): Promise<number> => {
      await client.getTask(TASK);
      return first.requests.length;
    };
    await expect.poll(returned, { timeout: 20_000 }).toBe(2);
    expect(failed).toEqual([first.url]);
  });

  it('leaves one that is busy, also when that wants to be left for longer than it rests', async () => {
    const busy = await serve({ 'tasks/get': (_request, reply) => reply.http(503, { 'retry-after': '1' }) });
    const free = await serve({ 'tasks/get': works });
    const client = createTaskClient({
      endpoints: [busy.url, free.url],
      limits: { ...FAST, endpointRestBaseMs: 100, retryAfterMaxMs: 300 },
    });
    await client.getTask(TASK);
    expect(busy.requests).toHaveLength(1);
  });
});
