/**
 * The strict client over front ends that leave, die or have nothing to say: it ends with all events and no warning.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startNats, type TestNats } from '../../support/nats.js';
import { readStream } from '../../support/rpc.js';
import { startFrontEnd, startWorker, stopAll, type FrontEnd, type TestProcess } from '../../support/system.js';
import { startBalancer } from './balancer.js';
import { StrictClient, StrictReader, type StrictRun } from './strict-client.js';

const ENV = { TASKSTREAM_SESSION_KEY: 'a-key-of-thirty-two-characters-at-least', TASKSTREAM_DRAIN_SPREAD_MS: '300' };

/** The longest silence that the proxy bears. */
const SILENCE_MS = 2_000;

let nats: TestNats;
let worker: TestProcess;
let stays: FrontEnd;
const others: FrontEnd[] = [];

async function another(env: Record<string, string> = {}): Promise<FrontEnd> {
  const frontEnd = await startFrontEnd(nats.url, { ...ENV, ...env });
  others.push(frontEnd);
  return frontEnd;
}

beforeAll(async () => {
  nats = await startNats();
  worker = await startWorker(nats.url);
  stays = await startFrontEnd(nats.url, ENV);
});

afterAll(async () => {
  await stopAll([worker, stays, ...others]);
  await nats[Symbol.asyncDispose]();
});

/** Every event of the log, none twice, in order, byte by byte; nothing to complain about. */
async function expectWhole(run: StrictRun, counted: number): Promise<void> {
  expect(run.warnings).toEqual([]);
  expect(run.result).toMatchObject({ content: [{ type: 'text', text: String(counted) }] });
  const { params } = await readStream(stays.endpoint, run.taskId);
  expect(run.events).toEqual(params.map((text) => JSON.stringify(JSON.parse(text))));
  expect(run.events.filter((text) => text.includes('com.example.count'))).toHaveLength(counted);
}

test('a task on one front end is read in one stream', async () => {
  const client = await StrictClient.connect(stays.endpoint);
  const run = await client.run('count', { n: 50, everyMs: 10 });
  await expectWhole(run, 50);
});

test('a front end that drains costs a retry and nothing else', async () => {
  const leaving = await another();
  await using balancer = await startBalancer(leaving.endpoint);
  const client = await StrictClient.connect(balancer.endpoint);
  const run = await client.run('count', { n: 60, everyMs: 40 }, (count) => {
    if (count !== 15) return;
    balancer.send(stays.endpoint);
    leaving.kill('SIGTERM');
  });
  await expectWhole(run, 60);
  expect(run.opened).toBeGreaterThanOrEqual(2);
  expect(await leaving.exited).toEqual({ code: 0, signal: null });
});

test('a front end that is killed costs a retry and nothing else', async () => {
  const dying = await another();
  await using balancer = await startBalancer(dying.endpoint);
  const client = await StrictClient.connect(balancer.endpoint);
  const run = await client.run('count', { n: 60, everyMs: 40, pad: 2_000 }, (count) => {
    if (count !== 15) return;
    balancer.send(stays.endpoint);
    dying.kill('SIGKILL');
  });
  await expectWhole(run, 60);
  expect(run.opened).toBeGreaterThanOrEqual(2);
});

test('a long silence is kept alive through a proxy that cuts silent connections', async () => {
  // The default heartbeat is longer than the proxy's patience: without a short one its streams are cut.
  const frontEnds = [await another({ TASKSTREAM_HEARTBEAT_MS: '100' }), stays];
  const runs = await Promise.all(
    frontEnds.map(async ({ endpoint }) => {
      await using balancer = await startBalancer(endpoint);
      const client = await StrictClient.connect(balancer.endpoint);
      return await client.run('count', { n: 2, everyMs: 2 * SILENCE_MS }, () => balancer.bear(SILENCE_MS));
    }),
  );
  const [lively, silent] = runs as [StrictRun, StrictRun];
  expect(lively.opened).toBe(1);
  expect(silent.opened).toBeGreaterThan(1);
  await expectWhole(lively, 2);
});

describe('the strict client complains', () => {
  const event = (seq: number, extra: Record<string, unknown> = {}) => ({
    seq,
    taskId: 't',
    type: 'com.example.step',
    _meta: { 'io.modelcontextprotocol/related-task': { taskId: 't' } },
    ...extra,
  });
  test.each([
    ['of a first seq other than 0', [event(1)], ['gap: seq 1, expected 0']],
    ['of a jump', [event(0), event(2)], ['gap: seq 2, expected 1']],
    ['not of what it has already', [event(0), event(1), event(1), event(0), event(2)], []],
    ['of a type without a separator', [event(0, { type: 'step' })], ['type without a separator: step']],
    ['of an event without its task', [event(0, { _meta: {} })], ['seq 0 belongs to the task undefined']],
    [
      'of an event of another task',
      [event(0, { _meta: { 'io.modelcontextprotocol/related-task': { taskId: 'u' } } })],
      ['seq 0 belongs to the task u'],
    ],
  ])('%s', (_what, events, warnings) => {
    const reader = new StrictReader('t');
    for (const params of events) reader.accept(params);
    expect(reader.warnings).toEqual(warnings);
  });
});
