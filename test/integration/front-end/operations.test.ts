/**
 * What a front end says of itself, and what it does while NATS is away.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { callTask, expectContiguous, readStream, rpc } from '../../support/rpc.js';
import { createTask, runningTask } from '../../support/task-logs.js';
import { metric, openStreams, send, until, type Answer } from './http.js';
import { IDLE_QUEUE, startScene, type Scene } from './scene.js';

const TEMPORARY = { code: -32603, data: { reason: 'temporarily_unavailable' } };

let scene: Scene;
let a: string;

beforeAll(async () => {
  scene = await startScene({
    env: {
      TASKSTREAM_READ_RETRY_MS_MAX: '1000',
      TASKSTREAM_PUBLISH_RETRY_MS_MAX: '1000',
      TASKSTREAM_READ_TIMEOUT_MS: '500',
    },
  });
  a = scene.a.endpoint;
});
afterAll(() => scene[Symbol.asyncDispose]());

const look = (endpoint: string, path: string): Promise<Answer> => send(endpoint, { method: 'GET', path });

test('/livez and /readyz say yes; no answer may be cached', async () => {
  for (const path of ['/livez', '/readyz', '/metrics']) {
    const answer = await look(a, path);
    expect({ path, status: answer.status }).toEqual({ path, status: 200 });
    expect(answer.headers['cache-control']).toBe('no-store');
  }
  expect(JSON.parse((await look(a, '/readyz')).text)).toEqual({ ready: true, reasons: {} });
});

test('/metrics counts streams, events and how streams ended', async () => {
  const events = await metric(a, 'taskstream_events_delivered_total');
  const terminal = await metric(a, 'taskstream_streams_ended_total', { reason: 'terminal' });
  const { params } = await readStream(a, await callTask(a, 'count', { n: 20 }));
  expect(await metric(a, 'taskstream_events_delivered_total')).toBe(events + params.length);
  expect(await metric(a, 'taskstream_streams_ended_total', { reason: 'terminal' })).toBe(terminal + 1);
  expect(await openStreams(a)).toBe(0);
  const { text } = await look(a, '/metrics');
  for (const name of [
    'taskstream_delivered_bytes_total',
    'taskstream_followed_tasks',
    'process_resident_memory_bytes',
  ]) {
    expect(text).toContain(`# HELP ${name} `);
  }
});

test('operations paths can have a port of their own, and are gone from the other', async () => {
  const split = await scene.frontEnd({ TASKSTREAM_OPS_PORT: '0' });
  const ops = String(split.ready['ops']);
  expect((await look(ops, '/livez')).status).toBe(200);
  expect((await look(ops, '/readyz')).status).toBe(200);
  expect((await look(split.endpoint, '/livez')).status).toBe(404);
  expect((await look(ops, '/mcp')).status).toBe(404);
});

test('without NATS it lives, is not ready, says that it cannot answer now, and never that a task is unknown', async () => {
  const running = await runningTask(scene.own, { queue: IDLE_QUEUE });
  const unseen = await createTask(scene.own, { queue: IDLE_QUEUE });
  const { taskId } = running.spec;
  const following = readStream(a, taskId);
  await until(async () => (await openStreams(a)) === 1, 'the stream');
  expect((await rpc(a, 'tasks/get', { taskId })).result).toMatchObject({ status: 'working' });

  await scene.nats.server.stop('SIGKILL');
  await until(async () => (await look(a, '/readyz')).status === 503, 'a front end that is not ready');
  expect(JSON.parse((await look(a, '/readyz')).text)).toEqual({ ready: false, reasons: { nats: expect.any(String) } });
  expect((await look(a, '/livez')).status).toBe(200);
  expect((await look(a, '/metrics')).status).toBe(200);
  expect((await rpc(a, 'server/discover', {})).status).toBe(200);
  const tools = (await rpc(a, 'tools/list', {})).result!['tools'] as unknown[];
  expect(tools.length).toBeGreaterThan(5);

  const refused = await Promise.all([
    rpc(a, 'tasks/get', { taskId: unseen.taskId }),
    rpc(a, 'tasks/cancel', { taskId: unseen.taskId }),
    rpc(a, 'tasks/update', { taskId: unseen.taskId, inputResponses: {} }),
    rpc(a, 'tools/call', { name: 'unserved', arguments: {} }),
    rpc(a, 'tools/call', { name: 'count', arguments: { n: 1 } }, { capabilities: {} }),
    readStream(a, unseen.taskId),
    readStream(a, unseen.taskId, 0),
  ]);
  for (const answer of refused)
    expect({ status: answer.status, error: answer.error }).toMatchObject({ status: 200, error: TEMPORARY });
  const listening = await rpc(a, 'subscriptions/listen', { notifications: { taskIds: [unseen.taskId] } });
  expect(listening.error).toMatchObject(TEMPORARY);
  const view = await look(a, `/tasks/${unseen.taskId}/events`);
  expect(view.status).toBe(503);
  expect(await openStreams(a)).toBe(1);

  await scene.nats.server.restart();
  await until(async () => (await look(a, '/readyz')).status === 200, 'a front end that is ready again', 20_000);
  await running.log.append([{ type: 'com.example.step', payload: { after: 'the outage' } }]);
  await running.log.appendStatus({ status: 'completed', result: { content: [] } });
  const read = await following;
  expectContiguous(read.params, 0);
  expect(read.params.join('\n')).toContain('the outage');
  expect(read.result).toMatchObject({ _meta: { 'dev.taskstream/stream': { reason: 'terminal' } } });
  expect((await rpc(a, 'tasks/get', { taskId: unseen.taskId })).result).toMatchObject({ status: 'working' });
  expect(scene.a.log()).not.toContain('"level":60');
});
