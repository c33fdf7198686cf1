/**
 * The official tasks client, `@modelcontextprotocol/ext-tasks`, end to end: sessions in both eras, tasks that ask, tasks
 * that fail, tasks that another session takes over on another front end.
 */
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import {
  createTaskSessionFromClient,
  resultFromTaskOutcome,
  TaskCancelledError,
  type ApplicationInputHandler,
  type RawClientDispatch,
  type TaskEnabledSession,
} from '@modelcontextprotocol/ext-tasks/client';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import * as z from 'zod';
import { startNats, type TestNats } from '../../support/nats.js';
import { startFrontEnd, startWorker, stopAll, type FrontEnd, type TestProcess } from '../../support/system.js';

const CLIENT_INFO = { name: 'ext-tasks', version: '1' };
const MODERN = '2026-07-28';
/** Which parameter a request's `Mcp-Name` header mirrors. */
const NAMED_BY: Readonly<Record<string, string>> = {
  'tools/call': 'name',
  'tasks/get': 'taskId',
  'tasks/update': 'taskId',
  'tasks/cancel': 'taskId',
};

type Handler = ApplicationInputHandler['handle'];
interface Asked {
  readonly kind: string;
  readonly delivery: string;
  readonly message: unknown;
}

let nats: TestNats;
let frontEnds: [FrontEnd, FrontEnd];
let worker: TestProcess;

beforeAll(async () => {
  nats = await startNats();
  const env = { TASKSTREAM_SESSION_KEY: 'a-key-of-thirty-two-characters-at-least' };
  worker = await startWorker(nats.url);
  frontEnds = [await startFrontEnd(nats.url, env), await startFrontEnd(nats.url, env)];
});

afterAll(async () => {
  await stopAll([worker, ...frontEnds]);
  await nats[Symbol.asyncDispose]();
});

/** The host's own way to the server: the SDK's codecs do not know the extension's results. */
function dispatchTo(endpoint: string): RawClientDispatch {
  let lastId = 0;
  return async (request, options) => {
    const { method, params } = request as { method: string; params?: Record<string, unknown> };
    const name = params?.[NAMED_BY[method] ?? ''];
    const response = await fetch(endpoint, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        'mcp-protocol-version': MODERN,
        'mcp-method': method,
        ...(typeof name === 'string' && { 'mcp-name': name }),
      },
      body: JSON.stringify({ jsonrpc: '2.0', id: ++lastId, method, params }),
      ...(options?.signal !== undefined && { signal: options.signal }),
    });
    const message = (await response.json()) as { result?: never; error?: never };
    return message.error === undefined
      ? { kind: 'result', result: message.result as never }
      : { kind: 'error', error: message.error };
  };
}

interface OpenSession {
  readonly session: TaskEnabledSession;
  readonly client: Client;
  /** What the application was asked, in order. */
  readonly asked: Asked[];
  readonly close: () => Promise<void>;
}

async function open(era: 'modern' | 'legacy', endpoint: string): Promise<OpenSession> {
  const capabilities = { elicitation: {}, extensions: { 'io.modelcontextprotocol/tasks': {} } };
  const client = new Client(CLIENT_INFO, {
    ...(era === 'modern' && { versionNegotiation: { mode: { pin: MODERN } } }),
    capabilities: era === 'modern' ? capabilities : { elicitation: {} },
  });
  await client.connect(new StreamableHTTPClientTransport(new URL(endpoint)));
  const asked: Asked[] = [];
  const onInputRequest = (async (request, context) => {
    asked.push({ kind: request.kind, delivery: context.delivery, message: request.params?.['message'] });
    const content = { name: 'Zoe', text: `answer ${asked.length}` };
    return { action: 'accept', content };
  }) as Handler;
  const session = createTaskSessionFromClient(client, {
    endpointId: 'fixtures',
    onInputRequest,
    ...(era === 'modern' && {
      rawDispatch: dispatchTo(endpoint),
      v2RequestFraming: { protocolVersion: MODERN, clientInfo: CLIENT_INFO, clientCapabilities: capabilities },
    }),
  });
  return {
    session,
    client,
    asked,
    close: async () => {
      await session.close();
      await client.close();
    },
  };
}

/** Calls a tool and settles; the kind of execution beside its result. */
async function call(session: TaskEnabledSession, name: string, args: Record<string, number | string> = {}) {
  const execution = await session.callTool(name, args);
  const { outcome } = await execution.settle();
  return { kind: execution.kind, result: resultFromTaskOutcome(outcome) };
}

const text = (value: string) => ({ content: [{ type: 'text', text: value }] });

describe('a 2026-07-28 session', () => {
  test('runs a tool as a task and a forbidden one at once', async () => {
    const { session, close } = await open('modern', frontEnds[0].endpoint);
    expect(session.capabilities).toMatchObject({ execution: true, cancellation: true, inputResponses: true });
    expect(await call(session, 'count', { n: 5, everyMs: 20 })).toMatchObject({ kind: 'task', result: text('5') });
    expect(await call(session, 'quick', { name: 'Ada' })).toMatchObject({
      kind: 'immediate',
      result: text('Hello, Ada!'),
    });
    await close();
  });

  test('answers the questions of a running task, each once', async () => {
    const { session, asked, close } = await open('modern', frontEnds[0].endpoint);
    expect(await call(session, 'ask_two')).toMatchObject({ kind: 'task', result: text('answer 1 and answer 2') });
    expect(asked).toEqual([
      { kind: 'elicitation', delivery: 'task-update', message: 'First?' },
      { kind: 'elicitation', delivery: 'task-update', message: 'Second?' },
    ]);
    await close();
  });

  test('answers a tool that asks before its task, and one that asks in a call', async () => {
    const { session, asked, close } = await open('modern', frontEnds[1].endpoint);
    expect(await call(session, 'ask_first')).toMatchObject({ kind: 'task', result: text('Hello, Zoe!') });
    expect(await call(session, 'ask_quickly')).toMatchObject({ kind: 'immediate', result: text('Hello, Zoe!') });
    expect(asked.map((a) => a.delivery)).toEqual(['request-retry', 'request-retry']);
    await close();
  });

  test('tells a tool error from a failed task from a cancelled one', async () => {
    const { session, close } = await open('modern', frontEnds[0].endpoint);
    expect(await call(session, 'fail', { how: 'tool_error' })).toMatchObject({
      kind: 'task',
      result: { ...text('the tool says no'), isError: true },
    });
    await expect(call(session, 'fail', { how: 'protocol_error' })).rejects.toMatchObject({
      code: -32001,
      message: 'not today',
      data: { why: 'test' },
    });
    const execution = await session.callTool('count', { n: 10_000, everyMs: 20 });
    await execution.cancel();
    const { outcome } = await execution.settle();
    expect(outcome.status).toBe('cancelled');
    expect(() => resultFromTaskOutcome(outcome)).toThrow(TaskCancelledError);
    await close();
  });

  test('hands a running task to a session on another front end', async () => {
    const first = await open('modern', frontEnds[0].endpoint);
    const execution = await first.session.callTool('count', { n: 40, everyMs: 20 });
    if (execution.kind !== 'task') throw new Error(`count was ${execution.kind}`);
    let kept = '';
    await execution.handoff((reference) => void (kept = JSON.stringify(reference)));
    const second = await open('modern', frontEnds[1].endpoint);
    const resumed = await second.session.resumeTask(JSON.parse(kept));
    const { outcome, lastTask } = await resumed.settle();
    expect(resultFromTaskOutcome(outcome)).toMatchObject(text('40'));
    expect(lastTask).toMatchObject({ taskId: execution.handle.taskId, status: 'completed' });
    // Closed last: a session that is closed in the turn of its handoff still cancels what it has handed over.
    await Promise.all([first.close(), second.close()]);
  });
});

describe('a 2025-11-25 session', () => {
  const asked2025 = { kind: 'elicitation', delivery: 'peer-request', message: 'What is your name?' };

  test('runs tasks and plain calls, and answers what a plain call asks', async () => {
    const { session, asked, close } = await open('legacy', frontEnds[0].endpoint);
    const execution = await session.callTool('count', { n: 5 }, { task: { preference: 'require' } });
    expect(execution.kind).toBe('task');
    expect(resultFromTaskOutcome((await execution.settle()).outcome)).toMatchObject(text('5'));
    expect(await call(session, 'ask_quickly')).toMatchObject({ kind: 'immediate', result: text('Hello, Zoe!') });
    expect(asked).toEqual([asked2025]);
    await close();
  });

  test('answers what a task asks once its host waits for the result', async () => {
    const { session, client, asked, close } = await open('legacy', frontEnds[0].endpoint);
    const execution = await session.callTool('ask_name', {}, { task: { preference: 'require' } });
    if (execution.kind !== 'task') throw new Error(`ask_name was ${execution.kind}`);
    // 2025-11-25 §Input Required Status has requestors call tasks/result then; the session itself does so at the end.
    const { taskId } = execution.handle;
    const waited = client.request({ method: 'tasks/result', params: { taskId } }, z.looseObject({}));
    expect(resultFromTaskOutcome((await execution.settle()).outcome)).toMatchObject(text('Hello, Zoe!'));
    expect(await waited).toMatchObject(text('Hello, Zoe!'));
    expect(asked).toEqual([asked2025]);
    await close();
  });

  test('cancels a task', async () => {
    const { session, close } = await open('legacy', frontEnds[1].endpoint);
    const execution = await session.callTool('count', { n: 10_000, everyMs: 20 }, { task: { preference: 'require' } });
    await execution.cancel();
    expect((await execution.settle()).outcome.status).toBe('cancelled');
    await close();
  });
});
