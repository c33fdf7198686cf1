/** The client on real front ends that are stopped, killed and trimmed, and with a consumer that is slow. */
import {
  createTaskClient,
  isClientError,
  type FollowItem,
  type Notice,
  type TaskClientOptions,
} from '@taskstream/client';
import { evtSubject, streamName } from '@taskstream/jetstream';
import { parseTaskId } from '@taskstream/core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DONE, startScene, type Scene } from '../front-end/scene.js';
import { until } from '../front-end/http.js';
import { callTask, readStream, seqOf } from '../../support/rpc.js';
import { emitSteps, runningTask } from '../../support/task-logs.js';

let scene: Scene;
beforeAll(async () => {
  scene = await startScene({ env: { TASKSTREAM_HEARTBEAT_MS: '200' } });
});
afterAll(() => scene[Symbol.asyncDispose]());

const limits = { backoffBaseMs: 50, backoffMaxMs: 500, silenceTimeoutMs: 2_000, pollIntervalMaxMs: 200 };

function clientOf(endpoints: readonly string[], options: Partial<TaskClientOptions> = {}) {
  const notices: Notice[] = [];
  const client = createTaskClient({ endpoints, limits, onNotice: (notice) => notices.push(notice), ...options });
  return { client, notices };
}

const seqsOf = (items: readonly FollowItem[]): number[] =>
  items.flatMap((item) => (item.type === 'event' ? [item.event.seq] : []));

describe('endpoints', () => {
  it('a front end that is stopped, but keeps its socket, is left for another; nothing is lost', async () => {
    const victim = await scene.frontEnd();
    const { client, notices } = clientOf([victim.endpoint, scene.a.endpoint]);
    const taskId = await callTask(scene.a.endpoint, 'count', { n: 200, everyMs: 10 });
    const items: FollowItem[] = [];
    try {
      for await (const item of client.followTask(taskId)) {
        items.push(item);
        if (items.length === 5) victim.kill('SIGSTOP');
      }
    } finally {
      victim.kill('SIGCONT');
    }
    const { params } = await readStream(scene.a.endpoint, taskId);
    expect(seqsOf(items)).toEqual(params.map(seqOf));
    expect(notices).toContainEqual(expect.objectContaining({ type: 'reconnecting', cause: 'silence' }));
    expect(notices).toContainEqual(expect.objectContaining({ type: 'endpoint-failed', endpoint: victim.endpoint }));
  });

  it('one that works is kept to, until it fails', async () => {
    const [first, second] = [await scene.frontEnd(), await scene.frontEnd()];
    const { client, notices } = clientOf([first.endpoint, second.endpoint]);
    const taskId = await callTask(scene.a.endpoint, 'count', { n: 150, everyMs: 10 });
    const items: FollowItem[] = [];
    for await (const item of client.followTask(taskId)) {
      items.push(item);
      if (items.length === 5) first.kill('SIGKILL');
      if (items.length === 50) {
        // What failed is not tried by others either, while the other one works.
        await client.getTask(taskId);
        const at = notices.filter(({ type }) => type === 'endpoint-failed');
        expect(at).toEqual([expect.objectContaining({ endpoint: first.endpoint })]);
        second.kill('SIGKILL');
        const again = await scene.frontEnd({ TASKSTREAM_PORT: new URL(first.endpoint).port });
        expect(again.endpoint).toBe(first.endpoint);
      }
    }
    const { params } = await readStream(scene.a.endpoint, taskId);
    expect(seqsOf(items)).toEqual(params.map(seqOf));
    const connected = notices.flatMap((notice) => (notice.type === 'connected' ? [notice.endpoint] : []));
    expect([...new Set(connected)]).toEqual([first.endpoint, second.endpoint]);
    expect(connected.at(-1)).toBe(first.endpoint);
  });
});

it('a consumer that is slow holds the server back, and gets every event', async () => {
  let bytes = 0;
  const counting: typeof fetch = async (input, init) => {
    const response = await fetch(input, init);
    const count = new TransformStream<Uint8Array, Uint8Array>(
      {
        transform: (chunk, controller) => {
          bytes += chunk.byteLength;
          controller.enqueue(chunk);
        },
      },
      undefined,
      { highWaterMark: 0 },
    );
    return new Response(response.body?.pipeThrough(count), response);
  };
  const { client } = clientOf([scene.a.endpoint], { fetch: counting });
  const taskId = await callTask(scene.a.endpoint, 'count', { n: 200, pad: 100_000 });
  await client.task(taskId).result();
  bytes = 0;
  const seqs: number[] = [];
  for await (const item of client.followTask(taskId)) {
    if (item.type === 'event') seqs.push(item.event.seq);
    if (seqs.length !== 3) continue;
    // Time for a reader that does not hold back to take all 20 MB.
    await readStream(scene.a.endpoint, taskId);
    const held = bytes;
    await readStream(scene.b.endpoint, taskId);
    expect(bytes).toBe(held);
    expect(held).toBeLessThan(2_000_000);
  }
  const { params } = await readStream(scene.a.endpoint, taskId);
  expect(seqs).toEqual(params.map(seqOf));
  expect(bytes).toBeGreaterThan(20_000_000);
});

describe('events_gone', () => {
  /** A running task of which only the events from `earliest` on are left. */
  async function trimmed() {
    const { spec, log } = await runningTask(scene.own, { queue: 'idle' });
    await emitSteps(log, 10, 'awaited');
    const { taskId } = spec;
    const place = parseTaskId(taskId);
    if (place === undefined) throw new Error(`${taskId} is not a task id`);
    await scene.own.broker.jsm.streams.purge(streamName(place), { filter: evtSubject(place, taskId), keep: 4 });
    return { taskId, log, earliest: log.nextSeq - 4 };
  }

  it('fails by default, by code', async () => {
    const { taskId, log, earliest } = await trimmed();
    const { client } = clientOf([scene.a.endpoint]);
    const error = await client
      .followTask(taskId, { after: 1 })
      .next()
      .catch((thrown: unknown) => thrown);
    expect(isClientError(error, 'events_gone') && error.details).toMatchObject({ nextSeq: 2, earliestSeq: earliest });
    await log.appendStatus(DONE);
  });

  it.each(['resume', 'restart'] as const)(
    '%s goes on with what is left, after a gap that says what is not',
    async (policy) => {
      const { taskId, log, earliest } = await trimmed();
      const { client } = clientOf([scene.a.endpoint]);
      const items: FollowItem[] = [];
      const reading = (async () => {
        for await (const item of client.followTask(taskId, { after: 1, onEventsGone: policy })) items.push(item);
      })();
      await until(() => items.length > 3, 'what is left');
      await log.appendStatus(DONE);
      await reading;
      expect(items[0]).toEqual({ type: 'gap', from: 2, to: earliest - 1, restarted: policy === 'restart' });
      expect(seqsOf(items)).toEqual(Array.from({ length: 5 }, (_, i) => earliest + i));
    },
  );
});
