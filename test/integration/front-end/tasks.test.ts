/**
 * `tools/call`, `tasks/get`, `tasks/cancel` and `tasks/update` of the Tasks extension, over HTTP with real workers.
 */
import { EVENT_META_KEY } from '@taskstream/protocol';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { callTask, readStream, rpc, type RpcAnswer } from '../../support/rpc.js';
import { beginAttempt, createTask } from '../../support/task-logs.js';
import { asSent, jsonRpc, send, until } from './http.js';
import { IDLE_QUEUE, startScene, storedState, type Scene } from './scene.js';

const NO_EXTENSION = { capabilities: {} };
const KEY = 'dev.taskstream/idempotencyKey';
const ISO = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

let scene: Scene;
let a: string;
let b: string;

beforeAll(async () => {
  scene = await startScene();
  a = scene.a.endpoint;
  b = scene.b.endpoint;
});
afterAll(() => scene[Symbol.asyncDispose]());

const call = (endpoint: string, name: string, args: Record<string, unknown>, options = {}): Promise<RpcAnswer> =>
  rpc(endpoint, 'tools/call', { name, arguments: args }, options);
const get = (endpoint: string, taskId: string): Promise<RpcAnswer> => rpc(endpoint, 'tasks/get', { taskId });

async function ended(endpoint: string, taskId: string): Promise<Record<string, unknown>> {
  let result: Record<string, unknown> = {};
  await until(async () => {
    result = (await get(endpoint, taskId)).result ?? {};
    return ['completed', 'failed', 'cancelled'].includes(String(result['status']));
  }, `the end of ${taskId}`);
  return result;
}

/** Ids of all tasks that were made since the store was empty. */
async function specCount(): Promise<number> {
  let count = 0;
  for await (const { config } of scene.own.broker.jsm.streams.list()) {
    if (!config.name.startsWith('TASKS_')) continue;
    const { state } = await scene.own.broker.jsm.streams.info(config.name, { subjects_filter: 'spec.>' });
    count += Object.keys(state.subjects ?? {}).length;
  }
  return count;
}

describe('tools/call with the extension', () => {
  test('gives a flat task at once, and it is there on another front end', async () => {
    for (let i = 0; i < 10; i++) {
      const { status, result } = await call(a, 'unserved', { text: String(i) });
      expect(status).toBe(200);
      const { taskId } = result as { taskId: string };
      expect(result).toEqual({
        resultType: 'task',
        taskId: expect.stringMatching(/^h0-[A-Za-z0-9_-]{22}$/),
        status: 'working',
        createdAt: expect.stringMatching(ISO),
        lastUpdatedAt: result!['createdAt'],
        ttlMs: 3_600_000,
        pollIntervalMs: 1_000,
        _meta: { 'io.modelcontextprotocol/serverInfo': { name: 'taskstream', version: '0.1.0' } },
      });
      const there = await get(b, taskId);
      expect(there.result).toMatchObject({ resultType: 'complete', taskId, status: 'working', ttlMs: 3_600_000 });
      expect(there.result).not.toHaveProperty('result');
    }
  });

  test('ignores params.task: the server decides', async () => {
    const { result } = await rpc(a, 'tools/call', { name: 'quick', arguments: {}, task: { ttl: 1 } });
    expect(result).toMatchObject({ resultType: 'complete', content: [{ text: 'Hello, world!' }] });
  });

  test('a tool that forbids tasks answers plainly', async () => {
    const { result } = await call(a, 'quick', { name: 'Ada' });
    expect(result).toMatchObject({ resultType: 'complete', content: [{ type: 'text', text: 'Hello, Ada!' }] });
    expect(result).not.toHaveProperty('taskId');
  });

  test('a tool that requires tasks gives one', async () => {
    const taskId = await callTask(a, 'task_only', {});
    expect(await ended(b, taskId)).toMatchObject({ status: 'completed', result: { content: [{ text: 'done' }] } });
  });
});

describe('tools/call without the extension', () => {
  test('a tool that requires tasks is refused with what is missing, and nothing is made', async () => {
    const before = await specCount();
    const answer = await call(a, 'task_only', {}, NO_EXTENSION);
    expect(answer).toMatchObject({
      status: 400,
      error: {
        code: -32021,
        data: { requiredCapabilities: { extensions: { 'io.modelcontextprotocol/tasks': {} } } },
      },
    });
    expect(await specCount()).toBe(before);
  });

  test('an optional one answers with its result, whatever it is', async () => {
    const done = await call(a, 'count', { n: 3 }, NO_EXTENSION);
    expect(done.result).toMatchObject({ resultType: 'complete', content: [{ type: 'text', text: '3' }] });
    expect(done.result).not.toHaveProperty('taskId');
    const bad = await call(a, 'fail', { how: 'tool_error' }, NO_EXTENSION);
    expect(bad.result).toMatchObject({ isError: true, content: [{ text: 'the tool says no' }] });
    const failed = await call(a, 'fail', { how: 'protocol_error' }, NO_EXTENSION);
    expect(failed.error).toEqual({ code: -32001, message: 'not today', data: { why: 'test' } });
  });

  test('a caller that goes away cancels the task that it did not see', async () => {
    const known = await hiddenTasks();
    const abort = new AbortController();
    const calling = call(a, 'count', { n: 1_000, everyMs: 50 }, { ...NO_EXTENSION, signal: abort.signal });
    const gone = expect(calling).rejects.toThrow(/abort/i);
    const taskId = await newHiddenTask(known);
    await readStream(b, taskId, undefined, { stop: (p) => p.includes('com.example.count') });
    abort.abort();
    await gone;
    expect(await ended(b, taskId)).toMatchObject({ status: 'cancelled' });
  });

  test('a call that takes too long is an error and cancels its task', async () => {
    const impatient = await scene.frontEnd({ TASKSTREAM_CALL_MS_MAX: '500' });
    const known = await hiddenTasks();
    const { error } = await call(impatient.endpoint, 'count', { n: 10_000, everyMs: 50 }, NO_EXTENSION);
    expect(error).toMatchObject({ code: -32603, message: expect.stringContaining('no result within 500 ms') });
    expect(await ended(b, await newHiddenTask(known))).toMatchObject({ status: 'cancelled' });
  });

  test('a front end that drains waits for its calls', async () => {
    const leaving = await scene.frontEnd();
    const known = await hiddenTasks();
    const calling = call(leaving.endpoint, 'count', { n: 40, everyMs: 50 }, NO_EXTENSION);
    await newHiddenTask(known);
    leaving.kill('SIGTERM');
    expect((await calling).result).toMatchObject({ content: [{ type: 'text', text: '40' }] });
    expect(await leaving.exited).toEqual({ code: 0, signal: null });
  });

  test('but not for ever: what takes longer is answered with an error, and its task is cancelled', async () => {
    const leaving = await scene.frontEnd({ TASKSTREAM_SHUTDOWN_MS_MAX: '4000' });
    const known = await hiddenTasks();
    const calling = call(leaving.endpoint, 'count', { n: 10_000, everyMs: 50 }, NO_EXTENSION);
    const taskId = await newHiddenTask(known);
    leaving.kill('SIGTERM');
    const { status, error } = await calling;
    expect({ status, error }).toMatchObject({
      status: 200,
      error: { code: -32603, data: { reason: 'temporarily_unavailable' } },
    });
    expect(await leaving.exited).toEqual({ code: 0, signal: null });
    expect(await ended(b, taskId)).toMatchObject({ status: 'cancelled' });
  });
});

/** Hidden tasks are short-lived: they are in the class of one hour. */
async function hiddenTasks(): Promise<Set<string>> {
  const { state } = await scene.own.broker.jsm.streams.info('TASKS_h_0', { subjects_filter: 'spec.>' });
  return new Set(Object.keys(state.subjects ?? {}).map((subject) => subject.slice(subject.lastIndexOf('.') + 1)));
}

async function newHiddenTask(known: ReadonlySet<string>): Promise<string> {
  let taskId: string | undefined;
  await until(async () => {
    taskId = [...(await hiddenTasks())].find((id) => !known.has(id));
    return taskId !== undefined && (await get(b, taskId)).result !== undefined;
  }, 'a hidden task');
  return taskId as string;
}

describe('a call that is no good', () => {
  test.each([
    ['a wrong type', 'count', { n: 'three' }, /\bn: must be integer \(got string\)/],
    ['a missing field', 'count', {}, /\bn: required, got nothing/],
    ['a value out of range', 'count', { n: 1, everyMs: -1 }, /everyMs: must be >= 0 \(got integer\)/],
    ['no arguments at all', 'count', undefined, /\bn: required/],
    ['a choice that is none', 'fail', { how: 'otherwise' }, /how: must be equal to one of the allowed values/],
  ])('%s is named, and nothing is made', async (_what, name, args, message) => {
    const before = await storedState(scene);
    for (const options of [{}, NO_EXTENSION]) {
      const { result } = await call(a, name, args as Record<string, unknown>, options);
      expect(result).toMatchObject({
        resultType: 'complete',
        isError: true,
        content: [{ type: 'text', text: expect.stringMatching(message) }],
      });
      expect(JSON.stringify(result)).not.toContain('three');
    }
    expect(await storedState(scene)).toEqual(before);
  });

  test.each([['nope'], ['__proto__'], ['x'.repeat(5_000)], ['']])('a tool that nobody has: %.10s', async (name) => {
    const before = await storedState(scene);
    const { status, error } = await call(a, name, {});
    expect(status).toBe(200);
    expect(error).toMatchObject({ code: -32602, message: expect.stringMatching(/^Unknown tool: .{0,80}$/) });
    expect(await storedState(scene)).toEqual(before);
  });

  test.each([
    [{ name: 7, arguments: {} }, 'name'],
    [{ name: 'count', arguments: [] }, 'arguments'],
    [{ name: 'count', arguments: 'n' }, 'arguments'],
    [{ arguments: {} }, 'name'],
  ])('params %j are refused by the name of the field', async (params, field) => {
    const before = await storedState(scene);
    const { error } = await rpc(a, 'tools/call', params, {
      headers: { 'mcp-name': 'count' },
    });
    expect(error).toMatchObject({ code: -32602, message: expect.stringContaining(field) });
    expect(await storedState(scene)).toEqual(before);
  });

  test('arguments that fit into a request and not into the store are refused, and no task is made', async () => {
    const before = await specCount();
    const sent = asSent('tools/call', { name: 'unserved', arguments: { numbers: '$NUMBERS' } });
    // Four characters on the wire, twenty-one where numbers are written out.
    const numbers = Array.from({ length: 200_000 }, () => '1e20').join(',');
    const answer = await send(a, { ...sent, body: sent.body.replace('"$NUMBERS"', `[${numbers}]`) });
    expect(answer.status).toBe(200);
    expect(jsonRpc(answer).error).toMatchObject({ code: -32602, message: expect.stringContaining('too large') });
    expect(await specCount()).toBe(before);
  });
});

describe('an idempotency key', () => {
  test('gives the same task to every retry on any front end, and runs it once', async () => {
    const meta = { [KEY]: 'same-call' };
    const before = await specCount();
    const answers = await Promise.all([a, b, a, b].map((e) => call(e, 'count', { n: 3 }, { meta })));
    const ids = new Set(answers.map((answer) => answer.result?.['taskId']));
    expect(ids.size).toBe(1);
    const [taskId] = [...ids] as string[];
    await ended(a, taskId!);
    const later = await call(b, 'count', { n: 3 }, { meta });
    expect(later.result).toMatchObject({ resultType: 'task', taskId, status: 'completed' });
    expect(await specCount()).toBe(before + 1);
    const { params } = await readStream(a, taskId!);
    expect(params.filter((p) => p.includes('attempt.started'))).toHaveLength(1);
    expect(params.filter((p) => p.includes('com.example.count'))).toHaveLength(3);
  });

  test('refuses another call under the same key', async () => {
    const meta = { [KEY]: 'first-come' };
    const first = await call(a, 'unserved', { text: 'one' }, { meta });
    expect(first.result).toMatchObject({ resultType: 'task' });
    const before = await storedState(scene);
    for (const endpoint of [a, b]) {
      const { error } = await call(endpoint, 'unserved', { text: 'two' }, { meta });
      expect(error).toMatchObject({ code: -32602, message: expect.stringContaining('idempotency key') });
    }
    expect(await storedState(scene)).toEqual(before);
  });

  test.each([[''], ['x'.repeat(201)], [7], [null]])('of %j is refused by its name', async (key) => {
    const before = await storedState(scene);
    const { error } = await call(a, 'count', { n: 1 }, { meta: { [KEY]: key } });
    expect(error).toMatchObject({ code: -32602, message: expect.stringContaining(`_meta.${KEY}`) });
    expect(await storedState(scene)).toEqual(before);
  });

  test('whose task has expired gives no task that could not be read', async () => {
    const meta = { [KEY]: 'short-lived' };
    const first = await call(a, 'brief', {}, { meta });
    const taskId = String(first.result?.['taskId']);
    await until(async () => (await get(b, taskId)).error !== undefined, 'its expiry');
    for (const endpoint of [a, b]) {
      const { error } = await call(endpoint, 'brief', {}, { meta });
      expect(error).toMatchObject({ code: -32602, message: expect.stringContaining('expired') });
    }
  });
});

describe('tasks/get', () => {
  test('of a completed task inlines what the call would have returned', async () => {
    const result = await ended(b, await callTask(a, 'count', { n: 2 }));
    expect(result).toEqual({
      resultType: 'complete',
      taskId: expect.any(String),
      status: 'completed',
      createdAt: expect.stringMatching(ISO),
      lastUpdatedAt: expect.stringMatching(ISO),
      ttlMs: 86_400_000,
      pollIntervalMs: 1_000,
      result: { resultType: 'complete', content: [{ type: 'text', text: '2' }] },
      _meta: { 'io.modelcontextprotocol/serverInfo': { name: 'taskstream', version: '0.1.0' } },
    });
    expect(Date.parse(String(result['lastUpdatedAt']))).toBeGreaterThan(Date.parse(String(result['createdAt'])));
  });

  test.each([
    ['tool_error', 'the tool says no'],
    ['error', 'an ordinary error'],
    ['is_error', 'bad news'],
  ])('of a tool that ends by %s is completed with an error result', async (how, text) => {
    const result = await ended(b, await callTask(a, 'fail', { how }));
    expect(result).toMatchObject({ status: 'completed', result: { isError: true, content: [{ text }] } });
    expect(result).not.toHaveProperty('error');
  });

  test('of a failed task inlines the JSON-RPC error', async () => {
    const result = await ended(b, await callTask(a, 'fail', { how: 'protocol_error' }));
    expect(result).toMatchObject({
      resultType: 'complete',
      status: 'failed',
      statusMessage: 'not today',
      error: { code: -32001, message: 'not today', data: { why: 'test' } },
    });
    expect(result).not.toHaveProperty('result');
  });

  test('of a task that asks inlines what it asks; answers go to its mailbox, others are ignored', async () => {
    const spec = await createTask(scene.own, { queue: IDLE_QUEUE });
    const { taskId } = spec;
    const log = await beginAttempt(scene.own, spec);
    const request = { method: 'elicitation/create', params: { mode: 'form', message: 'Who?' } };
    await log.appendStatus({ status: 'input_required', inputRequests: { 'q-1': request } });
    for (const endpoint of [a, b]) {
      const { result } = await get(endpoint, taskId);
      expect(result).toMatchObject({ status: 'input_required', inputRequests: { 'q-1': request } });
    }
    const commands: unknown[] = [];
    const stop = new AbortController();
    await scene.own.store.attempts.followMailbox(taskId, (c) => commands.push(c), stop.signal);
    const answer = { action: 'accept', content: { name: 'Ada' } };
    const update = (inputResponses: Record<string, unknown>) => rpc(b, 'tasks/update', { taskId, inputResponses });
    const empty = { resultType: 'complete', _meta: expect.anything() };
    expect((await update({ 'never-asked': answer })).result).toEqual(empty);
    expect((await update({ 'q-1': answer, 'never-asked': answer })).result).toEqual(empty);
    await until(() => commands.length > 0, 'the answer in the mailbox');
    expect(commands).toEqual([{ type: 'input', key: 'q-1', response: answer }]);
    await log.appendStatus({ status: 'working', statusMessage: 'thank you' });
    expect((await get(a, taskId)).result).toMatchObject({ status: 'working', statusMessage: 'thank you' });
    expect((await get(a, taskId)).result).not.toHaveProperty('inputRequests');
    const before = await storedState(scene);
    expect((await update({ 'q-1': answer })).result).toEqual(empty);
    expect(await storedState(scene)).toEqual(before);
    stop.abort();
  });
});

describe('tasks/cancel', () => {
  const cancel = (endpoint: string, taskId: string) => rpc(endpoint, 'tasks/cancel', { taskId });
  const acknowledged = { resultType: 'complete', _meta: expect.anything() };

  test('of a running task is acknowledged, and the task ends', async () => {
    const taskId = await callTask(a, 'count', { n: 10_000, everyMs: 20 });
    await readStream(b, taskId, undefined, { stop: (p) => p.includes('com.example.count') });
    expect((await cancel(b, taskId)).result).toEqual(acknowledged);
    expect(await ended(a, taskId)).toMatchObject({ status: 'cancelled' });
    const { params, result } = await readStream(a, taskId);
    expect(JSON.parse(params.at(-1)!)).toMatchObject({ payload: { status: 'cancelled' } });
    expect(result).toMatchObject({ _meta: { 'dev.taskstream/stream': { reason: 'terminal', status: 'cancelled' } } });
  });

  test('of a task that no worker has begun ends it at once, written by the front end', async () => {
    const taskId = await callTask(a, 'unserved', {});
    expect((await cancel(b, taskId)).result).toEqual(acknowledged);
    expect((await get(a, taskId)).result).toMatchObject({ status: 'cancelled' });
    const { params } = await readStream(a, taskId);
    expect(params).toHaveLength(2);
    expect(JSON.parse(params[1]!)).toMatchObject({
      payload: { status: 'cancelled' },
      _meta: { [EVENT_META_KEY]: { attempt: 0, worker: 'front-end' } },
    });
  });

  test('of a task that is over is acknowledged and changes nothing', async () => {
    const taskId = await callTask(a, 'count', { n: 1 });
    const over = await ended(a, taskId);
    const before = await storedState(scene);
    for (const endpoint of [a, b]) expect((await cancel(endpoint, taskId)).result).toEqual(acknowledged);
    expect((await get(b, taskId)).result).toEqual(over);
    expect(await storedState(scene)).toEqual(before);
  });

  test('twice at once on two front ends ends a waiting task once', async () => {
    const taskId = await callTask(a, 'unserved', {});
    const answers = await Promise.all([a, b, a, b].map((endpoint) => cancel(endpoint, taskId)));
    for (const { result } of answers) expect(result).toEqual(acknowledged);
    const { params } = await readStream(a, taskId);
    expect(params.map((p) => JSON.parse(p).payload.status)).toEqual(['working', 'cancelled']);
  });
});

test.each([['tasks/get'], ['tasks/cancel'], ['tasks/update'], ['tasks/stream']])(
  '%s needs the extension, before anything is said of the task',
  async (method) => {
    const taskId = await callTask(a, 'unserved', {});
    const before = await storedState(scene);
    for (const id of [taskId, 'd0-nobody-has-this-task-0', 'nonsense']) {
      const params = { taskId: id, ...(method === 'tasks/update' && { inputResponses: {} }) };
      const answer = await rpc(a, method, params, NO_EXTENSION);
      expect(answer).toMatchObject({ status: 400, error: { code: -32021 } });
    }
    expect(await storedState(scene)).toEqual(before);
  },
);
