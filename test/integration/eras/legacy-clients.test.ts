/**
 * Revision 2025-11-25 with clients that we did not write: the v1 SDK's and the v2 SDK's in its older mode.
 */
import { Client as ClientV2, StreamableHTTPClientTransport as TransportV2 } from '@modelcontextprotocol/client';
import { Client as ClientV1 } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport as TransportV1 } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { CallToolResultSchema, ElicitRequestSchema, type ElicitResult } from '@modelcontextprotocol/sdk/types.js';
import { afterAll, beforeAll, expect, test } from 'vitest';
import * as z from 'zod';
import { startNats, type TestNats } from '../../support/nats.js';
import { startFrontEnd, startWorker, stopAll, type FrontEnd, type TestProcess } from '../../support/system.js';

const Anything = z.looseObject({});
const Event = z.looseObject({ seq: z.number(), taskId: z.string(), type: z.string() });
const SESSION_KEY = 'a-key-of-thirty-two-characters-at-least';

let nats: TestNats;
let frontEnds: [FrontEnd, FrontEnd];
let workers: TestProcess[];

beforeAll(async () => {
  nats = await startNats();
  const env = { TASKSTREAM_SESSION_KEY: SESSION_KEY };
  frontEnds = [await startFrontEnd(nats.url, env), await startFrontEnd(nats.url, env)];
  workers = [await startWorker(nats.url)];
});

afterAll(async () => {
  await stopAll([...workers, ...frontEnds]);
  await nats[Symbol.asyncDispose]();
});

async function connectV1(endpoint: string, answer?: () => ElicitResult): Promise<ClientV1> {
  const client = new ClientV1(
    { name: 'v1', version: '1' },
    { capabilities: answer === undefined ? {} : { elicitation: {} } },
  );
  if (answer !== undefined) client.setRequestHandler(ElicitRequestSchema, async () => answer());
  // The v1 transport is declared without exactOptionalPropertyTypes in mind.
  await client.connect(new TransportV1(new URL(endpoint)));
  return client;
}

test('the v1 client sees the tasks capability and the event-stream sub-capability', async () => {
  const client = await connectV1(frontEnds[0].endpoint);
  expect(client.getServerCapabilities()).toMatchObject({
    tools: {},
    tasks: { cancel: {}, requests: { tools: { call: {} } }, eventStreams: {} },
  });
  const { tools } = await client.listTools();
  expect(tools.find((t) => t.name === 'count')?.execution?.taskSupport).toBe('optional');
  expect(tools.find((t) => t.name === 'task_only')?.execution?.taskSupport).toBe('required');
  await client.close();
});

test('the v1 client runs a tool as a task from creation to result', async () => {
  const client = await connectV1(frontEnds[0].endpoint);
  const seen: string[] = [];
  let text = '';
  const stream = client.experimental.tasks.callToolStream(
    { name: 'count', arguments: { n: 5, everyMs: 20 } },
    CallToolResultSchema,
    { task: { ttl: 60_000 } },
  );
  for await (const message of stream) {
    seen.push(message.type);
    if (message.type === 'result') text = JSON.stringify(message.result);
    if (message.type === 'error') throw message.error;
  }
  expect(seen[0]).toBe('taskCreated');
  expect(seen.at(-1)).toBe('result');
  expect(JSON.parse(text)).toMatchObject({ content: [{ type: 'text', text: '5' }] });
  await client.close();
});

test('a question reaches the v1 client while it waits for the result, and its answer reaches the task', async () => {
  const client = await connectV1(frontEnds[0].endpoint, () => ({ action: 'accept', content: { name: 'Zoe' } }));
  const created = await client.request(
    { method: 'tools/call', params: { name: 'ask_name', arguments: {}, task: { ttl: 60_000 } } },
    Anything,
  );
  const { taskId } = z.object({ task: z.looseObject({ taskId: z.string() }) }).parse(created).task;
  const result = await client.request({ method: 'tasks/result', params: { taskId } }, Anything);
  expect(result).toMatchObject({
    content: [{ type: 'text', text: 'Hello, Zoe!' }],
    _meta: { 'io.modelcontextprotocol/related-task': { taskId } },
  });
  await client.close();
});

test('a tool that asks in a plain call reaches the v1 client as well', async () => {
  const client = await connectV1(frontEnds[0].endpoint, () => ({ action: 'accept', content: { name: 'Ada' } }));
  const result = await client.callTool({ name: 'ask_quickly', arguments: {} });
  expect(result.content).toEqual([{ type: 'text', text: 'Hello, Ada!' }]);
  await client.close();
});

test('a tool that asks first asks the running client in this era', async () => {
  const client = await connectV1(frontEnds[0].endpoint, () => ({ action: 'accept', content: { name: 'Eve' } }));
  const result = await client.callTool({ name: 'ask_first', arguments: {} });
  expect(result.content).toEqual([{ type: 'text', text: 'Hello, Eve!' }]);
  await client.close();
});

test('an answer that arrives on another node counts', async () => {
  const { endpoint } = frontEnds[0];
  const headers = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' };
  const post = (url: string, body: unknown, session?: string) =>
    fetch(url, {
      method: 'POST',
      headers: { ...headers, ...(session !== undefined && { 'mcp-session-id': session }) },
      body: JSON.stringify(body),
    });
  const hello = await post(endpoint, {
    jsonrpc: '2.0',
    id: 1,
    method: 'initialize',
    params: {
      protocolVersion: '2025-11-25',
      capabilities: { elicitation: {} },
      clientInfo: { name: 'bare', version: '1' },
    },
  });
  const session = hello.headers.get('mcp-session-id') ?? '';
  expect(session).not.toBe('');
  await hello.text();
  const create = { name: 'ask_name', arguments: {}, task: {} };
  const created = await post(endpoint, { jsonrpc: '2.0', id: 2, method: 'tools/call', params: create }, session);
  const { taskId } = (JSON.parse(dataOf(await created.text())) as { result: { task: { taskId: string } } }).result.task;
  const waiting = await post(endpoint, { jsonrpc: '2.0', id: 3, method: 'tasks/result', params: { taskId } }, session);
  const reader = (waiting.body as ReadableStream<Uint8Array>).getReader();
  let text = '';
  const decoder = new TextDecoder();
  while (!text.includes('elicitation/create')) text += decoder.decode((await reader.read()).value, { stream: true });
  const question = text
    .split('\n')
    .filter((line) => line.startsWith('data: '))
    .map((line) => JSON.parse(line.slice(6)) as { id?: string; method?: string; params?: unknown })
    .find((m) => m.method === 'elicitation/create');
  expect(question?.params).toMatchObject({ _meta: { 'io.modelcontextprotocol/related-task': { taskId } } });
  const answer = { jsonrpc: '2.0', id: question?.id, result: { action: 'accept', content: { name: 'Bo' } } };
  const accepted = await post(frontEnds[1].endpoint, answer, session);
  expect(accepted.status).toBe(202);
  for (;;) {
    const { value, done } = await reader.read();
    if (done) break;
    text += decoder.decode(value, { stream: true });
  }
  expect(text).toContain('Hello, Bo!');
});

function dataOf(body: string): string {
  const line = body.split('\n').find((l) => l.startsWith('data: '));
  return line === undefined ? body : line.slice(6);
}

test('the v2 client in its older mode streams the same events, and an abort stops them', async () => {
  const client = new ClientV2({ name: 'v2', version: '1' }, {});
  await client.connect(new TransportV2(new URL(frontEnds[1].endpoint)));
  const events: number[] = [];
  client.setNotificationHandler('notifications/tasks/event', { params: Event }, (params) => {
    events.push(params.seq);
  });
  const call = async (n: number, everyMs: number) =>
    z
      .object({ task: z.looseObject({ taskId: z.string() }) })
      .parse(
        await client.request(
          { method: 'tools/call', params: { name: 'count', arguments: { n, everyMs }, task: {} } } as never,
          Anything,
        ),
      ).task.taskId;
  const taskId = await call(10, 10);
  const result = await client.request({ method: 'tasks/stream', params: { taskId } }, Anything, { timeout: 60_000 });
  expect(result).toMatchObject({ _meta: { 'io.modelcontextprotocol/related-task': { taskId } } });
  expect(result).not.toHaveProperty('resultType');
  expect(events).toEqual(events.map((_, i) => i));
  expect(events.length).toBeGreaterThanOrEqual(13);
  // An abort is a notification in this era: it must end the stream on the node that serves it.
  events.length = 0;
  const long = await call(400, 20);
  const abort = new AbortController();
  const streaming = client
    .request({ method: 'tasks/stream', params: { taskId: long } }, Anything, { timeout: 60_000, signal: abort.signal })
    .catch((error: unknown) => error);
  while (events.length < 5) await new Promise((resolve) => setTimeout(resolve, 10));
  abort.abort('enough');
  await streaming;
  await new Promise((resolve) => setTimeout(resolve, 300));
  const after = events.length;
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect(events.length).toBe(after);
  const cancelled = await client.request({ method: 'tasks/cancel', params: { taskId: long } }, Anything);
  expect(cancelled).toMatchObject({ taskId: long, status: 'cancelled' });
  await expect(client.request({ method: 'tasks/cancel', params: { taskId: long } }, Anything)).rejects.toMatchObject({
    code: -32602,
  });
  await client.close();
});

test('required and forbidden tools answer with -32601 when they are called the other way', async () => {
  const client = await connectV1(frontEnds[0].endpoint);
  const call = (name: string, task?: object) =>
    client.request(
      { method: 'tools/call', params: { name, arguments: {}, ...(task !== undefined && { task }) } },
      Anything,
    );
  await expect(call('task_only')).rejects.toMatchObject({ code: -32601 });
  await expect(call('quick', {})).rejects.toMatchObject({ code: -32601 });
  await expect(call('quick')).resolves.toMatchObject({ content: [{ text: 'Hello, world!' }] });
  await client.close();
});

test('a tool error is failed in this era, and its result is still the result', async () => {
  const client = await connectV1(frontEnds[0].endpoint);
  const created = await client.request(
    { method: 'tools/call', params: { name: 'fail', arguments: { how: 'is_error' }, task: { ttl: 5_000 } } },
    Anything,
  );
  const { task } = z.object({ task: z.looseObject({ taskId: z.string(), ttl: z.number() }) }).parse(created);
  expect(task.ttl).toBe(5_000);
  const { taskId } = task;
  const result = await client.request({ method: 'tasks/result', params: { taskId } }, Anything);
  expect(result).toMatchObject({ isError: true, content: [{ text: 'bad news' }] });
  const got = await client.request({ method: 'tasks/get', params: { taskId } }, Anything);
  expect(got).toMatchObject({ taskId, status: 'failed', ttl: 5_000 });
  expect(got).not.toHaveProperty('_meta.io.modelcontextprotocol/related-task');
  await client.close();
});

test('a session that was not made here is refused with 404, and older revisions see no tasks', async () => {
  const { endpoint } = frontEnds[0];
  const headers = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' };
  const refused = await fetch(endpoint, {
    method: 'POST',
    headers: { ...headers, 'mcp-session-id': 'not-one-of-ours' },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list' }),
  });
  expect(refused.status).toBe(404);
  const old = await fetch(endpoint, {
    method: 'POST',
    headers,
    body: JSON.stringify({
      jsonrpc: '2.0',
      id: 1,
      method: 'initialize',
      params: { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: 'old', version: '1' } },
    }),
  });
  const answer = JSON.parse(dataOf(await old.text())) as { result: { capabilities: Record<string, unknown> } };
  expect(answer.result.capabilities).not.toHaveProperty('tasks');
  expect(answer.result.capabilities).not.toHaveProperty('extensions');
});
