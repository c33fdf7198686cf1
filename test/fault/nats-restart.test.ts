/**
 * nats-server killed and started again while a task runs: the task ends, and its reader gets everything.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startNats, type TestNats } from '../support/nats.js';
import { callTask, expectContiguous, readStream, rpc } from '../support/rpc.js';
import { startFrontEnd, startWorker, stopAll, type FrontEnd, type TestProcess } from '../support/system.js';

let nats: TestNats;
let frontEnd: FrontEnd;
let worker: TestProcess;

beforeAll(async () => {
  nats = await startNats();
  frontEnd = await startFrontEnd(nats.url);
  worker = await startWorker(nats.url, { TASKSTREAM_LEASE_MS: '4000' });
});

afterAll(async () => {
  await stopAll([worker, frontEnd]);
  await nats[Symbol.asyncDispose]();
});

test('every event arrives once and in order, whichever moment the server dies at', async () => {
  const n = 300;
  const taskId = await callTask(frontEnd.endpoint, 'count', { n, everyMs: 10 });
  const reading = readStream(frontEnd.endpoint, taskId);
  for (const at of [40, 150]) {
    await readStream(frontEnd.endpoint, taskId, undefined, {
      stop: (params) => (JSON.parse(params) as { payload: { i?: number } }).payload.i === at,
    });
    await nats.server.kill('SIGKILL');
    await nats.server.restart();
  }
  const stream = await reading;
  expect(stream.broken).toBe(false);
  expectContiguous(stream.params, 0);
  const counted = stream.params
    .map((text) => JSON.parse(text) as { type: string; payload: { i: number } })
    .filter((e) => e.type === 'com.example.count')
    .map((e) => e.payload.i);
  // One attempt lived through both restarts, or another one began again: never a hole within one.
  expect(counted.slice(-n)).toEqual(Array.from({ length: n }, (_, i) => i));
  const again = await readStream(frontEnd.endpoint, taskId);
  expect(again.params).toEqual(stream.params);
  expect((await rpc(frontEnd.endpoint, 'tasks/get', { taskId })).result).toMatchObject({ status: 'completed' });
});

test('readiness tells that the server is gone, and liveness does not', async () => {
  const status = async (path: string) => (await fetch(new URL(path, frontEnd.endpoint))).status;
  expect(await status('/readyz')).toBe(200);
  await nats.server.kill('SIGKILL');
  await expect.poll(() => status('/readyz'), { timeout: 10_000 }).toBe(503);
  expect(await status('/livez')).toBe(200);
  await nats.server.restart();
  await expect.poll(() => status('/readyz'), { timeout: 10_000 }).toBe(200);
});
