/**
 * The plain HTTP view: what `curl -N` and a browser's EventSource see.
 */
import { Validator } from '@seriousme/openapi-schema-validator';
import { createParser } from 'eventsource-parser';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { connectStore, startNats, type TestNats } from '../../support/nats.js';
import { callTask, readStream } from '../../support/rpc.js';
import { testSpec } from '../../support/specs.js';
import { startFrontEnd, startWorker, stopAll, type FrontEnd, type TestProcess } from '../../support/system.js';

let nats: TestNats;
let frontEnd: FrontEnd;
let worker: TestProcess;
let base: string;

beforeAll(async () => {
  nats = await startNats();
  frontEnd = await startFrontEnd(nats.url);
  worker = await startWorker(nats.url);
  base = new URL('/', frontEnd.endpoint).href;
});

afterAll(async () => {
  await stopAll([worker, frontEnd]);
  await nats[Symbol.asyncDispose]();
});

const events = (taskId: string, query = '') => `${base}tasks/${taskId}/events${query}`;

async function readEvents(url: string, headers: Record<string, string> = {}) {
  const response = await fetch(url, { headers: { accept: 'text/event-stream', ...headers } });
  const read: Array<{ id: string | undefined; event: string | undefined; data: string }> = [];
  const parser = createParser({ onEvent: ({ id, event, data }) => read.push({ id, event, data }) });
  parser.feed(await response.text());
  return { response, read };
}

test('a stream carries each seq as its id and the same bytes as MCP, and ends with its reason', async () => {
  const taskId = await callTask(frontEnd.endpoint, 'count', { n: 20 });
  const { params } = await readStream(frontEnd.endpoint, taskId);
  const { response, read } = await readEvents(events(taskId));
  expect(response.status).toBe(200);
  expect(response.headers.get('content-type')).toBe('text/event-stream');
  const end = read.pop();
  expect(read.map((e) => e.data)).toEqual(params);
  expect(read.map((e) => e.id)).toEqual(params.map((_, i) => String(i)));
  expect(end?.event).toBe('end');
  expect(JSON.parse(end?.data ?? '')).toMatchObject({
    reason: 'terminal',
    status: 'completed',
    nextSeq: params.length,
  });
});

test('Last-Event-ID wins over after, and 204 after the end stops an EventSource', async () => {
  const taskId = await callTask(frontEnd.endpoint, 'count', { n: 5 });
  const { params } = await readStream(frontEnd.endpoint, taskId);
  const last = params.length - 1;
  const resumed = await readEvents(events(taskId, '?after=0'), { 'last-event-id': String(last - 2) });
  expect(resumed.read.filter((e) => e.event === undefined).map((e) => e.id)).toEqual([String(last - 1), String(last)]);
  const over = await fetch(events(taskId), { headers: { 'last-event-id': String(last) } });
  expect(over.status).toBe(204);
});

test('NDJSON is a bounded read that does not wait for a live task', async () => {
  const taskId = await callTask(frontEnd.endpoint, 'count', { n: 200, everyMs: 50 });
  await readStream(frontEnd.endpoint, taskId, undefined, { stop: (_params, count) => count >= 10 });
  const read = async (query: string) => {
    const response = await fetch(events(taskId, query), { headers: { accept: 'application/x-ndjson' } });
    expect(response.headers.get('content-type')).toBe('application/x-ndjson');
    const lines = (await response.text()).split('\n').filter((line) => line !== '');
    return lines.map((line) => (JSON.parse(line) as { seq: number }).seq);
  };
  const seqs = await read('');
  expect(seqs.length).toBeGreaterThanOrEqual(10);
  expect(seqs).toEqual(seqs.map((_, i) => i));
  expect(await read('?after=2&limit=3')).toEqual([3, 4, 5]);
});

test('gone events are 410 with the earliest that is left', async () => {
  await using own = await connectStore(nats.url);
  // Not the worker's queue: this test is the only writer.
  const spec = testSpec({ queue: 'nobody' });
  await own.store.tasks.create(spec);
  const tail = await own.store.attempts.readTail(spec.taskId);
  if (tail === undefined) throw new Error('no tail');
  const start = { attempt: 1, failures: 0, itemId: '1', delivery: 1, worker: 'test', cause: 'first' } as const;
  const log = await own.store.attempts.beginAttempt(spec, tail, start);
  for (let i = 0; i < 5; i++) await log.append([{ type: 'com.example.step', payload: { i } }]);
  await own.broker.jsm.streams.purge('TASKS_d_0', { filter: `evt.d.0.${spec.taskId}`, keep: 2 });
  const response = await fetch(events(spec.taskId, '?after=0'));
  expect(response.status).toBe(410);
  expect(await response.json()).toMatchObject({ reason: 'events_gone', earliestSeq: 5 });
});

test('what is wrong is said, and nothing is told of other tasks', async () => {
  const taskId = await callTask(frontEnd.endpoint, 'count', { n: 1 });
  for (const after of ['-1', '1.5', 'x', '99999999999999999999']) {
    const response = await fetch(events(taskId, `?after=${after}`));
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ detail: expect.stringContaining('after') as string });
  }
  expect((await fetch(events(taskId, '?limit=0'))).status).toBe(400);
  await using own = await connectStore(nats.url);
  const foreign = testSpec({ owner: 'somebody else', queue: 'nobody' });
  await own.store.tasks.create(foreign);
  const answers = await Promise.all(
    [foreign.taskId, testSpec().taskId, 'nonsense'].map(async (id) => {
      const response = await fetch(events(id));
      return [response.status, await response.json()];
    }),
  );
  expect(answers[0]).toEqual([404, { status: 404, detail: 'Unknown task' }]);
  expect(answers[1]).toEqual(answers[0]);
  expect(answers[2]).toEqual(answers[0]);
});

test('the OpenAPI document is valid and describes the path', async () => {
  const document = (await (await fetch(`${base}openapi.json`)).json()) as Record<string, unknown>;
  const { valid, errors } = await new Validator().validate(document);
  expect(errors).toBeUndefined();
  expect(valid).toBe(true);
  expect(document['paths']).toHaveProperty(['/tasks/{taskId}/events', 'get', 'responses', '410']);
});
