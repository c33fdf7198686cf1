/**
 * The kit on taskstream, as real processes: each check passes, none is skipped. With what
 * the kit cannot set up from outside: limits and expiry.
 */
import { parseTaskId } from '@taskstream/core';
import { evtSubject, streamName } from '@taskstream/jetstream';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { connectStore, startNats, type TestNats, type TestStore } from '../../support/nats.js';
import { readStream, rpc } from '../../support/rpc.js';
import { startFrontEnd, startWorker, stopAll, type TestProcess } from '../../support/system.js';
import { storedMessages } from '../../support/task-logs.js';
import { DEFAULT_TOOLS } from './options.js';
import { failedIds, reportText } from './report.js';
import { runKit } from './suite.js';

const ANN = { authorization: 'Bearer a-token-of-some-length' };
const BOB = { authorization: 'Bearer another-token-of-some-length' };
const AUTH = {
  TASKSTREAM_AUTH: 'static',
  TASKSTREAM_STATIC_TOKENS: 'ann:a-token-of-some-length,bob:another-token-of-some-length',
};
const STREAMS_PER_OWNER_MAX = 2;

let nats: TestNats;
let own: TestStore;
let processes: TestProcess[] = [];
let endpoint: string;
/** Two streams of an owner at most. */
let narrow: string;

beforeAll(async () => {
  nats = await startNats();
  own = await connectStore(nats.url);
  processes = [await startWorker(nats.url)];
  const [a, b] = await Promise.all([
    // So often that every live stream with a progress token gets some.
    startFrontEnd(nats.url, { ...AUTH, TASKSTREAM_HEARTBEAT_MS: '5' }),
    startFrontEnd(nats.url, { ...AUTH, TASKSTREAM_STREAMS_PER_OWNER_MAX: String(STREAMS_PER_OWNER_MAX) }),
  ]);
  processes.push(a, b);
  endpoint = a.endpoint;
  narrow = b.endpoint;
});

afterAll(async () => {
  await stopAll(processes);
  await own?.[Symbol.asyncDispose]();
  await nats?.[Symbol.asyncDispose]();
});

async function callAs(headers: Record<string, string>, tool: string, args: Record<string, unknown>): Promise<string> {
  const answer = await rpc(endpoint, 'tools/call', { name: tool, arguments: args }, { headers });
  expect(answer.result).toHaveProperty('taskId');
  return String(answer.result?.['taskId']);
}

async function statusOf(taskId: string): Promise<unknown> {
  const { result, error } = await rpc(endpoint, 'tasks/get', { taskId }, { headers: ANN });
  return result?.['status'] ?? error?.code;
}

/** A finished task of ann without its oldest events. */
async function trimmedTask() {
  const taskId = await callAs(ANN, 'count', { n: 30, everyMs: 1 });
  await expect.poll(() => statusOf(taskId), { timeout: 30_000 }).toBe('completed');
  const place = parseTaskId(taskId)!;
  const kept = (await storedMessages(own, taskId))[10]!;
  await own.broker.jsm.streams.purge(streamName(place), { filter: evtSubject(place, taskId), seq: kept.streamSeq });
  return { taskId, earliestSeq: kept.firstSeq };
}

it('every check passes on taskstream', { timeout: 180_000 }, async () => {
  const report = await runKit({
    ...DEFAULT_TOOLS,
    url: endpoint,
    headers: ANN,
    otherHeaders: BOB,
    trimmed: await trimmedTask(),
    deadlineMs: 30_000,
  });
  expect(failedIds(report), reportText(report)).toEqual([]);
  const skipped = report.lines.filter((l) => l.outcome === 'SKIP');
  expect(
    skipped.map((l) => l.requirement.id),
    reportText(report),
  ).toEqual([]);
});

it('open streams of one owner are limited, those of another are not: SEP2694-LIMIT-STREAMS', async () => {
  const stopping = new AbortController();
  const open = (taskId: string, headers: Record<string, string>) => {
    let begun: () => void = () => undefined;
    const first = new Promise<void>((resolve) => (begun = resolve));
    const reading = readStream(narrow, taskId, undefined, {
      headers,
      signal: stopping.signal,
      stop: () => (begun(), false),
    });
    return { first: Promise.race([first, reading]), reading };
  };
  const long = DEFAULT_TOOLS.long;
  const [ofAnn, ofBob] = await Promise.all([callAs(ANN, long.name, long.args), callAs(BOB, long.name, long.args)]);
  const opened = Array.from({ length: STREAMS_PER_OWNER_MAX }, () => open(ofAnn, ANN));
  await Promise.all(opened.map(({ first }) => first));
  const refused = await readStream(narrow, ofAnn, undefined, { headers: ANN });
  expect(refused).toMatchObject({
    params: [],
    error: { data: { reason: 'limit_reached', limit: 'streamsPerOwnerMax' } },
  });
  const other = open(ofBob, BOB);
  await other.first;
  stopping.abort();
  const read = await Promise.all([...opened, other].map(({ reading }) => reading));
  for (const { params, error } of read) {
    expect(error).toBeUndefined();
    expect(params.length).toBeGreaterThan(0);
  }
  for (const [taskId, headers] of [
    [ofAnn, ANN],
    [ofBob, BOB],
  ] as const) {
    await rpc(endpoint, 'tasks/cancel', { taskId }, { headers });
  }
});

/** SEP2694-RETENTION-AS-TASK, SEP2694-LIMIT-AGE, SEP2694-RETENTION-BRIEF */
it('events live as long as their task can be read, which is as long as its tool says, and no longer', async () => {
  const taskId = await callAs(ANN, 'brief', {});
  for (;;) {
    const before = await readStream(endpoint, taskId, undefined, { headers: ANN });
    const status = await statusOf(taskId);
    if (status === -32602) break;
    // It could be read after the stream, so all of it was there.
    expect(before.error).toBeUndefined();
    expect(before.params.length).toBeGreaterThan(1);
  }
  const after = await readStream(endpoint, taskId, undefined, { headers: ANN });
  expect(after).toMatchObject({
    params: [],
    error: { code: -32602, message: expect.stringContaining('Unknown task') },
  });
});
