/** Steer, pause and resume over HTTP with real workers: delivered in order, told once, kept over attempts. */
import type { TaskEvent } from '@taskstream/protocol';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { callTask, CAPABILITIES_WITH_TASKS, readStream, rpc } from '../../support/rpc.js';
import { ofType, startInteractionScene, type InteractionScene } from './scene.js';

const STEERING = 'dev.taskstream/steering';
const TASK_META = 'dev.taskstream/task';
const DECLARED = { capabilities: { extensions: { ...CAPABILITIES_WITH_TASKS.extensions, [STEERING]: {} } } };

let scene: InteractionScene;

beforeAll(async () => {
  scene = await startInteractionScene('./tools.mjs', { TASKSTREAM_STEER_ENTRIES_MAX: '30' });
  await scene.worker();
});
afterEach(async () => {
  if (scene.workers === 0) await scene.worker();
});
afterAll(() => scene[Symbol.asyncDispose]());

const steer = (taskId: string, message: string, data?: Record<string, unknown>) =>
  rpc(scene.endpoint, 'dev.taskstream/steer', { taskId, message, ...(data !== undefined && { data }) });
const pause = (taskId: string) => rpc(scene.endpoint, 'dev.taskstream/pause', { taskId });
const resume = (taskId: string) => rpc(scene.endpoint, 'dev.taskstream/resume', { taskId });
const heard = (events: readonly TaskEvent[]) => ofType(events, 'com.example.heard').map((e) => e.payload['message']);
const ticks = (events: readonly TaskEvent[]) => ofType(events, 'com.example.tick').length;
const told = (events: readonly TaskEvent[]) =>
  events
    .filter((e) => /^dev\.taskstream\.task\.(steered|paused|resumed)$/.test(e.type))
    .map((e) => [e.type.slice('dev.taskstream.task.'.length), e.payload['entry']]);
const pausedOf = async (taskId: string) => {
  const { result } = await rpc(scene.endpoint, 'tasks/get', { taskId }, DECLARED);
  return (result?.['_meta'] as Record<string, Record<string, unknown>> | undefined)?.[TASK_META]?.['paused'];
};

describe('a steer', () => {
  it('reaches the running tool in order and once, and is told in the log before what comes of it', async () => {
    const taskId = await callTask(scene.endpoint, 'listener', {});
    await scene.whenEvents(taskId, (e) => ticks(e) > 1);
    expect(await steer(taskId, 'academic sources first', { weight: 2 })).toMatchObject({ status: 200, result: {} });
    for (const word of ['two', 'three', 'done']) await steer(taskId, word);
    await scene.whenStatus(taskId, 'completed');
    const events = await scene.events(taskId);
    expect(heard(events)).toEqual(['academic sources first', 'two', 'three', 'done']);
    expect(told(events)).toEqual([1, 2, 3, 4].map((n) => ['steered', n]));
    const first = ofType(events, 'dev.taskstream.task.steered')[0];
    expect(first?.payload).toEqual({
      entry: 1,
      sentAt: expect.stringMatching(/^\d{4}-.*Z$/),
      message: 'academic sources first',
      data: { weight: 2 },
    });
    expect(ofType(events, 'com.example.heard')[0]?.payload['data']).toEqual({ weight: 2 });
    expect(first?.seq).toBeLessThan(ofType(events, 'com.example.heard')[0]?.seq ?? 0);
  });

  it('is iterated from the first one on, those before the start included', async () => {
    await scene.killWorkers();
    const taskId = await callTask(scene.endpoint, 'waits_for_words', {});
    await steer(taskId, 'already');
    // Nobody runs it: the front end has told it.
    expect(told(await scene.events(taskId))).toEqual([['steered', 1]]);
    await scene.worker();
    await scene.whenEvents(taskId, (e) => ofType(e, 'dev.taskstream.attempt.started').length === 1);
    await steer(taskId, 'here');
    await steer(taskId, 'now');
    const { result } = await scene.whenStatus(taskId, 'completed');
    expect(result).toMatchObject({ content: [{ type: 'text', text: 'already here now' }] });
    expect(told(await scene.events(taskId))).toEqual([1, 2, 3].map((n) => ['steered', n]));
  });

  it('comes again to the attempt after a crash, under the same number, and is told only once', async () => {
    const taskId = await callTask(scene.endpoint, 'listener', {});
    await scene.whenEvents(taskId, (e) => ticks(e) > 1);
    await steer(taskId, 'one');
    await scene.whenEvents(taskId, (e) => heard(e).length === 1);
    await scene.killWorkers();
    // The log still says that an attempt runs: the next one takes these.
    await steer(taskId, 'two');
    await pause(taskId);
    await scene.worker();
    const paused = await scene.whenEvents(taskId, (e) => told(e).length === 3);
    expect(heard(paused)).toEqual(['one']);
    await resume(taskId);
    await steer(taskId, 'done');
    await scene.whenStatus(taskId, 'completed');
    const events = await scene.events(taskId);
    expect(heard(events)).toEqual(['one', 'one', 'two', 'done']);
    expect(ofType(events, 'com.example.heard').map((e) => e.payload['number'])).toEqual([1, 1, 2, 5]);
    expect(told(events)).toEqual([
      ['steered', 1],
      ['steered', 2],
      ['paused', 3],
      ['resumed', 4],
      ['steered', 5],
    ]);
  });

  it('is refused where the tool takes none, where the task is over, and when it is no steer', async () => {
    const deaf = await callTask(scene.endpoint, 'deaf', {});
    expect((await steer(deaf, 'hello')).error).toMatchObject({ code: -32602, data: { reason: 'not_steerable' } });
    expect((await pause(deaf)).error).toMatchObject({ code: -32602, data: { reason: 'not_pausable' } });
    expect((await resume(deaf)).error).toMatchObject({ code: -32602, data: { reason: 'not_pausable' } });
    await rpc(scene.endpoint, 'tasks/cancel', { taskId: deaf });
    await scene.whenStatus(deaf, 'cancelled');
    expect((await steer(deaf, 'hello')).error).toMatchObject({ code: -32602, data: { reason: 'task_ended' } });

    const taskId = await callTask(scene.endpoint, 'listener', {});
    for (const params of [{}, { message: 1 }, { message: '' }, { message: 'x', data: [] }]) {
      const { error } = await rpc(scene.endpoint, 'dev.taskstream/steer', { taskId, ...params });
      expect(error?.code).toBe(-32602);
      expect(error?.message).toMatch(/message|data/);
    }
    expect((await steer(taskId, 'x'.repeat(20_000))).error).toMatchObject({ code: -32602 });
    expect((await steer('d0-0000000000000000000000', 'hello')).error).toMatchObject({ code: -32602 });
    const undeclared = await rpc(scene.endpoint, 'dev.taskstream/pause', { taskId }, { capabilities: {} });
    expect(undeclared.error?.code).toBe(-32021);
    await rpc(scene.endpoint, 'tasks/cancel', { taskId });
  });

  it('of too many is refused by name, and the task can still be cancelled', async () => {
    await scene.killWorkers();
    const taskId = await callTask(scene.endpoint, 'listener', {});
    for (let i = 0; i < 30; i++) expect((await steer(taskId, String(i))).error).toBeUndefined();
    expect((await steer(taskId, 'one too many')).error).toMatchObject({ data: { reason: 'limit_reached' } });
    await rpc(scene.endpoint, 'tasks/cancel', { taskId });
    expect((await scene.statusOf(taskId))['status']).toBe('cancelled');
  });

  it('that the author reads without having declared it is an error that says what to do', async () => {
    const taskId = await callTask(scene.endpoint, 'careless', {});
    const { result } = await scene.whenStatus(taskId, 'completed');
    expect(result).toMatchObject({ isError: true });
    expect(JSON.stringify(result)).toContain('steerable: true');
  });
});

describe('a pause', () => {
  it('holds the tool where it waits until the resume, is said to who asked for it, and changes no status', async () => {
    const taskId = await callTask(scene.endpoint, 'listener', {});
    await scene.whenEvents(taskId, (e) => ticks(e) > 1);
    expect(await pausedOf(taskId)).toBe(false);
    await pause(taskId);
    await expect.poll(() => pausedOf(taskId), { timeout: 10_000 }).toBe(true);
    // Again: nothing new.
    expect((await pause(taskId)).error).toBeUndefined();
    const plain = await scene.statusOf(taskId);
    expect(plain['status']).toBe('working');
    expect(plain['_meta']).not.toHaveProperty([TASK_META]);
    // At most the tick that was under way when the pause was taken.
    const events = await scene.events(taskId);
    const pausedSeq = ofType(events, 'dev.taskstream.task.paused')[0]?.seq ?? Infinity;
    expect(ofType(events, 'com.example.tick').filter((e) => e.seq > pausedSeq).length).toBeLessThanOrEqual(1);
    await resume(taskId);
    await resume(taskId);
    const before = ticks(await scene.events(taskId));
    await scene.whenEvents(taskId, (e) => ticks(e) > before + 1);
    await steer(taskId, 'done');
    await scene.whenStatus(taskId, 'completed');
    expect(told(await scene.events(taskId)).map(([type]) => type)).toEqual(['paused', 'resumed', 'steered']);
  });

  it('before the start keeps the tool from being called', async () => {
    await scene.killWorkers();
    const taskId = await callTask(scene.endpoint, 'listener', {});
    await pause(taskId);
    expect(told(await scene.events(taskId))).toEqual([['paused', 1]]);
    expect(await pausedOf(taskId)).toBe(true);
    await scene.worker();
    await scene.whenEvents(taskId, (e) => ofType(e, 'dev.taskstream.attempt.started').length === 1);
    await steer(taskId, 'still here?');
    await scene.whenEvents(taskId, (e) => told(e).length === 2);
    expect(ticks(await scene.events(taskId)) + heard(await scene.events(taskId)).length).toBe(0);
    await resume(taskId);
    await scene.whenEvents(taskId, (e) => ticks(e) > 0 && heard(e).length === 1);
    await rpc(scene.endpoint, 'tasks/cancel', { taskId });
    await scene.whenStatus(taskId, 'cancelled');
  });

  it('between attempts is told at once and holds for the next one; a paused task can be cancelled', async () => {
    const taskId = await callTask(scene.endpoint, 'listener', {});
    await steer(taskId, 'retry');
    await scene.whenEvents(taskId, (e) => ofType(e, 'dev.taskstream.attempt.ended').length === 1);
    await pause(taskId);
    expect(told(await scene.events(taskId))).toEqual([
      ['steered', 1],
      ['paused', 2],
    ]);
    expect(await pausedOf(taskId)).toBe(true);
    // In its backoff of a minute: no worker is needed to end it.
    await rpc(scene.endpoint, 'tasks/cancel', { taskId });
    expect((await scene.statusOf(taskId))['status']).toBe('cancelled');
  });

  it('shows in the same bytes to every reader', async () => {
    const taskId = await callTask(scene.endpoint, 'listener', {});
    await pause(taskId);
    await resume(taskId);
    await steer(taskId, 'done');
    await scene.whenStatus(taskId, 'completed');
    const [plain, declared] = await Promise.all([
      readStream(scene.endpoint, taskId),
      readStream(scene.endpoint, taskId, undefined, DECLARED),
    ]);
    expect(plain.params).toEqual(declared.params);
    expect(plain.params.join('')).toContain('dev.taskstream.task.paused');
  });
});

describe('what a client is shown', () => {
  it('lists what a tool takes only to who asked', async () => {
    const metaOf = async (options = {}) => {
      const { result } = await rpc(scene.endpoint, 'tools/list', {}, options);
      const tools = result?.['tools'] as Array<{ name: string; _meta?: unknown }>;
      return Object.fromEntries(tools.map((t) => [t.name, t._meta]));
    };
    expect(await metaOf(DECLARED)).toMatchObject({
      listener: { 'dev.taskstream/tool': { steerable: true, pausable: true } },
      waits_for_words: { 'dev.taskstream/tool': { steerable: true } },
    });
    expect((await metaOf(DECLARED))['deaf']).toBeUndefined();
    expect(Object.values(await metaOf()).filter(Boolean)).toEqual([]);
  });
});
