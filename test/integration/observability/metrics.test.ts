/**
 * What both services say when they are scraped, held to docs/metrics.md.
 */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { callTask, readStream, rpc } from '../../support/rpc.js';
import type { FrontEnd, TestProcess } from '../../support/system.js';
import { startScene, UNSERVED, type Scene } from '../front-end/scene.js';
import { describeScrape, renderMetrics } from './metrics-docs.js';

const DOCS = new URL('../../../docs/metrics.md', import.meta.url);

let scene: Scene;
let frontEnd: FrontEnd;
let worker: TestProcess;
beforeAll(async () => {
  scene = await startScene({ worker: false });
  worker = await scene.addWorker({ TASKSTREAM_OPS_PORT: '0' });
  frontEnd = await scene.frontEnd({ TASKSTREAM_OPS_PORT: '0', TASKSTREAM_STREAMS_PER_OWNER_MAX: '1' });
}, 60_000);
afterAll(() => scene[Symbol.asyncDispose]());

const scrape = async (of: TestProcess): Promise<string> => (await fetch(`${String(of.ready['ops'])}/metrics`)).text();

/** The sample of a name whose labels include the given ones; NaN when there is none. */
async function sample(of: TestProcess, name: string, labels: Record<string, string> = {}): Promise<number> {
  const lines = (await scrape(of))
    .split('\n')
    .filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `));
  const wanted = Object.entries(labels).map(([label, value]) => `${label}="${value}"`);
  const line = lines.find((one) => wanted.every((label) => one.includes(label)));
  return line === undefined ? Number.NaN : Number(line.slice(line.lastIndexOf(' ') + 1));
}
const reaches = (of: TestProcess, name: string, labels: Record<string, string> = {}) =>
  expect.poll(() => sample(of, name, labels), { timeout: 20_000, message: name });

describe('metrics', () => {
  it('are those of docs/metrics.md, each with help, a type and its unit', async () => {
    const scrapes = { front_end: await scrape(frontEnd), worker: await scrape(worker) };
    expect(describeScrape(scrapes.front_end).size).toBeGreaterThan(20);
    // Regenerate it with `npm run docs:metrics`.
    const plain = (text: string) => text.replaceAll(/ +\|/g, ' |').replaceAll(/-+\|/g, '|');
    expect(plain(readFileSync(DOCS, 'utf8'))).toBe(plain(renderMetrics(scrapes)));
    for (const text of Object.values(scrapes)) {
      for (const { name, type, help } of describeScrape(text).values()) {
        expect(help.length, name).toBeGreaterThan(10);
        expect({ name, total: name.endsWith('_total') }).toEqual({ name, total: type === 'counter' });
        if (type === 'histogram') expect(name).toMatch(/_(?:seconds|bytes)$/);
      }
    }
  });

  it('follow a task that is watched live and read again', async () => {
    const taskId = await callTask(frontEnd.endpoint, 'count', { n: 20, everyMs: 25 });
    const live = await readStream(frontEnd.endpoint, taskId);
    expect(await readStream(frontEnd.endpoint, taskId)).toMatchObject({ params: live.params });
    await reaches(frontEnd, 'taskstream_delivery_lag_seconds_count').toBeGreaterThan(1);
    await reaches(frontEnd, 'taskstream_replay_duration_seconds_count').toBeGreaterThan(0);
    const lagSum = await sample(frontEnd, 'taskstream_delivery_lag_seconds_sum');
    const lagCount = await sample(frontEnd, 'taskstream_delivery_lag_seconds_count');
    // One clock: the mean is above nothing and far below what a wrong field would give.
    expect(lagSum / lagCount).toBeGreaterThanOrEqual(0);
    expect(lagSum / lagCount).toBeLessThan(60);
    await reaches(frontEnd, 'taskstream_events_delivered_total').toBe(2 * live.params.length);
    await reaches(worker, 'taskstream_attempts_started_total', { tool: 'count', cause: 'first' }).toBe(1);
    await reaches(worker, 'taskstream_attempts_ended_total', { tool: 'count', how: 'completed' }).toBe(1);
    // What an alert counts the increase of is there before it happens.
    expect(await sample(worker, 'taskstream_attempts_started_total', { tool: 'count', cause: 'lease_lost' })).toBe(0);
    expect(await sample(worker, 'taskstream_stops_ignored_total', { tool: 'count' })).toBe(0);
    expect(await sample(worker, 'taskstream_append_failures_total', { code: 'data_lost' })).toBe(0);
    await reaches(worker, 'taskstream_queue_wait_seconds_count', { tool: 'count' }).toBe(1);
    await reaches(worker, 'taskstream_nats_connected').toBe(1);
    await reaches(worker, 'taskstream_nats_rtt_seconds').toBeGreaterThan(0);
  }, 60_000);

  it('show how many tasks wait and run in a queue, and for how long the oldest waits', async () => {
    const { queue } = UNSERVED;
    await reaches(frontEnd, 'taskstream_queue_waiting_tasks', { queue: 'default' }).toBe(0);
    await reaches(frontEnd, 'taskstream_queue_oldest_wait_seconds', { queue: 'default' }).toBe(0);
    const running = await callTask(frontEnd.endpoint, 'count', { n: 1_000, everyMs: 100 });
    await reaches(frontEnd, 'taskstream_queue_running_tasks', { queue: 'default' }).toBe(1);
    await rpc(frontEnd.endpoint, 'tasks/cancel', { taskId: running });
    await reaches(frontEnd, 'taskstream_queue_running_tasks', { queue: 'default' }).toBe(0);

    worker.kill('SIGSTOP');
    try {
      await Promise.all([1, 2, 3].map(() => callTask(frontEnd.endpoint, 'count', { n: 1 })));
      // The standing order of the stopped worker takes one; the others wait.
      await reaches(frontEnd, 'taskstream_queue_waiting_tasks', { queue: 'default' }).toBeGreaterThanOrEqual(1);
      const first = await sample(frontEnd, 'taskstream_queue_oldest_wait_seconds', { queue: 'default' });
      await reaches(frontEnd, 'taskstream_queue_oldest_wait_seconds', { queue: 'default' }).toBeGreaterThan(first);
    } finally {
      worker.kill('SIGCONT');
    }
    await reaches(frontEnd, 'taskstream_queue_waiting_tasks', { queue: 'default' }).toBe(0);
    // Nobody has ever served this one.
    await rpc(frontEnd.endpoint, 'tools/call', { name: UNSERVED.name, arguments: {} });
    await reaches(frontEnd, 'taskstream_queue_oldest_wait_seconds', { queue }).toBeGreaterThan(0);
    expect(await sample(frontEnd, 'taskstream_queue_waiting_tasks', { queue })).toBeNaN();
    expect(await sample(frontEnd, 'taskstream_stream_fill_ratio', { stream: 'TASKS_h_0' })).toBeGreaterThan(0);
    expect(await sample(frontEnd, 'taskstream_stream_fill_ratio', { stream: 'WORK' })).toBeGreaterThanOrEqual(0);
  }, 90_000);

  it('name the limit that refused', async () => {
    const before = await sample(frontEnd, 'taskstream_limits_hit_total', { limit: 'streamsPerOwnerMax' });
    expect(before).toBeNaN();
    const taskId = await callTask(frontEnd.endpoint, 'count', { n: 1_000, everyMs: 100 });
    const first = readStream(frontEnd.endpoint, taskId);
    await reaches(frontEnd, 'taskstream_open_streams').toBe(1);
    const second = await readStream(frontEnd.endpoint, taskId);
    expect(second.error?.data?.['limit']).toBe('streamsPerOwnerMax');
    expect(await sample(frontEnd, 'taskstream_limits_hit_total', { limit: 'streamsPerOwnerMax' })).toBe(1);
    await rpc(frontEnd.endpoint, 'tasks/cancel', { taskId });
    await first;
  }, 60_000);

  it('name the limits that a body broke', async () => {
    const post = (body: string) =>
      fetch(frontEnd.endpoint, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
    expect((await post('['.repeat(1_000))).status).toBe(400);
    expect((await post('x'.repeat(2 * 1024 * 1024))).status).toBe(413);
    expect(await sample(frontEnd, 'taskstream_limits_hit_total', { limit: 'requestDepthMax' })).toBe(1);
    expect(await sample(frontEnd, 'taskstream_limits_hit_total', { limit: 'requestBytesMax' })).toBe(1);
  });

  it('are answered without NATS, and say that it is gone', async () => {
    await scene.nats.server.stop('SIGKILL');
    await reaches(frontEnd, 'taskstream_nats_connected').toBe(0);
    expect(await sample(frontEnd, 'taskstream_nats_rtt_seconds')).toBeNaN();
    expect(await sample(frontEnd, 'taskstream_queue_waiting_tasks', { queue: 'default' })).toBeNaN();
    await reaches(worker, 'taskstream_nats_connected').toBe(0);
  }, 60_000);
});
