/**
 * One client, both revisions, and clients of the official SDK below it: the same calls, the same events, the same ends.
 */
import {
  createTaskClient,
  isClientError,
  type Notice,
  type TaskClient,
  type TaskClientOptions,
} from '@taskstream/client';
import { attach } from '@taskstream/client/attach';
import { Client as ClientV2, StreamableHTTPClientTransport as TransportV2 } from '@modelcontextprotocol/client';
import { Client as ClientV1 } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport as TransportV1 } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { ElicitRequestSchema } from '@modelcontextprotocol/sdk/types.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startNats, type TestNats } from '../../support/nats.js';
import { startFrontEnd, startWorker, stopAll, type FrontEnd, type TestProcess } from '../../support/system.js';

let nats: TestNats;
let frontEnds: [FrontEnd, FrontEnd];
let worker: TestProcess;

beforeAll(async () => {
  nats = await startNats();
  const env = { TASKSTREAM_SESSION_KEY: 'a-key-of-thirty-two-characters-at-least', TASKSTREAM_HEARTBEAT_MS: '300' };
  worker = await startWorker(nats.url);
  frontEnds = [await startFrontEnd(nats.url, env), await startFrontEnd(nats.url, env)];
});

afterAll(async () => {
  await stopAll([worker, ...frontEnds]);
  await nats[Symbol.asyncDispose]();
});

const endpoints = (): string[] => frontEnds.map(({ endpoint }) => endpoint);
const NAME = { action: 'accept' as const, content: { name: 'Ada' } };
const limits = { pollIntervalMaxMs: 200, backoffBaseMs: 50, backoffMaxMs: 200 };

interface Made extends AsyncDisposable {
  readonly client: TaskClient;
  readonly notices: Notice[];
}

function own(revision: TaskClientOptions['revision']): () => Promise<Made> {
  return () => {
    const notices: Notice[] = [];
    const client = createTaskClient({
      endpoints: endpoints(),
      ...(revision !== undefined && { revision }),
      limits,
      onInputRequest: () => NAME,
      onNotice: (notice) => notices.push(notice),
    });
    return Promise.resolve({ client, notices, [Symbol.asyncDispose]: () => Promise.resolve() });
  };
}

async function overV2(pin: boolean): Promise<Made> {
  const official = new ClientV2(
    { name: 'app', version: '1' },
    {
      ...(pin && { versionNegotiation: { mode: { pin: '2026-07-28' } } }),
      capabilities: pin ? { extensions: { 'io.modelcontextprotocol/tasks': {} } } : { elicitation: {} },
    },
  );
  if (!pin) official.setRequestHandler('elicitation/create', () => NAME);
  await official.connect(new TransportV2(new URL(frontEnds[0].endpoint)));
  const notices: Notice[] = [];
  const client = attach(official, { limits, onInputRequest: () => NAME, onNotice: (notice) => notices.push(notice) });
  return { client, notices, [Symbol.asyncDispose]: () => official.close() };
}

async function overV1(): Promise<Made> {
  const official = new ClientV1({ name: 'app', version: '1' }, { capabilities: { elicitation: {} } });
  official.setRequestHandler(ElicitRequestSchema, () => NAME);
  await official.connect(new TransportV1(new URL(frontEnds[0].endpoint)));
  const notices: Notice[] = [];
  const client = attach(official, { limits, onInputRequest: () => NAME, onNotice: (notice) => notices.push(notice) });
  return { client, notices, [Symbol.asyncDispose]: () => official.close() };
}

const WAYS: readonly (readonly [string, () => Promise<Made>])[] = [
  ['2026-07-28', own(undefined)],
  ['2025-11-25', own('2025-11-25')],
  ['the official client 2.x at 2026-07-28', () => overV2(true)],
  ['the official client 2.x at 2025-11-25', () => overV2(false)],
  ['the official client 1.x', overV1],
];

describe.each(WAYS)('a client that speaks through %s', (_name, make) => {
  it('runs a tool as a task, reads every event and its result', async () => {
    await using made = await make();
    const { client, notices } = made;
    const handle = await client.callTool('count', { n: 50, everyMs: 2 });
    expect(handle.taskId).toMatch(/-/);
    const seen: number[] = [];
    for await (const item of handle.events()) {
      if (item.type === 'event' && item.event.type === 'com.example.count') seen.push(Number(item.event.payload['i']));
    }
    expect(seen).toEqual(Array.from({ length: 50 }, (_, i) => i));
    await expect(handle.result()).resolves.toMatchObject({ content: [{ type: 'text', text: '50' }] });
    expect(await handle.status()).toMatchObject({ status: 'completed', ttlMs: expect.any(Number) as number });
    await handle.cancel();
    expect(notices.filter(({ type }) => type === 'protocol-fault')).toEqual([]);
  });

  it('is transparent for a tool that answers at once', async () => {
    await using made = await make();
    const handle = await made.client.callTool('quick', { name: 'Grace' });
    expect(handle.taskId).toBeUndefined();
    await expect(handle.result()).resolves.toMatchObject({ content: [{ text: 'Hello, Grace!' }] });
  });

  it('deletes a task, over or not, from its handle', async () => {
    await using made = await make();
    const over = await made.client.callTool('count', { n: 1 });
    await over.result();
    const running = await made.client.callTool('count', { n: 100_000, everyMs: 10 });
    for (const handle of [over, running]) {
      await handle.delete();
      await expect(handle.status()).rejects.toMatchObject({ code: 'unknown_task' });
      await expect(handle.delete()).rejects.toMatchObject({ code: 'unknown_task' });
    }
    await expect(running.result()).rejects.toMatchObject({ code: 'unknown_task' });
    await expect((await made.client.callTool('quick', { name: 'Grace' })).delete()).resolves.toBeUndefined();
  });

  it('routes the questions of a task', async () => {
    await using made = await make();
    const handle = await made.client.callTool('ask_name');
    await expect(handle.result()).resolves.toMatchObject({ content: [{ text: 'Hello, Ada!' }] });
  });

  it('tells how tasks end that do not succeed', async () => {
    await using made = await make();
    const { client } = made;
    const isError = await client.callTool('fail', { how: 'is_error' });
    await expect(isError.outcome()).resolves.toMatchObject({ status: 'completed', result: { isError: true } });
    const failed = await client.callTool('fail', { how: 'protocol_error' });
    await expect(failed.outcome()).resolves.toMatchObject({ status: 'failed', error: { code: -32001 } });
    const long = await client.callTool('count', { n: 1_000, everyMs: 20 });
    await long.cancel();
    await expect(long.outcome()).resolves.toMatchObject({ status: 'cancelled' });
  });

  it('leaves a stream and resumes it, without a gap and without a duplicate', async () => {
    await using made = await make();
    const { client, notices } = made;
    const { taskId = '' } = await client.callTool('count', { n: 60, everyMs: 5 });
    const seqs: number[] = [];
    while (!seqs.includes(61)) {
      const after = seqs.at(-1);
      let taken = 0;
      for await (const item of client.followTask(taskId, after === undefined ? {} : { after })) {
        if (item.type === 'event') seqs.push(item.event.seq);
        taken += 1;
        if (taken === 13) break;
      }
      expect(taken).toBeGreaterThan(0);
    }
    expect(seqs).toEqual(Array.from({ length: seqs.length }, (_, i) => i));
    expect(notices.filter(({ type }) => type === 'protocol-fault')).toEqual([]);
  });

  it('says that it does not know a task', async () => {
    await using made = await make();
    const error = await made.client.getTask('d1-0-nothing').catch((thrown: unknown) => thrown);
    expect(isClientError(error, 'unknown_task')).toBe(true);
  });
});
