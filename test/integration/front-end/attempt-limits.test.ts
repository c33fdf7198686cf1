/** SEP2694-LIMIT-RESUMES: who opens streams too often, or asks for tasks that there are not, is made to wait. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { FrontEnd } from '../../support/system.js';
import { readStream, rpc } from '../../support/rpc.js';
import { metric, send, type Answer } from './http.js';
import { startScene, type Scene } from './scene.js';

/** So few that the next one is earned long after a test is over. */
const OPENS = 4;
const UNKNOWN = 3;
const NOBODY = 'd0-0123456789abcdefghijkl';
const as = (token: string) => ({ authorization: `Bearer ${token}` });
const ANN = as('a-token-of-some-length');
const BOB = as('another-token-of-some-length');
const CAT = as('a-third-token-of-some-length');

let scene: Scene;
let node: FrontEnd;

beforeAll(async () => {
  scene = await startScene();
  node = await scene.frontEnd({
    TASKSTREAM_AUTH: 'static',
    TASKSTREAM_STATIC_TOKENS:
      'ann:a-token-of-some-length,bob:another-token-of-some-length,cat:a-third-token-of-some-length',
    TASKSTREAM_STREAM_OPENS_PER_MINUTE_MAX: String(OPENS),
    TASKSTREAM_UNKNOWN_TASKS_PER_MINUTE_MAX: String(UNKNOWN),
  });
});
afterAll(() => scene[Symbol.asyncDispose]());

async function newTask(headers: Record<string, string>): Promise<string> {
  const { result } = await rpc(node.endpoint, 'tools/call', { name: 'count', arguments: { n: 2 } }, { headers });
  return String(result?.['taskId']);
}

const limited = (limit: string) => ({
  code: -32603,
  data: { reason: 'limit_reached', limit, retryAfterMs: expect.any(Number) },
});
const view = (taskId: string, headers: Record<string, string>): Promise<Answer> =>
  send(node.endpoint, {
    method: 'GET',
    path: `/tasks/${taskId}/events?after=0`,
    headers: { ...headers, accept: 'application/x-ndjson' },
  });

test('streams that are opened or resumed too often are refused with the time to wait, on both routes', async () => {
  const task = await newTask(ANN);
  for (let i = 0; i < OPENS; i++) {
    const read = await readStream(node.endpoint, task, 0, { headers: ANN });
    expect(read.error, `resume ${i}`).toBeUndefined();
  }
  const refused = await readStream(node.endpoint, task, 0, { headers: ANN });
  expect(refused).toMatchObject({ status: 200, error: limited('streamOpensPerMinuteMax') });
  expect(refused.error?.data?.['retryAfterMs']).toBeGreaterThan(0);
  expect(refused.error?.data?.['retryAfterMs']).toBeLessThanOrEqual(60_000 / OPENS);
  const overHttp = await view(task, ANN);
  expect(overHttp.status).toBe(429);
  expect(Number(overHttp.headers['retry-after'])).toBeGreaterThan(0);
  expect(JSON.parse(overHttp.text)).toMatchObject({ status: 429, limit: 'streamOpensPerMinuteMax' });
  // What is limited is the opening of streams: everything else is served, and so is everybody else.
  expect((await rpc(node.endpoint, 'tasks/get', { taskId: task }, { headers: ANN })).error).toBeUndefined();
  const other = await newTask(CAT);
  expect((await readStream(node.endpoint, other, 0, { headers: CAT })).error).toBeUndefined();
  const limit = 'streamOpensPerMinuteMax';
  expect(await metric(node.endpoint, 'taskstream_limits_hit_total', { limit })).toBe(2);
});

test('who asked for too many tasks that there are not, or are not his, is refused before anything is looked up', async () => {
  const own = await newTask(BOB);
  const foreign = await newTask(CAT);
  const get = (taskId: string) => rpc(node.endpoint, 'tasks/get', { taskId }, { headers: BOB });
  for (const taskId of [NOBODY, foreign, 'x'.repeat(500)]) {
    expect((await get(taskId)).error, taskId).toMatchObject({ code: -32602 });
  }
  const error = limited('unknownTasksPerMinuteMax');
  for (const method of ['tasks/get', 'tasks/cancel', 'tasks/update', 'tasks/stream', 'dev.taskstream/delete']) {
    // A task that there is tells nothing either: no guess can be told from another.
    for (const taskId of [NOBODY, foreign, own]) {
      const params = { taskId, ...(method === 'tasks/update' && { inputResponses: {} }) };
      expect((await rpc(node.endpoint, method, params, { headers: BOB })).error, method).toMatchObject(error);
    }
  }
  for (const taskId of [NOBODY, own]) expect((await view(taskId, BOB)).status).toBe(429);
  const listen = { notifications: { taskIds: [own] } };
  expect((await rpc(node.endpoint, 'subscriptions/listen', listen, { headers: BOB })).error).toMatchObject(error);
  expect((await rpc(node.endpoint, 'tasks/get', { taskId: foreign }, { headers: CAT })).error).toBeUndefined();
  expect(await metric(node.endpoint, 'taskstream_unknown_task_requests_total')).toBe(UNKNOWN);
  expect(node.log()).toContain('an owner asks too often');
});
