/**
 * Calls that are answered without a task, in both eras and with the official clients: the progress that comes on the
 * way, and what a client must be able to do for them.
 */
import { fileURLToPath } from 'node:url';
import { Client as ClientV2, StreamableHTTPClientTransport as TransportV2 } from '@modelcontextprotocol/client';
import { Client as ClientV1 } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport as TransportV1 } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { createParser } from 'eventsource-parser';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { rpc, rpcRequest } from '../../support/rpc.js';
import { startScene, storedState, type Scene } from '../front-end/scene.js';

const TOOLS = fileURLToPath(new URL('./tools.mjs', import.meta.url));
const PER_SECOND_MAX = 20;

interface Progress {
  readonly progress: number;
  readonly total?: number | undefined;
  readonly message?: string | undefined;
}
type Call = (args: Record<string, unknown>, onprogress: (report: Progress) => void) => Promise<unknown>;
interface Caller {
  readonly call: Call;
  readonly close: () => Promise<void>;
}

let scene: Scene;

beforeAll(async () => {
  scene = await startScene({
    worker: false,
    env: { TASKSTREAM_PROGRESS_PER_SECOND_MAX: String(PER_SECOND_MAX) },
  });
  await scene.addWorker({ TASKSTREAM_TOOLS: TOOLS });
});
afterAll(() => scene[Symbol.asyncDispose]());

async function v2(pin?: string): Promise<Caller> {
  const client = new ClientV2(
    { name: 'v2', version: '1' },
    pin === undefined ? {} : { versionNegotiation: { mode: { pin } } },
  );
  await client.connect(new TransportV2(new URL(scene.a.endpoint)));
  return {
    call: (args, onprogress) => client.callTool({ name: 'steps', arguments: args }, { onprogress }),
    close: () => client.close(),
  };
}

async function v1(): Promise<Caller> {
  const client = new ClientV1({ name: 'v1', version: '1' }, { capabilities: {} });
  // The v1 transport is declared without exactOptionalPropertyTypes in mind.
  const transport = new TransportV1(new URL(scene.a.endpoint)) as unknown as Parameters<ClientV1['connect']>[0];
  await client.connect(transport);
  return {
    call: (args, onprogress) => client.callTool({ name: 'steps', arguments: args }, undefined, { onprogress }),
    close: () => client.close(),
  };
}

describe.each<[string, () => Promise<Caller>]>([
  ['the v2 client in 2026-07-28', () => v2('2026-07-28')],
  ['the v2 client in 2025-11-25', () => v2()],
  ['the v1 client', () => v1()],
])('%s', (_who, connect) => {
  test('hears of all progress of a plain call, the first report included', async () => {
    const { call, close } = await connect();
    const reports: Progress[] = [];
    const result = await call({ values: [0, 50, 100], everyMs: 30 }, (report) => void reports.push(report));
    expect(result).toMatchObject({ content: [{ type: 'text', text: 'done' }] });
    expect(reports).toEqual([0, 50, 100].map((progress) => ({ progress, total: 100, message: `at ${progress}` })));
    await close();
  });

  test('hears of values that rise, and of those alone', async () => {
    const { call, close } = await connect();
    const reports: number[] = [];
    await call({ values: [1, 3, 3, 2, 4, 4], everyMs: 10 }, ({ progress }) => void reports.push(progress));
    expect(reports).toEqual([1, 3, 4]);
    await close();
  });

  test('is not flooded', async () => {
    const { call, close } = await connect();
    const reports: number[] = [];
    const startedAt = performance.now();
    const values = Array.from({ length: 1_000 }, (_, i) => i);
    await call({ values }, ({ progress }) => void reports.push(progress));
    const seconds = (performance.now() - startedAt) / 1_000;
    expect(reports.length).toBeGreaterThan(0);
    expect(reports.length).toBeLessThanOrEqual(PER_SECOND_MAX * (1 + seconds));
    await close();
  });
});

test('progress goes out under the token of its request; without one there is none, and the answer is plain JSON', async () => {
  const params = { name: 'steps', arguments: { values: [1, 2], everyMs: 20 } };
  const options = { capabilities: {}, meta: { progressToken: 'token-7' } };
  const response = await fetch(scene.b.endpoint, rpcRequest('tools/call', params, options));
  const messages: Array<{ method?: string; params?: unknown; result?: unknown }> = [];
  createParser({ onEvent: ({ data }) => void messages.push(JSON.parse(data)) }).feed(await response.text());
  expect(messages).toMatchObject([
    { method: 'notifications/progress', params: { progressToken: 'token-7', progress: 1, total: 2, message: 'at 1' } },
    { method: 'notifications/progress', params: { progressToken: 'token-7', progress: 2, total: 2, message: 'at 2' } },
    { result: { content: [{ text: 'done' }] } },
  ]);
  const quiet = await fetch(scene.b.endpoint, rpcRequest('tools/call', params, { capabilities: {} }));
  expect(quiet.headers.get('content-type')).toMatch(/^application\/json/);
  expect(await quiet.json()).toMatchObject({ result: { content: [{ text: 'done' }] } });
});

describe('a tool that must know things first', () => {
  const params = { name: 'know_first', arguments: {} };

  test.each([
    ['nothing', {}, { elicitation: {}, sampling: {} }],
    ['elicitation alone', { elicitation: {} }, { sampling: {} }],
  ])('refuses a client that can do %s, names what is missing and creates nothing', async (_what, can, missing) => {
    const before = await storedState(scene);
    const { status, error } = await rpc(scene.a.endpoint, 'tools/call', params, { capabilities: can });
    expect(status).toBe(400);
    expect(error).toMatchObject({ code: -32021, data: { requiredCapabilities: missing } });
    expect(error?.data?.['requiredCapabilities']).toEqual(missing);
    expect(await storedState(scene)).toEqual(before);
  });

  test('asks a client that can do both, again for what is still open, and runs once it knows', async () => {
    const capabilities = { elicitation: {}, sampling: {} };
    const call = (inputResponses?: Record<string, unknown>) =>
      rpc(scene.a.endpoint, 'tools/call', { ...params, ...(inputResponses && { inputResponses }) }, { capabilities });
    const name = { action: 'accept', content: { name: 'Ada' } };
    const poem = { role: 'assistant', model: 'm', content: { type: 'text', text: 'roses' } };
    const keysOf = ({ result }: Awaited<ReturnType<typeof call>>) => {
      expect(result).toMatchObject({ resultType: 'input_required' });
      return Object.keys(result?.['inputRequests'] as object);
    };
    expect(keysOf(await call())).toEqual(['name', 'poem']);
    expect(keysOf(await call({ name }))).toEqual(['poem']);
    expect(keysOf(await call({ name, poem: 'not an object', other: name }))).toEqual(['poem']);
    expect((await call({ name, poem })).result).toMatchObject({
      resultType: 'complete',
      content: [{ text: 'Ada: roses' }],
    });
  });

  test('is an error of the tool to a 2025-11-25 client that cannot be asked', async () => {
    const client = new ClientV1({ name: 'v1', version: '1' }, { capabilities: {} });
    const transport = new TransportV1(new URL(scene.a.endpoint)) as unknown as Parameters<ClientV1['connect']>[0];
    await client.connect(transport);
    expect(await client.callTool(params)).toMatchObject({
      isError: true,
      content: [{ text: expect.stringContaining('did not declare') }],
    });
    await client.close();
  });
});
