/**
 * `notifications/cancelled` of revision 2025-11-25, posted to another front end than the one that serves the request:
 * the request's connection stays open all the while, and only the server can end it.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { rpc } from '../../support/rpc.js';
import { openStreams, until } from '../front-end/http.js';
import { startScene, type Scene } from '../front-end/scene.js';
import { initialize, post, request, type Waiting } from './bare-2025.js';

const EVENT = 'notifications/tasks/event';

let scene: Scene;
let a: string;
let b: string;

beforeAll(async () => {
  scene = await startScene({ env: { TASKSTREAM_SESSION_KEY: 'a-key-of-thirty-two-characters-at-least' } });
  a = scene.a.endpoint;
  b = scene.b.endpoint;
});
afterAll(() => scene[Symbol.asyncDispose]());

async function createTask(session: string, tool: string, args: Record<string, unknown>): Promise<string> {
  const waiting = await request(a, session, { id: 'create', method: 'tools/call', params: call(tool, args, true) });
  await waiting.over;
  const task = waiting.messages.at(-1)?.result?.['task'] as { taskId: string } | undefined;
  if (task === undefined) throw new Error(`no task: ${JSON.stringify(waiting.messages)}`);
  return task.taskId;
}

const call = (name: string, args: Record<string, unknown>, asTask = false) => ({
  name,
  arguments: args,
  ...(asTask && { task: {} }),
});

async function cancel(endpoint: string, session: string, requestId: string | number): Promise<void> {
  const response = await post(endpoint, { method: 'notifications/cancelled', params: { requestId } }, session);
  expect(response.status).toBe(202);
  await response.text();
}

const statusOf = async (taskId: string) => (await rpc(b, 'tasks/get', { taskId })).result?.['status'];
const responses = ({ messages }: Waiting) => messages.filter((m) => m.method === undefined);

test('a stream ends without a response, and the task goes on', async () => {
  const session = await initialize(a);
  const before = await openStreams(a);
  const taskId = await createTask(session, 'count', { n: 10_000, everyMs: 20 });
  const stream = await request(a, session, { id: 'stream-1', method: 'tasks/stream', params: { taskId } });
  await until(() => stream.messages.filter((m) => m.method === EVENT).length > 5, 'some events');
  await cancel(b, session, 'stream-1');
  await until(() => stream.isOver(), 'the end of the stream');
  expect(responses(stream)).toEqual([]);
  await until(async () => (await openStreams(a)) === before, 'a free place');
  expect(await statusOf(taskId)).toBe('working');
  // The same connection rules hold for what comes next: the place of the task is free again.
  const again = await request(a, session, { id: 'stream-2', method: 'tasks/stream', params: { taskId, after: 5 } });
  await until(() => again.messages.some((m) => m.method === EVENT), 'events again');
  await rpc(b, 'tasks/cancel', { taskId });
  await again.over;
  expect(responses(again)).toHaveLength(1);
});

test('only the request that is meant ends: not that of another session, nor one of another id', async () => {
  const [session, other] = [await initialize(a), await initialize(a)];
  const taskId = await createTask(session, 'count', { n: 10_000, everyMs: 20 });
  const stream = await request(a, session, { id: 7, method: 'tasks/stream', params: { taskId } });
  await cancel(b, other, 7);
  await cancel(b, session, '7');
  await cancel(b, session, 8);
  const seen = stream.messages.length;
  await until(() => stream.messages.length > seen + 20, 'more events');
  expect(stream.isOver()).toBe(false);
  await cancel(b, session, 7);
  await until(() => stream.isOver(), 'the end of the stream');
  await rpc(b, 'tasks/cancel', { taskId });
});

test('waiting for a result ends without a response, and the task goes on', async () => {
  const session = await initialize(a);
  const taskId = await createTask(session, 'count', { n: 10_000, everyMs: 20 });
  const waiting = await request(a, session, { id: 'result', method: 'tasks/result', params: { taskId } });
  await until(() => waiting.messages.length > 0, 'a status');
  await cancel(b, session, 'result');
  await until(() => waiting.isOver(), 'the end of the wait');
  expect(responses(waiting)).toEqual([]);
  expect(await statusOf(taskId)).toBe('working');
  await rpc(b, 'tasks/cancel', { taskId });
});

test('a plain call ends without a response, and so does the task that nobody else knows of', async () => {
  const session = await initialize(a, { elicitation: {} });
  const waiting = await request(a, session, { id: 'call', method: 'tools/call', params: call('ask_quickly', {}) });
  await until(() => waiting.messages.length > 0, 'a question');
  const question = waiting.messages[0];
  expect(question).toMatchObject({ method: 'elicitation/create' });
  expect(question).not.toHaveProperty('params._meta');
  const taskId = String(question?.id).split(':')[1] ?? '';
  expect(await statusOf(taskId)).toBe('input_required');
  await cancel(b, session, 'call');
  await until(() => waiting.isOver(), 'the end of the call');
  expect(responses(waiting)).toEqual([]);
  await until(async () => (await statusOf(taskId)) === 'cancelled', 'the end of its task');
});
