/**
 * Traces of one task, from real processes to a real receiver.
 */
import { beforeAll, afterAll, describe, expect, it } from 'vitest';
import { fileURLToPath } from 'node:url';
import { startNats, type TestNats } from '../../support/nats.js';
import { readStream, rpc } from '../../support/rpc.js';
import { startFrontEnd, startWorker, stopAll, type FrontEnd, type TestProcess } from '../../support/system.js';
import { startOtlpReceiver, type OtlpReceiver, type ReceivedSpan } from './otlp-receiver.js';

const DURABLE_TOOLS = fileURLToPath(new URL('../../support/durable-tools.mjs', import.meta.url));
const TRACE_ID = '0af7651916cd43dd8448eb211c80319c';
const CLIENT_SPAN = 'b7ad6b7169203331';
const TRACEPARENT = `00-${TRACE_ID}-${CLIENT_SPAN}-01`;

let nats: TestNats;
beforeAll(async () => {
  nats = await startNats();
}, 60_000);
afterAll(async () => nats[Symbol.asyncDispose]());

interface Traced extends AsyncDisposable {
  readonly receiver: OtlpReceiver;
  readonly frontEnd: FrontEnd;
  readonly worker: TestProcess;
}

async function start(receiver: OtlpReceiver, env: Record<string, string> = {}): Promise<Traced> {
  const traces = { TASKSTREAM_TRACES_URL: receiver.url, TASKSTREAM_OPS_PORT: '0', ...env };
  const [frontEnd, worker] = await Promise.all([
    startFrontEnd(nats.url, traces),
    startWorker(nats.url, { ...traces, TASKSTREAM_TOOLS: DURABLE_TOOLS }),
  ]);
  await expect
    .poll(async () => (await rpc(frontEnd.endpoint, 'tools/list', {})).result?.['tools'], { timeout: 30_000 })
    .toHaveLength(3);
  return {
    receiver,
    frontEnd,
    worker,
    async [Symbol.asyncDispose]() {
      await stopAll([frontEnd, worker]);
      await receiver[Symbol.asyncDispose]();
    },
  };
}

async function runSteps(
  endpoint: string,
  meta: Record<string, unknown>,
): Promise<{ taskId: string; events: string[] }> {
  const call = await rpc(endpoint, 'tools/call', { name: 'steps', arguments: { n: 2, ms: [5] } }, { meta });
  const taskId = String(call.result?.['taskId']);
  const stream = await readStream(endpoint, taskId);
  expect(stream.result?.['resultType'], JSON.stringify(stream.error ?? call)).toBe('complete');
  return { taskId, events: stream.params };
}

const named = (spans: ReceivedSpan[], name: string) => spans.filter((span) => span.name === name);
const ofTask = (spans: ReceivedSpan[], taskId: string) =>
  spans.filter((span) => span.attributes['taskstream.task_id'] === taskId);

describe('traces', () => {
  it("follow a task in its creator's trace: call, attempt, steps, appends, stream; events and logs say the same", async () => {
    await using traced = await start(await startOtlpReceiver());
    const { receiver, frontEnd, worker } = traced;
    const { taskId, events } = await runSteps(frontEnd.endpoint, { traceparent: TRACEPARENT });
    await stopAll([frontEnd, worker]);
    expect(receiver.faults).toEqual([]);
    const spans = ofTask(receiver.spans, taskId);
    expect(new Set(spans.map((span) => span.traceId))).toEqual(new Set([TRACE_ID]));

    const [call] = named(spans, 'tools/call steps');
    expect(call).toMatchObject({ service: 'taskstream-front-end', parentSpanId: CLIENT_SPAN, kind: 2 });
    const [attempt] = named(spans, 'attempt steps');
    expect(attempt).toMatchObject({ service: 'taskstream-worker', parentSpanId: CLIENT_SPAN, kind: 5 });
    expect(attempt?.attributes).toMatchObject({
      'taskstream.attempt': 1,
      'taskstream.cause': 'first',
      'taskstream.how': 'completed',
      'gen_ai.tool.name': 'steps',
    });
    expect(attempt?.attributes['taskstream.queue_wait_ms']).toBeGreaterThanOrEqual(0);
    for (const name of ['step step 0', 'step step 1']) {
      const [step] = named(spans, name);
      expect(step?.parentSpanId).toBe(attempt?.spanId);
      expect(step?.attributes).toMatchObject({ 'taskstream.step.try': 1, 'taskstream.step.how': 'completed' });
    }
    const appends = named(spans, 'append');
    expect(appends.length).toBeGreaterThan(0);
    for (const append of appends) {
      expect(append.parentSpanId).toBe(attempt?.spanId);
      expect(BigInt(append.endTimeUnixNano) >= BigInt(append.startTimeUnixNano)).toBe(true);
    }
    const [stream] = named(spans, 'tasks/stream');
    expect(stream).toMatchObject({ service: 'taskstream-front-end', parentSpanId: CLIENT_SPAN });
    expect(stream?.attributes).toMatchObject({ 'taskstream.events': events.length, 'taskstream.reason': 'terminal' });

    const traceparents = events.map(
      (text) => (JSON.parse(text) as { _meta: Record<string, unknown> })._meta['traceparent'],
    );
    expect(new Set(traceparents)).toEqual(new Set([TRACEPARENT]));
    const lines = worker
      .log()
      .split('\n')
      .filter((line) => line.includes(taskId))
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(lines.map((line) => line['msg'])).toEqual(['attempt started', 'attempt ended']);
    for (const line of lines) expect(line).toMatchObject({ taskId, attempt: 1, traceparent: TRACEPARENT });
  }, 90_000);

  it("begin at the call when the creator has no trace, link a stream to the task's, and record what failed", async () => {
    await using traced = await start(await startOtlpReceiver());
    const { receiver, frontEnd, worker } = traced;
    const own = await runSteps(frontEnd.endpoint, { traceparent: `00-${'0'.repeat(32)}-${CLIENT_SPAN}-01` });
    const joined = await readStream(frontEnd.endpoint, own.taskId, undefined, { meta: { traceparent: TRACEPARENT } });
    expect(joined.params).toEqual(own.events);
    const missing = await readStream(frontEnd.endpoint, own.taskId, 1_000, { meta: { traceparent: TRACEPARENT } });
    expect(missing.params).toEqual([]);
    await stopAll([frontEnd, worker]);
    const spans = ofTask(receiver.spans, own.taskId);
    const [call] = named(spans, 'tools/call steps');
    expect(call?.parentSpanId ?? '').toBe('');
    const [attempt] = named(spans, 'attempt steps');
    expect(attempt).toMatchObject({ traceId: call?.traceId, parentSpanId: call?.spanId });
    const linked = named(spans, 'tasks/stream').filter((span) => span.traceId === TRACE_ID);
    expect(linked.length).toBeGreaterThan(0);
    for (const stream of linked) {
      expect(stream.links).toMatchObject([{ traceId: call?.traceId, spanId: call?.spanId }]);
    }
  }, 90_000);

  it('send none of a creator that does not sample, and cost no task when nobody takes them', async () => {
    await using traced = await start(await startOtlpReceiver(503), { TASKSTREAM_TRACES_FLUSH_MS_MAX: '500' });
    const { receiver, frontEnd, worker } = traced;
    const unsampled = await runSteps(frontEnd.endpoint, { traceparent: `00-${TRACE_ID}-${CLIENT_SPAN}-00` });
    const sampled = await runSteps(frontEnd.endpoint, { traceparent: TRACEPARENT });
    frontEnd.kill('SIGTERM');
    worker.kill('SIGTERM');
    expect((await frontEnd.exited).code).toBe(0);
    expect((await worker.exited).code).toBe(0);
    expect(ofTask(receiver.spans, unsampled.taskId)).toEqual([]);
    expect(ofTask(receiver.spans, sampled.taskId).length).toBeGreaterThan(0);
    expect(worker.log()).toContain('spans were dropped');
  }, 90_000);
});
