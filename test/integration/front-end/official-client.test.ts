/**
 * Revision 2026-07-28 with the official v2 client, as anyone would use it.
 */
import { Client, ProtocolError, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { afterAll, beforeAll, expect, test } from 'vitest';
import * as z from 'zod';
import { callTask, readStream } from '../../support/rpc.js';
import { until } from './http.js';
import { startScene, type Scene } from './scene.js';

const TASKS = 'io.modelcontextprotocol/tasks';
const Event = z.looseObject({
  seq: z.number(),
  taskId: z.string(),
  type: z.string(),
  payload: z.record(z.string(), z.unknown()),
});
type Event = z.infer<typeof Event>;
const Loose = z.looseObject({});
const Task = z.looseObject({ taskId: z.string(), status: z.string(), result: Loose.optional() });
const StreamResult = z.looseObject({
  _meta: z.looseObject({
    'dev.taskstream/stream': z.object({ reason: z.string(), status: z.string(), nextSeq: z.number() }),
  }),
});
const NO_TIMEOUT = { timeout: 2 ** 31 - 1 };

let scene: Scene;

beforeAll(async () => {
  scene = await startScene({ env: { TASKSTREAM_HEARTBEAT_MS: '200' } });
});
afterAll(() => scene[Symbol.asyncDispose]());

interface Connected extends AsyncDisposable {
  readonly client: Client;
  readonly events: Event[];
  readonly errors: Error[];
}

async function connect(
  endpoint: string,
  capabilities: Record<string, unknown> = { extensions: { [TASKS]: {} } },
): Promise<Connected> {
  const client = new Client(
    { name: 'official', version: '1' },
    { versionNegotiation: { mode: { pin: '2026-07-28' } }, capabilities },
  );
  const events: Event[] = [];
  const errors: Error[] = [];
  // oxlint-disable-next-line unicorn/prefer-add-event-listener
  client.onerror = (error) => errors.push(error);
  client.setNotificationHandler('notifications/tasks/event', { params: Event }, (event) => void events.push(event));
  await client.connect(new StreamableHTTPClientTransport(new URL(endpoint)));
  return { client, events, errors, [Symbol.asyncDispose]: () => client.close() };
}

test('it discovers the server and its tools', async () => {
  await using connected = await connect(scene.a.endpoint);
  const { client } = connected;
  expect(client.getNegotiatedProtocolVersion()).toBe('2026-07-28');
  expect(client.getServerVersion()).toEqual({ name: 'taskstream', version: '0.1.0' });
  expect(client.getServerCapabilities()).toMatchObject({ tools: { listChanged: true }, extensions: { [TASKS]: {} } });
  const { tools } = await client.listTools();
  expect(tools.map((t) => t.name)).toEqual(expect.arrayContaining(['count', 'quick']));
  expect(connected.errors).toEqual([]);
});

test('it calls a tool that forbids tasks, with and without the extension', async () => {
  for (const capabilities of [{ extensions: { [TASKS]: {} } }, {}]) {
    await using connected = await connect(scene.a.endpoint, capabilities);
    const { content } = await connected.client.callTool({ name: 'quick', arguments: { name: 'Grace' } });
    expect(content).toEqual([{ type: 'text', text: 'Hello, Grace!' }]);
  }
});

test('it calls an optional tool without the extension and waits for the result', async () => {
  await using connected = await connect(scene.a.endpoint, {});
  const { content } = await connected.client.callTool({ name: 'count', arguments: { n: 5, everyMs: 20 } });
  expect(content).toEqual([{ type: 'text', text: '5' }]);
});

test('it polls a task to its end, and reads the inlined result', async () => {
  await using connected = await connect(scene.b.endpoint);
  const { client } = connected;
  const taskId = await callTask(scene.a.endpoint, 'count', { n: 3, everyMs: 20 });
  const get = () => client.request({ method: 'tasks/get', params: { taskId } }, Task);
  expect(await get()).toMatchObject({ taskId });
  let task = await get();
  await until(async () => {
    task = await get();
    return task.status === 'completed';
  }, 'the end of the task');
  expect(task.result).toMatchObject({ content: [{ type: 'text', text: '3' }] });
});

test('it follows a stream: every event has been handled, in order, when the request resolves', async () => {
  await using connected = await connect(scene.b.endpoint);
  const { client, events, errors } = connected;
  const taskId = await callTask(scene.a.endpoint, 'count', { n: 100, everyMs: 2 });
  const result = await client.request({ method: 'tasks/stream', params: { taskId } }, StreamResult, NO_TIMEOUT);
  const handled = events.map((e) => e.seq);
  expect(handled).toEqual(Array.from({ length: handled.length }, (_, i) => i));
  expect(events.at(-1)).toMatchObject({ payload: { status: 'completed' } });
  expect(events.filter((e) => e.type === 'com.example.count')).toHaveLength(100);
  expect(result._meta['dev.taskstream/stream']).toEqual({
    reason: 'terminal',
    status: 'completed',
    nextSeq: events.length,
  });
  expect(errors).toEqual([]);
});

test('it aborts and resumes, on another front end too, without a gap and without a duplicate', async () => {
  await using first = await connect(scene.a.endpoint);
  await using second = await connect(scene.b.endpoint);
  const taskId = await callTask(scene.a.endpoint, 'count', { n: 60, everyMs: 15 });
  const all: Event[] = [];
  for (let turn = 0; ; turn++) {
    const { client, events } = turn % 2 === 0 ? first : second;
    const before = events.length;
    const abort = new AbortController();
    const after = all.length === 0 ? undefined : all.at(-1)!.seq;
    const streaming = client.request(
      { method: 'tasks/stream', params: { taskId, ...(after !== undefined && { after }) } },
      StreamResult,
      { ...NO_TIMEOUT, signal: abort.signal },
    );
    const outcome = streaming.then(
      () => 'result' as const,
      () => 'aborted' as const,
    );
    let ended = false;
    void outcome.then(() => (ended = true));
    await until(() => ended || events.length >= before + 20, 'twenty events or the end');
    if (!ended) abort.abort('enough');
    const how = await outcome;
    all.push(...events.slice(before));
    if (how === 'result') break;
    expect(turn).toBeLessThan(50);
  }
  const { params } = await readStream(scene.a.endpoint, taskId);
  expect(all).toEqual(params.map((text) => JSON.parse(text)));
});

test('it reads the tail of a task that ended long ago from the last event that it handled', async () => {
  await using connected = await connect(scene.a.endpoint);
  const { client, events } = connected;
  const taskId = await callTask(scene.a.endpoint, 'count', { n: 10 });
  const { params } = await readStream(scene.b.endpoint, taskId);
  const after = params.length - 4;
  await client.request({ method: 'tasks/stream', params: { taskId, after } }, StreamResult, NO_TIMEOUT);
  expect(events).toEqual(params.slice(after + 1).map((text) => JSON.parse(text)));
});

test('progress of a silent stream keeps its timeout from running out', async () => {
  await using connected = await connect(scene.a.endpoint);
  const { client, events } = connected;
  const taskId = await callTask(scene.a.endpoint, 'stubborn', { ms: 4_000 });
  const progress: number[] = [];
  await client.request({ method: 'tasks/stream', params: { taskId } }, StreamResult, {
    timeout: 3_000,
    resetTimeoutOnProgress: true,
    onprogress: (p) => progress.push(p.progress),
  });
  expect(progress.length).toBeGreaterThan(2);
  expect(progress).toEqual(progress.toSorted((x, y) => x - y));
  expect(new Set(progress).size).toBe(progress.length);
  expect(events.map((e) => e.seq)).toEqual(events.map((_, i) => i));
});

test('its errors are those of the protocol', async () => {
  await using connected = await connect(scene.a.endpoint);
  const { client, events } = connected;
  const taskId = await callTask(scene.a.endpoint, 'count', { n: 1 });
  const refused = async (params: Record<string, unknown>): Promise<ProtocolError> => {
    const error: unknown = await client
      .request({ method: 'tasks/stream', params }, StreamResult)
      .catch((e: unknown) => e);
    expect(error).toBeInstanceOf(ProtocolError);
    return error as ProtocolError;
  };
  expect((await refused({ taskId: 'nobody' })).code).toBe(-32602);
  expect((await refused({ taskId, after: -1 })).message).toContain('after');
  await using poor = await connect(scene.a.endpoint, {});
  const error: unknown = await poor.client
    .request({ method: 'tasks/stream', params: { taskId } }, StreamResult)
    .catch((e: unknown) => e);
  expect(error).toMatchObject({ code: -32021, data: { requiredCapabilities: { extensions: { [TASKS]: {} } } } });
  expect(events).toEqual([]);
});
