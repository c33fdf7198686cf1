/** Decisions of ours that no other suite has a place for. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readStream, rpc } from '../../support/rpc.js';
import { runningTask } from '../../support/task-logs.js';
import { until, openStreams } from './http.js';
import { DONE, IDLE_QUEUE, startScene, type Scene } from './scene.js';

let scene: Scene;
beforeAll(async () => {
  scene = await startScene();
});
afterAll(() => scene[Symbol.asyncDispose]());

test('a stream stays open while the task asks, and asks its reader nothing: the events and the end come later', async () => {
  const { spec, log } = await runningTask(scene.own, { queue: IDLE_QUEUE });
  const before = await openStreams(scene.a.endpoint);
  const reading = readStream(scene.a.endpoint, spec.taskId);
  const request = { method: 'elicitation/create', params: { mode: 'form', message: 'Who?' } };
  await log.appendStatus({ status: 'input_required', inputRequests: { 'q-1': request } });
  await until(
    async () =>
      (await rpc(scene.a.endpoint, 'tasks/get', { taskId: spec.taskId })).result?.['status'] === 'input_required',
    'the question',
  );
  expect(await openStreams(scene.a.endpoint)).toBe(before + 1);
  await log.append([{ type: 'com.example.step', payload: { after: 'the question' } }]);
  await log.appendStatus(DONE);
  const read = await reading;
  // `readStream` keeps every message that is no event: a request to the client would be the response.
  expect(read.result).toMatchObject({ _meta: { 'dev.taskstream/stream': { reason: 'terminal' } } });
  expect(read.params.at(-2)).toContain('after');
});

test('events carry the trace context of the creator alone: a valid one, never that of a reader', async () => {
  const creator = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
  const reader = '00-11111111111111111111111111111111-2222222222222222-01';
  const create = async (traceparent: unknown) => {
    const call = { name: 'count', arguments: { n: 2 } };
    const { result } = await rpc(scene.a.endpoint, 'tools/call', call, { meta: { traceparent } });
    return readStream(scene.b.endpoint, String(result?.['taskId']), undefined, { meta: { traceparent: reader } });
  };
  const traced = await create(creator);
  expect(traced.params.length).toBeGreaterThan(2);
  for (const line of traced.params) expect(line).toContain(creator);
  for (const line of traced.params) expect(line).not.toContain(reader);
  for (const invalid of ['nonsense', creator.toUpperCase(), `${creator}-00`, 7, null]) {
    for (const line of (await create(invalid)).params) expect(line).not.toContain('traceparent');
  }
});
