/** A cancel, wherever it meets the task, and whatever its worker does: one end, and nothing after it. */
import type { TaskEvent } from '@taskstream/protocol';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { callTask, rpc } from '../../support/rpc.js';
import type { TestProcess } from '../../support/system.js';
import { ofType, startInteractionScene, type InteractionScene } from './scene.js';

const ELICITS = {
  capabilities: { extensions: { 'io.modelcontextprotocol/tasks': {} }, elicitation: { form: {} } },
};
const KEY = 'a-key-of-thirty-two-characters-at-least';

let scene: InteractionScene;

beforeAll(async () => {
  scene = await startInteractionScene('./cancel-tools.mjs', {
    TASKSTREAM_STOP_GRACE_MS: '400',
    TASKSTREAM_CANCEL_GRACE_MS: '500',
    TASKSTREAM_LOG_LEVEL: 'debug',
    TASKSTREAM_SESSION_KEY: KEY,
  });
});
afterAll(() => scene[Symbol.asyncDispose]());

async function freshWorker(): Promise<TestProcess> {
  await scene.killWorkers();
  return scene.worker();
}

const cancel = (taskId: string) => rpc(scene.endpoint, 'tasks/cancel', { taskId });
const ticks = (events: readonly TaskEvent[]) => ofType(events, 'com.example.tick').length;
const starts = (events: readonly TaskEvent[]) => ofType(events, 'dev.taskstream.attempt.started').length;

/** The last event is the only one that ends the task. */
async function expectOneEnd(taskId: string, statuses: readonly string[]): Promise<void> {
  const events = await scene.events(taskId);
  const ends = ofType(events, 'dev.taskstream.task.status').filter((e) =>
    ['completed', 'failed', 'cancelled'].includes(String(e.payload['status'])),
  );
  expect(ends).toHaveLength(1);
  expect(ends[0]).toEqual(events.at(-1));
  expect(statuses).toContain(ends[0]?.payload['status']);
}

/** A request of revision 2025-11-25, in a session of its own. */
async function legacy(method: string, params: Record<string, unknown>): Promise<Record<string, unknown>> {
  const post = (id: number, name: string, body: unknown, session?: string) =>
    fetch(scene.endpoint, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        ...(session !== undefined && { 'mcp-session-id': session, 'mcp-protocol-version': '2025-11-25' }),
      },
      body: JSON.stringify({ jsonrpc: '2.0', id, method: name, params: body }),
    });
  const clientInfo = { name: 'bare', version: '1' };
  const opened = await post(0, 'initialize', { protocolVersion: '2025-11-25', capabilities: {}, clientInfo });
  await opened.text();
  const text = await (await post(1, method, params, opened.headers.get('mcp-session-id') ?? '')).text();
  return JSON.parse(text.startsWith('{') ? text : text.slice(text.indexOf('{'))) as Record<string, unknown>;
}

describe('a tool that is cancelled', () => {
  it('and does not listen is abandoned after its grace; its late events are refused and reported', async () => {
    const worker = await freshWorker();
    const taskId = await callTask(scene.endpoint, 'deaf_emitter', { everyMs: 20 });
    await scene.whenEvents(taskId, (e) => ticks(e) > 2);
    await cancel(taskId);
    await scene.whenStatus(taskId, 'cancelled');
    await expect.poll(() => worker.log(), { timeout: 10_000 }).toMatch(/the tool did not stop when told to/);
    await expect.poll(() => worker.log(), { timeout: 10_000 }).toMatch(/after the end of its attempt was refused/);
    await expectOneEnd(taskId, ['cancelled']);
  });

  it.each(['in_step', 'asks'])('while it waits (%s) ends at once', async (tool) => {
    if (scene.workers === 0) await scene.worker();
    const { result } = await rpc(scene.endpoint, 'tools/call', { name: tool, arguments: {} }, ELICITS);
    const taskId = String(result?.['taskId']);
    if (tool === 'asks') await scene.whenStatus(taskId, 'input_required');
    else await scene.whenEvents(taskId, (e) => ticks(e) === 1);
    await cancel(taskId);
    await scene.whenStatus(taskId, 'cancelled');
    await expectOneEnd(taskId, ['cancelled']);
  });

  it('as it completes has one end, the one or the other', async () => {
    await freshWorker();
    const tasks = await Promise.all(
      Array.from({ length: 24 }, (_e, i) => callTask(scene.endpoint, 'short', { ms: 10 + i * 3 })),
    );
    await Promise.all(tasks.map((taskId, i) => delay((i * 7) % 60).then(() => cancel(taskId))));
    for (const taskId of tasks) {
      await expect
        .poll(async () => (await scene.statusOf(taskId))['status'], { timeout: 20_000 })
        .toMatch(/completed|cancelled/);
      await expectOneEnd(taskId, ['completed', 'cancelled']);
    }
  });

  it('as another worker takes it over is cancelled', async () => {
    const victim = await freshWorker();
    const tasks = await Promise.all(Array.from({ length: 6 }, () => callTask(scene.endpoint, 'short', { ms: 60_000 })));
    for (const taskId of tasks) await scene.whenEvents(taskId, (e) => ticks(e) === 1);
    victim.kill('SIGKILL');
    await victim.exited;
    await scene.worker();
    // The lease of 1500 ms runs out in the middle of these.
    await Promise.all(tasks.map((taskId, i) => delay(800 + i * 250).then(() => cancel(taskId))));
    for (const taskId of tasks) await scene.whenStatus(taskId, 'cancelled');
    for (const taskId of tasks) await expectOneEnd(taskId, ['cancelled']);
  });
});

describe('a task whose worker is stopped', () => {
  it('is acknowledged at once to a 2026-07-28 client, and ended by the next worker without another run', async () => {
    const stopped = await freshWorker();
    const taskId = await callTask(scene.endpoint, 'short', { ms: 60_000 });
    await scene.whenEvents(taskId, (e) => ticks(e) === 1);
    stopped.kill('SIGSTOP');
    expect(await cancel(taskId)).toMatchObject({ status: 200 });
    // Nobody has heard yet.
    expect((await scene.statusOf(taskId))['status']).toBe('working');
    await scene.worker();
    await scene.whenStatus(taskId, 'cancelled');
    const events = await scene.events(taskId);
    expect([starts(events), ticks(events)]).toEqual([2, 1]);
    stopped.kill('SIGCONT');
    await expect.poll(() => stopped.log(), { timeout: 20_000 }).toMatch(/"how":"silent"/);
    await expectOneEnd(taskId, ['cancelled']);
    expect(await scene.events(taskId)).toEqual(events);
  });

  it('is fenced for a 2025-11-25 client, whose answer shows it cancelled; the worker that wakes up says nothing', async () => {
    const stopped = await freshWorker();
    const taskId = await callTask(scene.endpoint, 'short', { ms: 60_000 });
    await scene.whenEvents(taskId, (e) => ticks(e) === 1);
    stopped.kill('SIGSTOP');
    const answer = await legacy('tasks/cancel', { taskId });
    expect(answer['result']).toMatchObject({ taskId, status: 'cancelled' });
    const events = await scene.events(taskId);
    stopped.kill('SIGCONT');
    await expect.poll(() => stopped.log(), { timeout: 20_000 }).toMatch(/"how":"silent"/);
    await expectOneEnd(taskId, ['cancelled']);
    expect(await scene.events(taskId)).toEqual(events);
  });
});
