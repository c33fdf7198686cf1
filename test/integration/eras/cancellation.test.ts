/**
 * Requests of revision 2025-11-25 that end before they are answered: by `notifications/cancelled`, posted to another
 * front end than the one that serves the request, and by a front end that drains. The request's connection stays open
 * all the while, and only the server can end it.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
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

/** Hidden tasks are in the class of one hour. */
async function hiddenTasks(): Promise<string[]> {
  const { state } = await scene.own.broker.jsm.streams.info('TASKS_h_0', { subjects_filter: 'spec.>' });
  return Object.keys(state.subjects ?? {}).map((subject) => subject.slice(subject.lastIndexOf('.') + 1));
}

test('a call whose client goes away without a word goes on', async () => {
  const session = await initialize(a);
  const known = new Set(await hiddenTasks());
  const leaving = new AbortController();
  const asking = fetch(a, {
    method: 'POST',
    signal: leaving.signal,
    headers: {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      'mcp-session-id': session,
    },
    body: JSON.stringify({
      jsonrpc: '2.0',
      id: 1,
      method: 'tools/call',
      params: call('count', { n: 30, everyMs: 30 }),
    }),
  }).catch(() => undefined);
  let taskId: string | undefined;
  await until(async () => (taskId = (await hiddenTasks()).find((id) => !known.has(id))) !== undefined, 'the task');
  await asking;
  leaving.abort();
  await expect.poll(() => statusOf(taskId ?? ''), { timeout: 20_000 }).toBe('completed');
});

describe('a front end that drains', () => {
  async function plainCall(args: Record<string, unknown>, env: Record<string, string> = {}) {
    const leaving = await scene.frontEnd(env);
    const session = await initialize(leaving.endpoint);
    const known = new Set(await hiddenTasks());
    const waiting = await request(leaving.endpoint, session, {
      id: 'plain',
      method: 'tools/call',
      params: call('count', args),
    });
    const taskId = (await hiddenTasks()).find((id) => !known.has(id));
    leaving.kill('SIGTERM');
    return { leaving, waiting, taskId: taskId ?? '' };
  }

  test('waits for its plain calls, which nobody could ask for again', async () => {
    const { leaving, waiting } = await plainCall({ n: 30, everyMs: 50 });
    await waiting.over;
    expect(waiting.messages.at(-1)).toMatchObject({ id: 'plain', result: { content: [{ type: 'text', text: '30' }] } });
    expect(await leaving.exited).toEqual({ code: 0, signal: null });
  });

  test('but not for ever: what takes longer may be called again, and its task is cancelled', async () => {
    const { leaving, waiting, taskId } = await plainCall(
      { n: 100_000, everyMs: 50 },
      { TASKSTREAM_SHUTDOWN_MS_MAX: '4000' },
    );
    await waiting.over;
    expect(waiting.messages.at(-1)).toMatchObject({
      id: 'plain',
      error: {
        code: -32603,
        message: expect.stringContaining('call again'),
        data: { reason: 'temporarily_unavailable' },
      },
    });
    expect(await leaving.exited).toEqual({ code: 0, signal: null });
    await until(async () => (await statusOf(taskId)) === 'cancelled', 'the end of the task');
  });

  test('begins no call: it is refused before there is a task', async () => {
    const leaving = await scene.frontEnd();
    const session = await initialize(leaving.endpoint);
    // Keeps it there while it drains.
    const first = await request(leaving.endpoint, session, {
      id: 1,
      method: 'tools/call',
      params: call('count', { n: 40, everyMs: 50 }),
    });
    leaving.kill('SIGTERM');
    const known = await hiddenTasks();
    let refused: Record<string, unknown> | undefined;
    await until(async () => {
      const again = await request(leaving.endpoint, session, {
        id: 2,
        method: 'tools/call',
        params: call('quick', {}),
      });
      await again.over;
      refused = again.messages.at(-1)?.error;
      return refused !== undefined;
    }, 'a refusal');
    expect(refused).toMatchObject({ data: { reason: 'temporarily_unavailable' } });
    expect((await hiddenTasks()).length - known.length).toBeLessThan(5);
    await first.over;
    expect(first.messages.at(-1)).toMatchObject({ result: { content: [{ text: '40' }] } });
  });

  test('sends who waits for the result of a task elsewhere, and the task goes on', async () => {
    const leaving = await scene.frontEnd();
    const session = await initialize(a);
    const taskId = await createTask(session, 'count', { n: 60, everyMs: 50 });
    const waiting = await request(leaving.endpoint, session, { id: 'r', method: 'tasks/result', params: { taskId } });
    leaving.kill('SIGTERM');
    await waiting.over;
    expect(waiting.messages.at(-1)).toMatchObject({ id: 'r', error: { data: { reason: 'temporarily_unavailable' } } });
    const again = await request(b, session, { id: 'r2', method: 'tasks/result', params: { taskId } });
    await again.over;
    expect(again.messages.at(-1)).toMatchObject({ id: 'r2', result: { content: [{ text: '60' }] } });
  });
});
