/**
 * `subscriptions/listen` with task ids: the Tasks extension's notifications, held against what `tasks/get` says on
 * another front end at the same moment.
 */
import type { TaskSpec } from '@taskstream/core';
import { openToolPublisher } from '@taskstream/jetstream';
import type { StatusPayload } from '@taskstream/protocol';
import { createParser } from 'eventsource-parser';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CAPABILITIES_WITH_TASKS, callTask, rpc, rpcRequest, type RpcOptions } from '../../support/rpc.js';
import { createTask, runningTask } from '../../support/task-logs.js';
import { openStreams, until } from '../front-end/http.js';
import { IDLE_QUEUE, startScene, UNSERVED, type Scene } from '../front-end/scene.js';

const SUBSCRIPTION_ID = 'io.modelcontextprotocol/subscriptionId';
const ACKNOWLEDGED = 'notifications/subscriptions/acknowledged';
const DONE: StatusPayload = { status: 'completed', result: { content: [{ type: 'text', text: 'done' }] } };

interface Message {
  readonly id?: unknown;
  readonly method?: string;
  readonly params?: Record<string, unknown>;
  readonly result?: Record<string, unknown>;
}

interface Listening {
  readonly requestId: unknown;
  readonly messages: Message[];
  readonly comments: string[];
  /** Resolves when the server has closed the stream, or the test. */
  readonly over: Promise<'closed' | 'broken'>;
  close(): void;
}

let scene: Scene;
let a: string;
let b: string;

beforeAll(async () => {
  scene = await startScene({ env: { TASKSTREAM_DRAIN_SPREAD_MS: '200' } });
  a = scene.a.endpoint;
  b = scene.b.endpoint;
});
afterAll(() => scene[Symbol.asyncDispose]());

async function listen(
  endpoint: string,
  notifications: Record<string, unknown>,
  options: RpcOptions = {},
): Promise<Listening> {
  const abort = new AbortController();
  const init = rpcRequest('subscriptions/listen', { notifications }, options);
  const response = await fetch(endpoint, { ...init, signal: abort.signal });
  expect(response.headers.get('content-type')).toBe('text/event-stream');
  const messages: Message[] = [];
  const comments: string[] = [];
  const parser = createParser({
    onEvent: ({ data }) => void messages.push(JSON.parse(data) as Message),
    onComment: (comment) => void comments.push(comment),
  });
  const decoder = new TextDecoder();
  const read = async () => {
    for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
      parser.feed(decoder.decode(chunk, { stream: true }));
    }
    return 'closed' as const;
  };
  return {
    requestId: (JSON.parse(init.body as string) as { id: unknown }).id,
    messages,
    comments,
    over: read().catch(() => 'broken' as const),
    close: () => abort.abort(),
  };
}

/** What `tasks/get` says, as a notification would: without the fields of a result. */
async function got(taskId: string): Promise<Record<string, unknown>> {
  const { resultType, _meta, ...task } = (await rpc(b, 'tasks/get', { taskId })).result ?? {};
  expect(resultType).toBe('complete');
  expect(_meta).toBeDefined();
  return task;
}

const told = (listening: Listening) => listening.messages.filter((m) => m.method === 'notifications/tasks');
const taskOf = (message: Message | undefined): Record<string, unknown> => {
  const { _meta, ...task } = message?.params ?? {};
  expect(_meta).toBeDefined();
  return task;
};

/** Every message of a subscription names it, the response included. */
function expectNamed({ messages, requestId }: Listening): void {
  expect(messages.length).toBeGreaterThan(0);
  for (const { params, result } of messages) {
    expect((params ?? result)?.['_meta']).toMatchObject({ [SUBSCRIPTION_ID]: requestId });
  }
}

/** The graceful end: the response to the request, and nothing after it; announced when there was more to tell. */
function expectGraceful({ messages, requestId }: Listening, tornDown?: 'draining'): void {
  const cancelled = messages.filter((m) => m.method === 'notifications/cancelled');
  if (tornDown === undefined) expect(cancelled).toEqual([]);
  else {
    expect(cancelled).toEqual([messages.at(-2)]);
    expect(cancelled[0]?.params).toMatchObject({ requestId, reason: tornDown });
  }
  expect(messages.at(-1)).toEqual({
    jsonrpc: '2.0',
    id: requestId,
    result: {
      resultType: 'complete',
      _meta: {
        [SUBSCRIPTION_ID]: requestId,
        'io.modelcontextprotocol/serverInfo': { name: 'taskstream', version: '0.1.0' },
      },
    },
  });
  expect(messages.filter((m) => m.result !== undefined)).toHaveLength(1);
}

test('the acknowledgement comes first and leaves out what is not the caller’s', async () => {
  const mine = await runningTask(scene.own, { queue: IDLE_QUEUE });
  const foreign = await createTask(scene.own, { owner: 'somebody-else', queue: IDLE_QUEUE });
  const { taskId } = mine.spec;
  const asked = [foreign.taskId, taskId, 'd0-nobody-has-this-task-0', 'nonsense', taskId];
  const listening = await listen(a, { taskIds: asked });
  await until(() => told(listening).length > 0, 'the present state');
  expect(listening.messages[0]).toMatchObject({
    method: ACKNOWLEDGED,
    params: { notifications: { taskIds: [taskId] } },
  });
  expect(listening.messages[0]?.params?.['notifications']).toEqual({ taskIds: [taskId] });
  await mine.log.appendStatus(DONE);
  expect(await listening.over).toBe('closed');
  expect(new Set(told(listening).map((m) => m.params?.['taskId']))).toEqual(new Set([taskId]));
  expectNamed(listening);
  expectGraceful(listening);
});

test('nothing of the caller’s is acknowledged as nothing, and over', async () => {
  const foreign = await createTask(scene.own, { owner: 'somebody-else', queue: IDLE_QUEUE });
  const listening = await listen(a, { taskIds: [foreign.taskId, 'd0-nobody-has-this-task-0'] });
  expect(await listening.over).toBe('closed');
  expect(listening.messages).toHaveLength(2);
  expect(listening.messages[0]).toMatchObject({ method: ACKNOWLEDGED, params: { notifications: { taskIds: [] } } });
  expectGraceful(listening);
});

test('the present state comes first, then every change, each the whole task as tasks/get has it', async () => {
  const { spec, log } = await runningTask(scene.own, { queue: IDLE_QUEUE });
  const { taskId } = spec;
  const request = { method: 'elicitation/create', params: { mode: 'form', message: 'Who?' } };
  const changes: StatusPayload[] = [
    { status: 'working', statusMessage: 'thinking' },
    { status: 'input_required', inputRequests: { 'q-1': request } },
    { status: 'working' },
    { status: 'working', statusMessage: 'almost' },
    DONE,
  ];
  await log.appendStatus({ status: 'working', statusMessage: 'before anybody listens' });
  const listening = await listen(a, { taskIds: [taskId] });
  await until(() => told(listening).length === 1, 'the present state');
  const seen = [await got(taskId)];
  expect(seen[0]).toMatchObject({ statusMessage: 'before anybody listens' });
  for (const change of changes) {
    await log.append([{ type: 'com.example.step', payload: {} }]);
    await log.appendStatus(change);
    seen.push(await got(taskId));
    await until(() => told(listening).length === seen.length, `news of ${JSON.stringify(change)}`);
  }
  expect(await listening.over).toBe('closed');
  expect(told(listening).map(taskOf)).toEqual(seen);
  expect(seen[2]).toMatchObject({ status: 'input_required', inputRequests: { 'q-1': request } });
  expect(seen.at(-1)).toMatchObject({ status: 'completed', result: { resultType: 'complete', ...DONE.result } });
  expectNamed(listening);
  expectGraceful(listening);
});

test.each<[string, StatusPayload, Record<string, unknown>]>([
  ['failed', { status: 'failed', error: { code: -32001, message: 'no' } }, { error: { code: -32001, message: 'no' } }],
  ['cancelled', { status: 'cancelled', statusMessage: 'enough' }, { statusMessage: 'enough' }],
])('a task that ends as %s is told with what belongs to it', async (status, payload, fields) => {
  const { spec, log } = await runningTask(scene.own, { queue: IDLE_QUEUE });
  const listening = await listen(a, { taskIds: [spec.taskId] });
  await until(() => told(listening).length === 1, 'the present state');
  await log.appendStatus(payload);
  expect(await listening.over).toBe('closed');
  const last = taskOf(told(listening).at(-1));
  expect(last).toEqual(await got(spec.taskId));
  expect(last).toMatchObject({ status, ...fields });
});

test('a task that is over already is told once, and the subscription is over', async () => {
  const { spec, log } = await runningTask(scene.own, { queue: IDLE_QUEUE });
  await log.appendStatus(DONE);
  const listening = await listen(a, { taskIds: [spec.taskId] });
  expect(await listening.over).toBe('closed');
  expect(told(listening).map(taskOf)).toEqual([await got(spec.taskId)]);
  expectGraceful(listening);
});

test('several tasks share a subscription, each in its own order, without their events', async () => {
  const taskIds = await Promise.all(Array.from({ length: 5 }, () => callTask(b, 'count', { n: 20, everyMs: 20 })));
  const listening = await listen(a, { taskIds });
  expect(await listening.over).toBe('closed');
  for (const taskId of taskIds) {
    const statuses = told(listening)
      .filter((m) => m.params?.['taskId'] === taskId)
      .map((m) => m.params?.['status']);
    expect(statuses[0]).toBe('working');
    expect(statuses.at(-1)).toBe('completed');
    expect(statuses.filter((s) => s === 'completed')).toHaveLength(1);
  }
  const methods = new Set(listening.messages.map((m) => m.method ?? 'result'));
  expect(methods).toEqual(new Set([ACKNOWLEDGED, 'notifications/tasks', 'result']));
  expectNamed(listening);
});

test('changes of the tool list are told beside those of tasks, and outlive them', async () => {
  const { spec, log } = await runningTask(scene.own, { queue: IDLE_QUEUE });
  const listening = await listen(a, { taskIds: [spec.taskId], toolsListChanged: true });
  await until(() => told(listening).length === 1, 'the present state');
  expect(listening.messages[0]?.params?.['notifications']).toEqual({ taskIds: [spec.taskId], toolsListChanged: true });
  await log.appendStatus(DONE);
  await until(() => told(listening).length === 2, 'the end of the task');
  const publisher = await openToolPublisher(scene.own.broker, scene.own.options);
  await publisher.publish([{ ...UNSERVED, description: 'Described anew' }]);
  await until(() => listening.messages.some((m) => m.method === 'notifications/tools/list_changed'), 'the change');
  expectNamed(listening);
  expect(listening.messages.filter((m) => m.result !== undefined)).toEqual([]);
  listening.close();
  await listening.over;
});

test('a subscription that its client leaves is forgotten', async () => {
  const before = await openStreams(a);
  const { spec, log } = await runningTask(scene.own, { queue: IDLE_QUEUE });
  const listening = await listen(a, { taskIds: [spec.taskId] });
  await until(async () => (await openStreams(a)) === before + 1, 'a counted subscription');
  listening.close();
  await until(async () => (await openStreams(a)) === before, 'a forgotten subscription');
  expect(await listening.over).toBe('broken');
  await log.appendStatus(DONE);
});

describe('a front end that leaves', () => {
  async function twoTasks(): Promise<{ taskIds: string[]; end: () => Promise<void> }> {
    const tasks = [
      await runningTask(scene.own, { queue: IDLE_QUEUE }),
      await runningTask(scene.own, { queue: IDLE_QUEUE }),
    ];
    const ids = (specs: TaskSpec[]) => specs.map((s) => s.taskId);
    return {
      taskIds: ids(tasks.map((t) => t.spec)),
      end: async () => void (await Promise.all(tasks.map((t) => t.log.appendStatus(DONE)))),
    };
  }

  test('ends its subscriptions with a result when it drains, and another one goes on', async () => {
    const leaving = await scene.frontEnd();
    const { taskIds, end } = await twoTasks();
    const listening = await listen(leaving.endpoint, { taskIds, toolsListChanged: true });
    await until(() => told(listening).length === 2, 'both present states');
    leaving.kill('SIGTERM');
    expect(await listening.over).toBe('closed');
    expectGraceful(listening, 'draining');
    expect(await leaving.exited).toEqual({ code: 0, signal: null });
    const again = await listen(b, { taskIds });
    await until(() => told(again).length === 2, 'both present states again');
    await end();
    expect(await again.over).toBe('closed');
    expect(told(again)).toHaveLength(4);
  });

  test('breaks its subscriptions when it is killed, without a response', async () => {
    const dying = await scene.frontEnd();
    const { taskIds, end } = await twoTasks();
    const listening = await listen(dying.endpoint, { taskIds });
    await until(() => told(listening).length === 2, 'both present states');
    dying.kill('SIGKILL');
    expect(await listening.over).toBe('broken');
    expect(listening.messages.filter((m) => m.result !== undefined)).toEqual([]);
    await end();
  });
});

test('silence is broken by comments alone', async () => {
  const lively = await scene.frontEnd({ TASKSTREAM_HEARTBEAT_MS: '50' });
  const { spec, log } = await runningTask(scene.own, { queue: IDLE_QUEUE });
  const listening = await listen(lively.endpoint, { taskIds: [spec.taskId] });
  await until(() => listening.comments.length > 3, 'heartbeats');
  expect(listening.messages).toHaveLength(2);
  await log.appendStatus(DONE);
  expect(await listening.over).toBe('closed');
});

describe('a subscription is refused', () => {
  const TASK = 'd0-nobody-has-this-task-0';
  const NO_EXTENSION = { capabilities: {} };

  test.each([[[TASK]], [[]], ['nonsense']])('without the extension, whatever else is wrong (%j)', async (taskIds) => {
    const answer = await rpc(a, 'subscriptions/listen', { notifications: { taskIds } }, NO_EXTENSION);
    expect(answer).toMatchObject({
      status: 400,
      error: {
        code: -32021,
        data: { requiredCapabilities: { extensions: { 'io.modelcontextprotocol/tasks': {} } } },
      },
    });
  });

  test('but not to tools without the extension', async () => {
    const listening = await listen(a, { toolsListChanged: true }, NO_EXTENSION);
    await until(() => listening.messages.length > 0, 'an acknowledgement');
    expect(listening.messages[0]).toMatchObject({ method: ACKNOWLEDGED });
    listening.close();
    await listening.over;
  });

  test.each([
    ['no list', 'nonsense'],
    ['an empty list', []],
    ['no strings', [1, 2]],
    ['an id that is too long', ['x'.repeat(1_000)]],
    ['too many ids', Array.from({ length: 1_001 }, () => TASK)],
    ['null', null],
  ])('when its task ids are %s', async (_what, taskIds) => {
    const { status, error } = await rpc(
      a,
      'subscriptions/listen',
      { notifications: { taskIds } },
      { capabilities: CAPABILITIES_WITH_TASKS },
    );
    expect(status).toBe(200);
    expect(error).toMatchObject({ code: -32602, message: expect.stringContaining('notifications.taskIds') });
  });

  test('when its client does not accept a stream', async () => {
    const options = { headers: { accept: 'application/json' } };
    const { status, error } = await rpc(a, 'subscriptions/listen', { notifications: { taskIds: [TASK] } }, options);
    expect(status).toBe(406);
    expect(error).toBeDefined();
  });
});
