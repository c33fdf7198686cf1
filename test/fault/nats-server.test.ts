/** A nats-server that is killed, and comes back or does not: what waits goes on, and what cannot is told so. */
import { TOOL_DEFINITION_VERSION, type MailboxCommand } from '@taskstream/core';
import { openToolPublisher, watchToolCatalogue } from '@taskstream/jetstream';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connectStore, startNats, type TestNats, type TestStore } from '../support/nats.js';
import { createTask, emitSteps, readEvents, readTask, runningTask } from '../support/task-logs.js';

let nats: TestNats;
let on: TestStore;

beforeAll(async () => {
  nats = await startNats();
  on = await connectStore(nats.url, { tailCheckMs: 500 });
});

afterAll(async () => {
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
  it('while commands, events, items and tools are awaited: all that come later arrive', async () => {
    const catalogue = await watchToolCatalogue(on.broker, on.options, () => undefined);
    const waiting = await createTask(on, { queue: 'elsewhere' });
    const commands: MailboxCommand[] = [];
    const over = new AbortController();
    await on.store.attempts.followMailbox(waiting.taskId, (c) => void commands.push(c), over.signal);
    const following = on.store.events.open(waiting.taskId, undefined).then((session) => readEvents(session));
    await killServer(300);
    await on.store.tasks.send(waiting.taskId, { type: 'input', key: 'k', response: 1 });
    await expect.poll(() => commands, { timeout: 20_000 }).toEqual([{ type: 'input', key: 'k', response: 1 }]);
    over.abort();
    await on.store.tasks.cancelNow(waiting.taskId);
    const { spec, log } = await runningTask(on, { queue: 'elsewhere' });
    await emitSteps(log, 3);
    await log.appendStatus({ status: 'completed', result: {} });
    expect((await readTask(on, spec.taskId)).lines).toHaveLength(6);
    expect((await following).lines).toHaveLength(2);
    const items: string[] = [];
    for (const { signal } of [new AbortController(), new AbortController()]) {
      await on.store.work.pull('elsewhere', 1, (item) => void items.push(item.taskId), signal);
    }
    expect(items).toEqual([waiting.taskId, spec.taskId]);
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
