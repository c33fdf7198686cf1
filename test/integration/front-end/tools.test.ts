/**
 * `server/discover`, `tools/list` and `subscriptions/listen` for tools: what a client learns before it calls.
 */
import { mkdir, mkdtemp, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createParser } from 'eventsource-parser';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { callTask, readStream, rpc, rpcRequest } from '../../support/rpc.js';
import { until } from './http.js';
import { startScene, type Scene } from './scene.js';

const LATE_TOOLS = fileURLToPath(new URL('./late-tools.mjs', import.meta.url));

let scene: Scene;

beforeAll(async () => {
  scene = await startScene();
});
afterAll(() => scene[Symbol.asyncDispose]());

test('server/discover names the revision, its extensions and private cache hints', async () => {
  const { status, result } = await rpc(scene.a.endpoint, 'server/discover', {});
  expect(status).toBe(200);
  expect(result).toEqual({
    resultType: 'complete',
    supportedVersions: ['2026-07-28'],
    capabilities: {
      tools: { listChanged: true },
      extensions: {
        'io.modelcontextprotocol/tasks': {},
        'dev.taskstream/event-streams': {},
        'dev.taskstream/steering': {},
      },
    },
    ttlMs: 60_000,
    cacheScope: 'private',
    _meta: { 'io.modelcontextprotocol/serverInfo': { name: 'taskstream', version: '0.1.0' } },
  });
});

test('tools/list shows what workers published, on every front end, in the order of names', async () => {
  const [a, b] = await Promise.all([scene.a, scene.b].map(({ endpoint }) => rpc(endpoint, 'tools/list', {})));
  const tools = a!.result!['tools'] as Array<{ name: string }>;
  const names = tools.map((t) => t.name);
  expect(names).toEqual(names.toSorted());
  expect(names).toEqual(expect.arrayContaining(['count', 'fail', 'quick', 'task_only', 'unserved']));
  expect(b!.result!['tools']).toEqual(tools);
  expect(tools.find((t) => t.name === 'quick')).toEqual({
    name: 'quick',
    description: 'Answers without a task',
    inputSchema: expect.objectContaining({
      type: 'object',
      properties: expect.objectContaining({ name: expect.anything() }),
    }),
  });
  expect(a!.result).toMatchObject({ resultType: 'complete', cacheScope: 'private' });
});

test('tools/list knows no execution.taskSupport: it belongs to the older revision', async () => {
  const { result } = await rpc(scene.a.endpoint, 'tools/list', {});
  expect((result!['tools'] as object[]).filter((tool) => 'execution' in tool)).toEqual([]);
});

interface Listening {
  readonly messages: Array<{ method?: string; id?: unknown; params?: Record<string, unknown>; result?: unknown }>;
  readonly over: Promise<void>;
  close(): void;
}

async function listen(endpoint: string, notifications: Record<string, unknown>): Promise<Listening> {
  const abort = new AbortController();
  const init = rpcRequest('subscriptions/listen', { notifications });
  const response = await fetch(endpoint, { ...init, signal: abort.signal });
  expect(response.headers.get('content-type')).toBe('text/event-stream');
  const messages: Listening['messages'] = [];
  const parser = createParser({ onEvent: ({ data }) => void messages.push(JSON.parse(data)) });
  const decoder = new TextDecoder();
  const over = (async () => {
    try {
      for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
        parser.feed(decoder.decode(chunk, { stream: true }));
      }
    } catch (error) {
      if (!abort.signal.aborted) throw error;
    }
  })();
  return { messages, over, close: () => abort.abort() };
}

test('a listening client hears of a tool that a new worker brings, on each front end; the tool works at once', async () => {
  const listeners = await Promise.all([
    listen(scene.a.endpoint, { toolsListChanged: true }),
    listen(scene.b.endpoint, { toolsListChanged: true }),
  ]);
  for (const { messages } of listeners) {
    await until(() => messages.length > 0, 'an acknowledgement');
    expect(messages[0]).toMatchObject({
      method: 'notifications/subscriptions/acknowledged',
      params: { notifications: { toolsListChanged: true } },
    });
  }
  await scene.addWorker({ TASKSTREAM_TOOLS: LATE_TOOLS });
  for (const { messages } of listeners) {
    await until(() => messages.some((m) => m.method === 'notifications/tools/list_changed'), 'a notification');
    for (const { params } of messages) {
      expect(params!['_meta']).toHaveProperty(['io.modelcontextprotocol/subscriptionId']);
    }
  }
  const { result } = await rpc(scene.b.endpoint, 'tools/list', {});
  const late = (result!['tools'] as Array<Record<string, unknown>>).find((t) => t['name'] === 'late');
  expect(late).toMatchObject({ title: 'Late', outputSchema: { type: 'object' } });
  const called = await rpc(scene.a.endpoint, 'tools/call', { name: 'late', arguments: {} }, { capabilities: {} });
  expect(called.result).toMatchObject({ structuredContent: { text: 'late' }, resultType: 'complete' });
  for (const listener of listeners) listener.close();
  await Promise.all(listeners.map((l) => l.over));
});

test('a subscription to nothing is acknowledged as nothing and over', async () => {
  const listener = await listen(scene.a.endpoint, {});
  await listener.over;
  expect(listener.messages.map((m) => m.method ?? 'result')).toEqual([
    'notifications/subscriptions/acknowledged',
    'result',
  ]);
});

test('a front end that drains ends its subscriptions with a result', async () => {
  const extra = await scene.frontEnd();
  const listener = await listen(extra.endpoint, { toolsListChanged: true });
  await until(() => listener.messages.length > 0, 'an acknowledgement');
  extra.kill('SIGTERM');
  await listener.over;
  expect(listener.messages.at(-1)).toMatchObject({ result: { resultType: 'complete' } });
  expect(await extra.exited).toEqual({ code: 0, signal: null });
});

test('audit_repository reads below its roots, and says nothing of what is outside of them', async () => {
  const dir = await realpath(await mkdtemp(join(tmpdir(), 'taskstream-audit-')));
  try {
    await mkdir(join(dir, 'inside'));
    await mkdir(join(dir, 'outside'));
    await writeFile(join(dir, 'inside', 'hello.ts'), 'export const hello = 1;\n');
    await writeFile(join(dir, 'outside', 'secret.ts'), 'export const secret = 1;\n');
    await symlink(join(dir, 'outside'), join(dir, 'inside', 'way-out'));
    // A worker gives back the items of tools that it does not have: two kinds of them on one queue slow each other.
    scene.worker!.kill('SIGTERM');
    await scene.worker!.exited;
    await scene.addWorker({ TASKSTREAM_TOOLS: '', TASKSTREAM_AUDIT_ROOTS: join(dir, 'inside') });
    const audit = async (path: string) => {
      const taskId = await callTask(scene.a.endpoint, 'audit_repository', { path });
      const { params } = await readStream(scene.b.endpoint, taskId);
      const { result } = await rpc(scene.b.endpoint, 'tasks/get', { taskId });
      return { params, result: result!['result'] as { isError?: boolean; content: Array<{ text: string }> } };
    };
    const fine = await audit('.');
    expect(fine.result.isError).toBeUndefined();
    expect(fine.params.join('\n')).toContain('hello.ts');
    const outside = ['..', '../outside', join(dir, 'outside'), '/etc', 'way-out', '../nothing-there', '/'];
    for (const { params, result } of await Promise.all(outside.map(audit))) {
      expect(result).toMatchObject({ isError: true, content: [{ text: expect.stringMatching(/^path: .*outside/) }] });
      expect(params.join('\n') + result.content[0]!.text).not.toMatch(/secret|passwd|taskstream-audit-/);
    }
    for (const path of ['', 7]) {
      const refused = await rpc(scene.a.endpoint, 'tools/call', { name: 'audit_repository', arguments: { path } });
      expect(refused.result).toMatchObject({ isError: true, content: [{ text: expect.stringContaining('path: ') }] });
    }
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
});
