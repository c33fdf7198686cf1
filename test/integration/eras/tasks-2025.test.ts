/**
 * Tasks of revision 2025-11-25, message by message: what each method answers, and what it leaves out. Each test cites the
 * rows of test/conformance/requirements that it shows.
 */
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { rpc } from '../../support/rpc.js';
import { until } from '../front-end/http.js';
import { startScene, type Scene } from '../front-end/scene.js';
import { ask, initialize, post, request, taskIdOf } from './bare-2025.js';

const RELATED = 'io.modelcontextprotocol/related-task';
const TOOLS = fileURLToPath(new URL('./tools.mjs', import.meta.url));
const ISO = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/;

let scene: Scene;
let a: string;
let b: string;
let session: string;

beforeAll(async () => {
  scene = await startScene({ env: { TASKSTREAM_SESSION_KEY: 'a-key-of-thirty-two-characters-at-least' } });
  await scene.addWorker({ TASKSTREAM_TOOLS: TOOLS });
  a = scene.a.endpoint;
  b = scene.b.endpoint;
  session = await initialize(a, { elicitation: {} });
});
afterAll(() => scene[Symbol.asyncDispose]());

const create = (name: string, args: object, task: object = {}, meta: object = {}) =>
  ask(a, session, 'tools/call', { name, arguments: args, task, _meta: meta });
const newTask = async (name: string, args: object, task: object = {}) => taskIdOf(await create(name, args, task));
const get = (taskId: string) => ask(b, session, 'tasks/get', { taskId });

test('a call with a task is answered with the task alone, working, at once: T25-CREATE-RESULT T25-BEGINS-WORKING T25-CREATED-AT T25-UPDATED-AT T25-ID-STRING', async () => {
  const { result } = await create('count', { n: 200, everyMs: 20 }, { ttl: 60_000 });
  expect(Object.keys(result ?? {})).toEqual(['task']);
  expect(result?.['task']).toEqual({
    taskId: expect.any(String),
    status: 'working',
    createdAt: expect.stringMatching(ISO),
    lastUpdatedAt: expect.stringMatching(ISO),
    ttl: 60_000,
    pollInterval: expect.any(Number),
  });
});

test('tasks/get answers in JSON, with times, the real ttl and nothing of the result: T25-GET-TTL T25-TTL-OVERRIDE T25-GET-NO-RELATED T25-GET-NO-SSE', async () => {
  const most = 7 * 86_400_000;
  const taskId = await newTask('count', { n: 1 }, { ttl: most * 100 });
  await until(async () => (await get(taskId)).result?.['status'] === 'completed', 'the end');
  const response = await post(b, { id: 1, method: 'tasks/get', params: { taskId } }, session);
  expect(response.headers.get('content-type')).toMatch(/^application\/json/);
  const { result } = (await response.json()) as { result: Record<string, unknown> };
  expect(result).toEqual({
    taskId,
    status: 'completed',
    createdAt: expect.stringMatching(ISO),
    lastUpdatedAt: expect.stringMatching(ISO),
    ttl: most,
    pollInterval: expect.any(Number),
  });
});

test('the id in the params counts, whatever the metadata says: T25-PARAM-IS-TRUTH', async () => {
  const [one, other] = [await newTask('count', { n: 1 }), await newTask('count', { n: 1 })];
  const params = { taskId: one, _meta: { [RELATED]: { taskId: other } } };
  expect((await ask(b, session, 'tasks/get', params)).result).toMatchObject({ taskId: one });
  expect((await ask(b, session, 'tasks/result', params)).result?.['_meta']).toEqual({ [RELATED]: { taskId: one } });
});

test('tasks/result waits for the end, tells statuses on the way, and gives what the call would have: T25-RESULT-BLOCKS T25-RESULT-EXACT T25-RESULT-RELATED T25-STATUS-NO-RELATED', async () => {
  const taskId = await newTask('count', { n: 20, everyMs: 50 });
  const waiting = await request(b, session, { id: 'r', method: 'tasks/result', params: { taskId } });
  expect((await get(taskId)).result).toMatchObject({ status: 'working' });
  await waiting.over;
  const status = await waiting.heard('notifications/tasks/status');
  expect(status.params).toMatchObject({ taskId, status: 'working', ttl: expect.any(Number) });
  expect(status.params).not.toHaveProperty('_meta');
  expect(waiting.messages.at(-1)).toEqual({
    jsonrpc: '2.0',
    id: 'r',
    result: { content: [{ type: 'text', text: '20' }], _meta: { [RELATED]: { taskId } } },
  });
  expect((await get(taskId)).result).toMatchObject({ status: 'completed' });
  // Of a task that is over it answers at once, on any node.
  expect((await ask(a, session, 'tasks/result', { taskId })).result).toMatchObject({ content: [{ text: '20' }] });
});

test('a JSON-RPC error of the call is the very error of tasks/result, and the task has failed: T25-RESULT-SAME-ERROR T25-FAILED-MESSAGE', async () => {
  const taskId = await newTask('fail', { how: 'protocol_error' });
  const { error, result } = await ask(b, session, 'tasks/result', { taskId });
  expect(result).toBeUndefined();
  expect(error).toEqual({ code: -32001, message: 'not today', data: { why: 'test' } });
  expect((await get(taskId)).result).toMatchObject({ status: 'failed', statusMessage: expect.any(String) });
});

test('a result that is an error is a failed task, and is the result all the same: T25-IS-ERROR-FAILED', async () => {
  const taskId = await newTask('fail', { how: 'tool_error' });
  expect((await ask(b, session, 'tasks/result', { taskId })).result).toMatchObject({ isError: true });
  expect((await get(taskId)).result).toMatchObject({ status: 'failed' });
});

describe('tasks/cancel', () => {
  test('shows the task as cancelled in its answer, and it stays so: T25-CANCEL-SHOWS T25-CANCELLED-STAYS T25-CANCEL-NO-RELATED T25-TERMINAL-STAYS', async () => {
    const taskId = await newTask('stubborn', { ms: 500 });
    const { result } = await ask(b, session, 'tasks/cancel', { taskId });
    expect(result).toMatchObject({ taskId, status: 'cancelled', createdAt: expect.stringMatching(ISO) });
    expect(result).not.toHaveProperty('_meta');
    // Longer than the tool takes to be done after all.
    await until(async () => !(await scene.own.store.attempts.readTail(taskId))?.runningItem, 'the end of the attempt');
    expect((await get(taskId)).result).toMatchObject({ status: 'cancelled' });
    const { error } = await ask(a, session, 'tasks/result', { taskId });
    expect(error).toMatchObject({ code: expect.any(Number), message: expect.any(String) });
  });

  test('of a task that is over is refused: T25-CANCEL-TERMINAL', async () => {
    for (const [tool, args] of [
      ['count', { n: 1 }],
      ['fail', { how: 'protocol_error' }],
    ] as const) {
      const taskId = await newTask(tool, args);
      await ask(a, session, 'tasks/result', { taskId });
      const before = await get(taskId);
      expect((await ask(b, session, 'tasks/cancel', { taskId })).error).toMatchObject({ code: -32602 });
      expect((await get(taskId)).result).toEqual(before.result);
    }
  });
});

test.each(['tasks/get', 'tasks/result', 'tasks/cancel'])(
  '%s of a task that there is not, or without an id, is -32602: T25-UNKNOWN-REFUSED',
  async (method) => {
    for (const params of [{ taskId: 'd0-0123456789abcdefghijkl' }, { taskId: 'x' }, { taskId: 7 }, {}]) {
      expect((await ask(a, session, method, params)).error, JSON.stringify(params)).toMatchObject({ code: -32602 });
    }
  },
);

test.each([
  ['tasks/list', {}],
  ['tasks/update', { taskId: 'x', inputResponses: {} }],
])('%s is not of this revision here: DECISION-OTHER-ERA-METHODS T25-LIST-UNDECLARED', async (method, params) => {
  expect((await ask(a, session, method, params)).error).toMatchObject({ code: -32601 });
});

test('progress of a call that became a task is told under its token as long as the task lives: T25-PROGRESS-TOKEN', async () => {
  const created = await create('steps', { values: [1, 2, 3], everyMs: 300 }, {}, { progressToken: 'mine' });
  const taskId = taskIdOf(created);
  const waiting = await request(b, session, { id: 'r', method: 'tasks/result', params: { taskId } });
  await waiting.over;
  const told = waiting.messages.filter((m) => m.method === 'notifications/progress').map((m) => m.params);
  expect(told.length).toBeGreaterThan(0);
  expect(told.at(-1)).toEqual({ progressToken: 'mine', progress: 3, total: 3, message: 'at 3' });
});

test('ttl must be a positive number of milliseconds: a task is refused by the name of the field', async () => {
  for (const ttl of [0, -1, 1.5, '60000', {}]) {
    expect((await create('count', { n: 1 }, { ttl })).error).toMatchObject({
      code: -32602,
      message: expect.stringContaining('ttl'),
    });
  }
});

describe('what the other revision adds', () => {
  test('params.task is nothing in 2026-07-28, and tasks/result and tasks/list are not there: DECISION-TASK-IGNORED-2026 DECISION-OTHER-ERA-METHODS', async () => {
    const plain = await rpc(a, 'tools/call', { name: 'quick', arguments: {}, task: { ttl: 5 } });
    expect(plain.result).toMatchObject({ resultType: 'complete' });
    for (const method of ['tasks/result', 'tasks/list']) {
      const { status, error } = await rpc(a, method, { taskId: 'x' });
      expect({ status, code: error?.code }).toEqual({ status: 404, code: -32601 });
    }
  });

  test('both see the same task in their own shapes: DECISION-ERAS-SHARE-TASKS', async () => {
    const taskId = await newTask('count', { n: 2 });
    await ask(a, session, 'tasks/result', { taskId });
    const old = (await get(taskId)).result;
    const modern = (await rpc(b, 'tasks/get', { taskId })).result;
    expect(modern).toMatchObject({
      taskId,
      status: old?.['status'],
      createdAt: old?.['createdAt'],
      lastUpdatedAt: old?.['lastUpdatedAt'],
      ttlMs: old?.['ttl'],
      pollIntervalMs: old?.['pollInterval'],
    });
    expect(old).not.toHaveProperty('ttlMs');
    expect(old).not.toHaveProperty('resultType');
    expect(modern).not.toHaveProperty('ttl');
  });
});

test('tools are all there is, in both revisions: what is not declared is not there: DECISION-TOOLS-ALONE', async () => {
  const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'bare', version: '1' } };
  const begun = await post(a, { id: 0, method: 'initialize', params });
  const older = ((await begun.json()) as { result: { capabilities: object } }).result.capabilities;
  // `experimental` holds our steering: extensions are younger than that revision.
  expect(Object.keys(older).toSorted()).toEqual(['experimental', 'tasks', 'tools']);
  const modern = (await rpc(a, 'server/discover', {})).result?.['capabilities'] as object;
  expect(Object.keys(modern).toSorted()).toEqual(['extensions', 'tools']);
  const elsewhere = ['prompts/list', 'resources/list', 'resources/templates/list', 'completion/complete'];
  for (const method of elsewhere) {
    expect((await ask(a, session, method, {})).error).toMatchObject({ code: -32601 });
    const { status, error } = await rpc(a, method, {});
    expect({ status, code: error?.code }).toEqual({ status: 404, code: -32601 });
  }
  expect((await ask(a, session, 'logging/setLevel', { level: 'info' })).error).toMatchObject({ code: -32601 });
});

describe('the session', () => {
  test('its id is visible ASCII and good on every node: T25-SESSION-ASCII DECISION-SESSION-SIGNED', async () => {
    expect(session).toMatch(/^[\x21-\x7e]+$/);
    expect((await ask(b, session, 'tools/list', {})).result).toMatchObject({ tools: expect.any(Array) });
  });

  test('a request with another one is 404, so that its client initializes again: T25-SESSION-GONE', async () => {
    const response = await post(b, { id: 1, method: 'tools/list' }, `${session.slice(0, -4)}AAAA`);
    expect(response.status).toBe(404);
    expect(await response.json()).toMatchObject({ id: 1, error: { code: -32001 } });
  });

  test('answers and notifications are accepted with 202 and no body: T25-ACCEPTED-202', async () => {
    for (const message of [
      { id: 'question:nobody:x', result: {} },
      { method: 'notifications/initialized' },
      { method: 'notifications/cancelled', params: { requestId: 'nothing' } },
      { method: 'notifications/cancelled', params: { nonsense: true } },
    ]) {
      const response = await post(a, message, session);
      expect({ status: response.status, body: await response.text() }).toEqual({ status: 202, body: '' });
    }
  });
});
