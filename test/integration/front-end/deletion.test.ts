/** SEP2694-CLIENT-DELETES: `dev.taskstream/delete`, as clients see it, in both eras. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { callTask, readStream, rpc } from '../../support/rpc.js';
import { ask, initialize, taskIdOf } from '../eras/bare-2025.js';
import { openStreams, send, until } from './http.js';
import { startScene, type Scene } from './scene.js';

const DELETE = 'dev.taskstream/delete';
const UNKNOWN = { code: -32602, message: 'Unknown task: it does not exist, has expired, or is not yours' };
const AUTH = {
  TASKSTREAM_AUTH: 'static',
  TASKSTREAM_STATIC_TOKENS: 'local:a-token-of-some-length,bob:another-token-of-some-length',
};

let scene: Scene;
let a: string;
let b: string;
beforeAll(async () => {
  scene = await startScene({ env: { TASKSTREAM_SESSION_KEY: 'a-key-of-thirty-two-characters-at-least' } });
  a = scene.a.endpoint;
  b = scene.b.endpoint;
});
afterAll(() => scene[Symbol.asyncDispose]());

async function finished(): Promise<string> {
  const taskId = await callTask(a, 'count', { n: 5 });
  await readStream(a, taskId);
  await readStream(b, taskId);
  return taskId;
}

async function expectUnknown(taskId: string): Promise<void> {
  const session = await initialize(a);
  for (const endpoint of [a, b]) {
    for (const method of ['tasks/get', 'tasks/cancel', 'tasks/update', DELETE]) {
      const params = { taskId, ...(method === 'tasks/update' && { inputResponses: {} }) };
      expect((await rpc(endpoint, method, params)).error, method).toEqual(UNKNOWN);
    }
    expect((await readStream(endpoint, taskId)).error).toEqual(UNKNOWN);
    expect((await readStream(endpoint, taskId, 3)).error).toEqual(UNKNOWN);
    for (const method of ['tasks/get', 'tasks/result', 'tasks/cancel', 'tasks/stream', DELETE]) {
      expect((await ask(endpoint, session, method, { taskId })).error, method).toEqual(UNKNOWN);
    }
    const view = await send(endpoint, { method: 'GET', path: `/tasks/${taskId}/events` });
    expect(view.status).toBe(404);
  }
}

async function stored(taskId: string): Promise<string[]> {
  const left: string[] = [];
  for await (const { config } of scene.own.broker.jsm.streams.list()) {
    const { state } = await scene.own.broker.jsm.streams.info(config.name, { subjects_filter: '>' });
    left.push(...Object.keys(state.subjects ?? {}).filter((subject) => subject.includes(taskId)));
  }
  return left;
}

test('a task that is over goes, and is unknown to everything on every node', async () => {
  const taskId = await finished();
  const { status, result } = await rpc(b, DELETE, { taskId });
  expect({ status, result }).toEqual({ status: 200, result: { resultType: 'complete', _meta: expect.anything() } });
  expect(await stored(taskId)).toEqual([]);
  await expectUnknown(taskId);
});

test('a task that runs is cancelled first; its stream ends with that, and its worker serves on', async () => {
  const taskId = await callTask(a, 'count', { n: 100_000, everyMs: 10 });
  const reading = readStream(a, taskId);
  await until(async () => (await openStreams(a)) === 1, 'the stream');
  expect((await rpc(b, DELETE, { taskId })).error).toBeUndefined();
  const read = await reading;
  expect(JSON.parse(read.params.at(-1) ?? '')).toMatchObject({ payload: { status: 'cancelled' } });
  expect(read.result).toMatchObject({
    _meta: { 'dev.taskstream/stream': { reason: 'terminal', status: 'cancelled' } },
  });
  expect(await stored(taskId)).toEqual([]);
  await expectUnknown(taskId);
  await finished();
});

test('a tool that does not listen is fenced: what it does afterwards is stored nowhere', async () => {
  const taskId = await callTask(a, 'stubborn', { ms: 4_000 });
  await until(async () => (await readAttempts(taskId)) > 0, 'the attempt');
  const quick = await scene.frontEnd({ TASKSTREAM_CANCEL_GRACE_MS: '50' });
  expect((await rpc(quick.endpoint, DELETE, { taskId })).error).toBeUndefined();
  expect(await stored(taskId)).toEqual([]);
  await finished();
  expect(scene.worker?.log()).not.toContain('data_lost');
  expect(await stored(taskId)).toEqual([]);
});

async function readAttempts(taskId: string): Promise<number> {
  const tail = await scene.own.store.attempts.readTail(taskId);
  return tail?.attempt ?? 0;
}

test('revision 2025-11-25 has it too', async () => {
  const session = await initialize(a);
  const created = await ask(a, session, 'tools/call', { name: 'count', arguments: { n: 2 }, task: {} });
  const taskId = taskIdOf(created);
  const { result } = await ask(b, session, DELETE, { taskId });
  expect(result).toEqual({});
  await expectUnknown(taskId);
});

describe('it is refused', () => {
  test('to who does not own the task, as if there were none', async () => {
    const closed = await scene.frontEnd(AUTH);
    const bob = { authorization: 'Bearer another-token-of-some-length' };
    const taskId = await finished();
    expect((await rpc(closed.endpoint, DELETE, { taskId }, { headers: bob })).error).toEqual(UNKNOWN);
    expect((await rpc(a, 'tasks/get', { taskId })).result).toMatchObject({ status: 'completed' });
    const owner = { authorization: 'Bearer a-token-of-some-length' };
    expect((await rpc(closed.endpoint, DELETE, { taskId }, { headers: owner })).error).toBeUndefined();
    await expectUnknown(taskId);
  });

  test('without the extension, and without an id', async () => {
    const taskId = await finished();
    const bare = await rpc(a, DELETE, { taskId }, { capabilities: {} });
    expect(bare.error).toMatchObject({ code: -32021 });
    expect((await rpc(a, DELETE, { taskId: 7 })).error).toMatchObject({
      code: -32602,
      message: expect.stringContaining('taskId'),
    });
    expect((await rpc(a, 'tasks/get', { taskId })).result).toMatchObject({ status: 'completed' });
  });
});
