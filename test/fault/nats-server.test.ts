/** A nats-server that is killed in mid-task: the task ends, every reader gets everything, and all that waits goes on. */
import { TOOL_DEFINITION_VERSION, type MailboxCommand } from '@taskstream/core';
import { openToolPublisher, watchToolCatalogue } from '@taskstream/jetstream';
import { SystemEvent } from '@taskstream/protocol';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connectStore, startNats, type TestNats, type TestStore } from '../support/nats.js';
import { callTask, expectContiguous, readStream } from '../support/rpc.js';
import { startFrontEnd, startWorker, stopAll, type FrontEnd, type TestProcess } from '../support/system.js';
import { createTask, readEvents, storedLines, typesOf } from '../support/task-logs.js';

let nats: TestNats;
let on: TestStore;
let worker: TestProcess;
let frontEnd: FrontEnd;

beforeAll(async () => {
  nats = await startNats();
  on = await connectStore(nats.url, { tailCheckMs: 500 });
  [worker, frontEnd] = await Promise.all([
    startWorker(nats.url, { TASKSTREAM_LEASE_MS: '10000' }),
    startFrontEnd(nats.url),
  ]);
});

afterAll(async () => {
  await stopAll([worker, frontEnd].filter((p) => p !== undefined));
  await on?.[Symbol.asyncDispose]();
  await nats?.[Symbol.asyncDispose]();
});

async function killServer(downMs: number): Promise<void> {
  nats.server.kill('SIGKILL');
  await nats.server.exited;
  await delay(downMs);
  await nats.server.restart();
}

describe('killed and started again', () => {
  it('while a task runs, twice: it ends in its first attempt, and no reader misses an event', async () => {
    const total = 400;
    const taskId = await callTask(frontEnd.endpoint, 'count', { n: total, everyMs: 10 });
    let seen = 0;
    const overHttp = readStream(frontEnd.endpoint, taskId, undefined, {
      stop: () => {
        seen++;
        return false;
      },
    });
    const here = on.store.events.open(taskId, undefined).then((session) => readEvents(session));
    for (const share of [0.15, 0.5]) {
      await expect.poll(() => seen, { timeout: 30_000, interval: 20 }).toBeGreaterThan(total * share);
      await killServer(600);
    }
    const [http, store] = await Promise.all([overHttp, here]);
    const lines = await storedLines(on, taskId);
    expect(http.broken).toBe(false);
    expectContiguous(http.params, 0);
    expect(http.params).toEqual(lines);
    expect(store.lines).toEqual(lines);
    expect(store.end).toMatchObject({ type: 'end', reason: 'terminal', status: 'completed' });
    expect(typesOf(lines).filter((type) => type === 'com.example.count')).toHaveLength(total);
    expect(typesOf(lines).filter((type) => type === SystemEvent.attemptStarted)).toHaveLength(1);
  });

  it('while nothing runs: tasks, commands, tools and leases that come later all arrive', async () => {
    const catalogue = await watchToolCatalogue(on.broker, on.options, () => undefined);
    const waiting = await createTask(on, { queue: 'elsewhere' });
    const commands: MailboxCommand[] = [];
    const over = new AbortController();
    await on.store.attempts.followMailbox(waiting.taskId, (c) => void commands.push(c), over.signal);
    await killServer(300);
    await on.store.tasks.send(waiting.taskId, { type: 'input', key: 'k', response: 1 });
    await expect.poll(() => commands, { timeout: 20_000 }).toEqual([{ type: 'input', key: 'k', response: 1 }]);
    over.abort();
    const taskId = await callTask(frontEnd.endpoint, 'count', { n: 3 });
    const { params } = await readStream(frontEnd.endpoint, taskId);
    expect(typesOf(params).filter((type) => type === 'com.example.count')).toHaveLength(3);
    const publisher = await openToolPublisher(on.broker, on.options);
    await publisher.publish([
      {
        v: TOOL_DEFINITION_VERSION,
        name: 'new-tool',
        description: 'Published after the restart',
        inputSchema: { type: 'object' },
        taskSupport: 'optional',
        queue: 'default',
        ttlMs: 60_000,
        pollIntervalMs: 1_000,
        attemptsMax: 1,
      },
    ]);
    await expect.poll(() => catalogue.get('new-tool')?.name, { timeout: 40_000 }).toBe('new-tool');
    catalogue.close();
  });

  it('with nobody connected: what was acknowledged is there', async () => {
    const spec = await createTask(on);
    await killServer(0);
    const fresh = await connectStore(nats.url);
    expect(await fresh.store.tasks.read(spec.taskId)).toMatchObject({ status: { status: 'working' }, nextSeq: 1 });
    await fresh[Symbol.asyncDispose]();
  });
});

describe('gone for good', () => {
  it('is told as such to whoever asks, within its bounds', async () => {
    const short = await connectStore(nats.url, { readRetryMsMax: 500, readTimeoutMs: 200, publishRetryMsMax: 500 });
    const spec = await createTask(short);
    await nats.server.stop('SIGKILL');
    await expect(short.store.tasks.read(spec.taskId)).rejects.toMatchObject({ code: 'log_unavailable' });
    await expect(short.store.tasks.send(spec.taskId, { type: 'cancel' })).rejects.toMatchObject({
      code: 'log_unavailable',
    });
    await expect(short.store.events.open(spec.taskId, undefined)).rejects.toMatchObject({ code: 'log_unavailable' });
    await nats.server.restart();
    await expect.poll(() => short.broker.connected, { timeout: 10_000 }).toBe(true);
    expect(await short.store.tasks.read(spec.taskId)).toBeDefined();
    await short[Symbol.asyncDispose]();
  });
});
