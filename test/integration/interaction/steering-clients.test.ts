/**
 * Steer, pause and resume as applications and people do it: with the client in both revisions, below it the official
 * SDK, and with the command line.
 */
import { Client, StreamableHTTPClientTransport, type ClientCapabilities } from '@modelcontextprotocol/client';
import { createTaskClient, type TaskClient, type TaskHandle } from '@taskstream/client';
import { attach } from '@taskstream/client/attach';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { callTask } from '../../support/rpc.js';
import { run } from '../cli/support.js';
import { ofType, startInteractionScene, type InteractionScene } from './scene.js';

let scene: InteractionScene;
const official: Client[] = [];

beforeAll(async () => {
  scene = await startInteractionScene('./tools.mjs');
  await scene.worker();
});
afterAll(async () => {
  await Promise.all(official.map((client) => client.close()));
  await scene[Symbol.asyncDispose]();
});

/** In 2025-11-25 a client says once, for all of its requests, what it knows. */
const STEERING = { experimental: { 'dev.taskstream/steering': {} } };

async function attached(capabilities: ClientCapabilities = STEERING): Promise<TaskClient> {
  const client = new Client({ name: 'app', version: '1' }, { capabilities });
  official.push(client);
  await client.connect(new StreamableHTTPClientTransport(new URL(scene.endpoint)));
  return attach(client);
}

const own = (revision: '2026-07-28' | '2025-11-25') => async () =>
  createTaskClient({ endpoints: [scene.endpoint], revision });

/** The commands that the log tells of, in order. */
async function toldOf(taskId: string): Promise<readonly string[]> {
  const events = await scene.events(taskId);
  return events.flatMap(({ type }) => /^dev\.taskstream\.task\.(steered|paused|resumed)$/.exec(type)?.[1] ?? []);
}

describe.each([
  ['2026-07-28', own('2026-07-28')],
  ['2025-11-25', own('2025-11-25')],
  ['the official client', () => attached()],
] as const)('through %s', (_name, connect) => {
  it('a tool hears a message with its data, waits, and goes on', async () => {
    const handle: TaskHandle = await (await connect()).callTool('listener');
    const { taskId = '' } = handle;
    await handle.steer('academic sources first', { weight: 2 });
    const heard = await scene.whenEvents(taskId, (e) => ofType(e, 'com.example.heard').length === 1);
    expect(ofType(heard, 'com.example.heard')[0]?.payload).toMatchObject({
      message: 'academic sources first',
      data: { weight: 2 },
    });
    expect(await handle.status()).toMatchObject({ status: 'working', paused: false });
    await handle.pause();
    await scene.whenEvents(taskId, (e) => ofType(e, 'dev.taskstream.task.paused').length === 1);
    expect(await handle.status()).toMatchObject({ status: 'working', paused: true });
    await handle.resume();
    await scene.whenEvents(taskId, (e) => ofType(e, 'dev.taskstream.task.resumed').length === 1);
    expect(await handle.status()).toMatchObject({ status: 'working', paused: false });
    await handle.steer('done');
    await expect(handle.result()).resolves.toMatchObject({ content: [{ text: 'heard enough' }] });
    expect(await toldOf(taskId)).toEqual(['steered', 'paused', 'resumed', 'steered']);
    await expect(handle.pause()).rejects.toMatchObject({ code: 'rpc_error', details: { reason: 'task_ended' } });
  });

  it('a tool that takes none of it is told from a task that is not known', async () => {
    const client = await connect();
    const deaf = await client.callTool('deaf');
    await expect(deaf.steer('hello')).rejects.toMatchObject({ details: { reason: 'not_steerable' } });
    await expect(deaf.pause()).rejects.toMatchObject({ details: { reason: 'not_pausable' } });
    await deaf.cancel();
    await expect(client.task('d0-0000000000000000000000').resume()).rejects.toMatchObject({ code: 'unknown_task' });
  });
});

it('an official client that does not declare it is not told what is paused', async () => {
  const handle = await (await attached({})).callTool('listener');
  expect(await handle.status()).not.toHaveProperty('paused');
  await handle.cancel();
});

it('the command line steers, pauses and resumes', async () => {
  const env = { TASKSTREAM_URL: scene.endpoint };
  const taskId = await callTask(scene.endpoint, 'listener', {});
  const steered = await run(['steer', taskId, 'more charts', '--data', '{"n":3}'], { env });
  expect(steered).toMatchObject({ exitCode: 0, err: '' });
  expect(JSON.parse(steered.out)).toEqual({ taskId, steered: true });
  expect(JSON.parse((await run(['pause', taskId], { env })).out)).toEqual({ taskId, pauseRequested: true });
  expect(JSON.parse((await run(['resume', taskId], { env })).out)).toEqual({ taskId, resumeRequested: true });
  expect((await run(['steer', taskId, 'done'], { env })).exitCode).toBe(0);
  await scene.whenStatus(taskId, 'completed');
  const events = await scene.events(taskId);
  expect(ofType(events, 'com.example.heard')[0]?.payload).toMatchObject({ message: 'more charts', data: { n: 3 } });
  expect(await toldOf(taskId)).toEqual(['steered', 'paused', 'resumed', 'steered']);
  const late = await run(['pause', taskId], { env });
  expect(late.exitCode).toBe(1);
  expect(late.err).toContain('The task is completed already');
});
