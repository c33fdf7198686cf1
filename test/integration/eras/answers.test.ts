/**
 * Questions and answers in both eras: several at once, in parts, unknown and repeated keys, answers that break what was
 * asked, kinds that a client cannot be asked.
 */
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CAPABILITIES_WITH_TASKS, rpc, type RpcAnswer } from '../../support/rpc.js';
import { until } from '../front-end/http.js';
import { startScene, storedState, type Scene } from '../front-end/scene.js';
import { ask, initialize, post, request, taskIdOf } from './bare-2025.js';

const TOOLS = fileURLToPath(new URL('./questions.mjs', import.meta.url));
const EVERYTHING = { ...CAPABILITIES_WITH_TASKS, elicitation: { form: {}, url: {} }, sampling: {} };
const text = (value: string) => ({ action: 'accept', content: { text: value } });

let scene: Scene;
let a: string;
let b: string;

beforeAll(async () => {
  scene = await startScene({
    worker: false,
    env: { TASKSTREAM_SESSION_KEY: 'a-key-of-thirty-two-characters-at-least' },
  });
  await scene.addWorker({ TASKSTREAM_TOOLS: TOOLS });
  a = scene.a.endpoint;
  b = scene.b.endpoint;
});
afterAll(() => scene[Symbol.asyncDispose]());

const call = (endpoint: string, name: string, more: Record<string, unknown> = {}, capabilities = EVERYTHING) =>
  rpc(endpoint, 'tools/call', { name, arguments: {}, ...more }, { capabilities });
const get = (taskId: string) => rpc(b, 'tasks/get', { taskId });

/** Calls a tool as a task and waits until it asks. */
async function asking(tool: string): Promise<{ taskId: string; keys: string[] }> {
  const taskId = String((await call(a, tool)).result?.['taskId']);
  return { taskId, keys: await openKeys(taskId) };
}

async function openKeys(taskId: string): Promise<string[]> {
  let keys: string[] = [];
  await until(async () => {
    const { result } = await get(taskId);
    keys = Object.keys((result?.['inputRequests'] as object | undefined) ?? {});
    return result?.['status'] === 'input_required';
  }, 'a question');
  return keys;
}

async function ended(taskId: string): Promise<RpcAnswer> {
  await until(
    async () => !['working', 'input_required'].includes(String((await get(taskId)).result?.['status'])),
    'the end',
  );
  return get(taskId);
}

const GOOD = { name: 'Ada', age: 36, colour: 'green' };

describe('2026-07-28: an answer that breaks what was asked', () => {
  test.each<[string, unknown, RegExp]>([
    [
      'a field that is missing',
      { action: 'accept', content: { name: 'Ada', age: 36 } },
      /\.content\.colour: required, got nothing/,
    ],
    ['no content at all', { action: 'accept' }, /\.content\.name: required/],
    [
      'a field of another type',
      { action: 'accept', content: { ...GOOD, age: 'old' } },
      /\.content\.age: must be integer \(got string\)/,
    ],
    ['a value out of range', { action: 'accept', content: { ...GOOD, age: 200 } }, /\.content\.age: must be <= 150/],
    [
      'a value of no choice',
      { action: 'accept', content: { ...GOOD, colour: 'blue' } },
      /\.content\.colour: must be equal to one of/,
    ],
    ['an action that is none', { action: 'perhaps' }, /\.action: /],
  ])('%s is refused by the name of the field, and the question stays open', async (_what, response, message) => {
    const { taskId, keys } = await asking('fill_form');
    const key = keys[0] as string;
    const before = await storedState(scene);
    const { status, error } = await rpc(b, 'tasks/update', { taskId, inputResponses: { [key]: response } });
    expect({ status, code: error?.code }).toEqual({ status: 200, code: -32602 });
    expect(error?.message).toContain(`inputResponses.${key}`);
    expect(error?.message).toMatch(message);
    expect(error?.message).not.toContain('blue');
    expect(await storedState(scene)).toEqual(before);
    expect(await openKeys(taskId)).toEqual(keys);
    await rpc(a, 'tasks/update', { taskId, inputResponses: { [key]: { action: 'accept', content: GOOD } } });
    expect((await ended(taskId)).result).toMatchObject({ result: { content: [{ text: 'Ada, 36, green' }] } });
  });

  test.each(['decline', 'cancel'])('%s needs no content', async (action) => {
    const { taskId, keys } = await asking('fill_form');
    await rpc(b, 'tasks/update', { taskId, inputResponses: { [keys[0] as string]: { action } } });
    expect((await ended(taskId)).result).toMatchObject({ result: { content: [{ text: action }] } });
  });

  test('of several, none is taken when one is bad', async () => {
    const { taskId, keys } = await asking('ask_three');
    const [one, two] = keys as [string, string];
    const before = await storedState(scene);
    const { error } = await rpc(a, 'tasks/update', {
      taskId,
      inputResponses: { [one]: text('1'), [two]: { action: 'accept', content: { text: 2 } } },
    });
    expect(error).toMatchObject({
      code: -32602,
      message: expect.stringContaining(`inputResponses.${two}.content.text`),
    });
    expect(await storedState(scene)).toEqual(before);
  });
});

describe('2026-07-28: several questions at once', () => {
  test('answers come in parts, in any order, on any node; unknown and repeated keys are ignored', async () => {
    const { taskId, keys } = await asking('ask_three');
    expect(keys.map((k) => k.split('-')[0])).toEqual(['one', 'two', 'three']);
    const [one, two, three] = keys as [string, string, string];
    const update = (endpoint: string, inputResponses: Record<string, unknown>) =>
      rpc(endpoint, 'tasks/update', { taskId, inputResponses });
    expect((await update(b, { [two]: text('2'), nobody: text('x'), __proto__x: text('x') })).error).toBeUndefined();
    await until(async () => !(await openKeys(taskId)).includes(two), 'the second answer to be taken');
    expect(await openKeys(taskId)).toEqual([one, three]);
    // A repeated key is ignored whatever comes under it: the first answer counts.
    expect((await update(a, { [two]: { action: 'accept', content: { text: 22 } } })).error).toBeUndefined();
    expect((await update(a, { [one]: text('1'), [three]: text('3'), [two]: text('again') })).error).toBeUndefined();
    let four: string[] = [];
    await until(async () => (four = await openKeys(taskId)).some((k) => k.startsWith('four')), 'the fourth question');
    expect(four).toHaveLength(1);
    expect(keys).not.toContain(four[0]);
    await update(b, { [four[0] as string]: text('4'), [one]: text('late') });
    expect((await ended(taskId)).result).toMatchObject({ result: { content: [{ text: '1 2 3 4' }] } });
  });
});

describe('2026-07-28: questions before there is a task', () => {
  test('partial answers are kept in the state of the call; a client that answers what is left gets its task', async () => {
    const first = await call(a, 'two_first');
    expect(first.result).toMatchObject({ resultType: 'input_required', inputRequests: { left: {}, right: {} } });
    expect(first.result).not.toHaveProperty('requestState');
    const second = await call(b, 'two_first', { inputResponses: { left: text('L'), unknown: text('x') } });
    expect(Object.keys(second.result?.['inputRequests'] as object)).toEqual(['right']);
    const requestState = second.result?.['requestState'];
    expect(requestState).toEqual(expect.any(String));
    const created = await call(a, 'two_first', { inputResponses: { right: text('R') }, requestState });
    expect(created.result).toMatchObject({ resultType: 'task' });
    expect(created.result).not.toHaveProperty('requestState');
    expect((await ended(String(created.result?.['taskId']))).result).toMatchObject({
      result: { content: [{ text: 'L and R' }] },
    });
  });

  test('the state is of this call alone: another tool, other arguments, a forged one are refused', async () => {
    const { result } = await call(b, 'two_first', { inputResponses: { left: text('L') } });
    const requestState = String(result?.['requestState']);
    const before = await storedState(scene);
    for (const more of [
      { name: 'fill_form', requestState },
      { name: 'two_first', arguments: { other: 1 }, requestState },
      { name: 'two_first', requestState: `${requestState.slice(0, -3)}abc` },
      { name: 'two_first', requestState: 'nonsense' },
    ]) {
      const refused = await call(a, more.name, { ...more, inputResponses: { right: text('R') } });
      expect(refused.error).toMatchObject({ code: -32602, data: { reason: 'invalid_request_state' } });
    }
    expect(await storedState(scene)).toEqual(before);
  });

  test('an answer that breaks what was asked is refused by its field, and nothing is made', async () => {
    const before = await storedState(scene);
    const { error } = await call(a, 'two_first', { inputResponses: { left: { action: 'accept', content: {} } } });
    expect(error).toMatchObject({
      code: -32602,
      message: expect.stringContaining('inputResponses.left.content.text: required'),
    });
    expect(await storedState(scene)).toEqual(before);
  });

  test.each([
    ['nothing', {}],
    ['forms alone', { elicitation: {} }],
    ['forms by name', { elicitation: { form: {} } }],
  ])('a client that can do %s cannot be sent to a page, and is told so', async (_what, can) => {
    const capabilities = { ...CAPABILITIES_WITH_TASKS, ...can };
    const { status, error } = await rpc(a, 'tools/call', { name: 'visit_first', arguments: {} }, { capabilities });
    expect(status).toBe(400);
    expect(error).toMatchObject({ code: -32021, data: { requiredCapabilities: { elicitation: { url: {} } } } });
    const asked = await call(a, 'visit_first');
    expect(asked.result).toMatchObject({
      resultType: 'input_required',
      inputRequests: { visit: { params: { mode: 'url' } } },
    });
    const created = await call(a, 'visit_first', { inputResponses: { visit: { action: 'accept' } } });
    expect((await ended(String(created.result?.['taskId']))).result).toMatchObject({
      result: { content: [{ text: 'visit: accept' }] },
    });
  });
});

test('a task whose creator cannot be asked never asks: its tool is told what is missing', async () => {
  const created = await call(a, 'write_poem', {}, CAPABILITIES_WITH_TASKS as typeof EVERYTHING);
  const { result } = await ended(String(created.result?.['taskId']));
  expect(result).toMatchObject({
    status: 'completed',
    result: { isError: true, content: [{ text: expect.stringContaining('did not declare {"sampling":{}}') }] },
  });
});

describe('2025-11-25', () => {
  const CAN = { elicitation: {}, sampling: {} };

  async function task(session: string, tool: string): Promise<string> {
    return taskIdOf(await ask(a, session, 'tools/call', { name: tool, arguments: {}, task: {} }));
  }

  test('sampling during a task goes out on its result, tied to the task; the answer arrives on another node', async () => {
    const session = await initialize(a, CAN);
    const taskId = await task(session, 'write_poem');
    const waiting = await request(a, session, { id: 'r', method: 'tasks/result', params: { taskId } });
    const question = await waiting.heard('sampling/createMessage');
    expect(question.params).toMatchObject({
      messages: [{ role: 'user' }],
      maxTokens: 10,
      _meta: { 'io.modelcontextprotocol/related-task': { taskId } },
    });
    const result = { role: 'assistant', model: 'm', content: { type: 'text', text: 'roses' } };
    expect((await post(b, { id: question.id, result }, session)).status).toBe(202);
    await waiting.over;
    expect(waiting.messages.at(-1)).toMatchObject({ id: 'r', result: { content: [{ text: 'poem: roses' }] } });
  });

  test('several questions go out at once, each is answered on any node', async () => {
    const session = await initialize(a, CAN);
    const taskId = await task(session, 'ask_three');
    const waiting = await request(b, session, { id: 'r', method: 'tasks/result', params: { taskId } });
    const questions = () => waiting.messages.filter((m) => m.method === 'elicitation/create');
    await until(() => questions().length === 3, 'three questions');
    const [one, two, three] = questions();
    await post(a, { id: three?.id, result: text('3') }, session);
    await post(b, { id: one?.id, result: text('1') }, session);
    // A repeated answer, and one to nothing that was asked, change nothing.
    expect((await post(a, { id: one?.id, result: text('11') }, session)).status).toBe(202);
    expect((await post(a, { id: 'question:nobody:nothing', result: text('x') }, session)).status).toBe(202);
    await post(a, { id: two?.id, result: text('2') }, session);
    await until(() => questions().length === 4, 'the fourth question');
    await post(b, { id: questions()[3]?.id, result: { action: 'decline' } }, session);
    await waiting.over;
    expect(waiting.messages.at(-1)).toMatchObject({ result: { content: [{ text: '1 2 3 decline' }] } });
  });

  test('an answer that breaks what was asked is refused with 400, and the question stays open', async () => {
    const session = await initialize(a, CAN);
    const taskId = await task(session, 'fill_form');
    const waiting = await request(a, session, { id: 'r', method: 'tasks/result', params: { taskId } });
    const { id } = await waiting.heard('elicitation/create');
    const bad = await post(b, { id, result: { action: 'accept', content: { ...GOOD, age: 'old' } } }, session);
    expect(bad.status).toBe(400);
    expect(await bad.json()).toMatchObject({
      id: null,
      error: { code: -32602, message: expect.stringContaining('result.content.age: must be integer') },
    });
    expect((await get(taskId)).result?.['status']).toBe('input_required');
    expect((await post(b, { id, result: { action: 'accept', content: GOOD } }, session)).status).toBe(202);
    await waiting.over;
    expect(waiting.messages.at(-1)).toMatchObject({ result: { content: [{ text: 'Ada, 36, green' }] } });
  });

  test('an error is an answer too: the tool is told, and nobody waits for ever', async () => {
    const session = await initialize(a, CAN);
    const taskId = await task(session, 'fill_form');
    const waiting = await request(a, session, { id: 'r', method: 'tasks/result', params: { taskId } });
    const { id } = await waiting.heard('elicitation/create');
    await post(b, { id, error: { code: -1, message: 'The user is away' } }, session);
    await waiting.over;
    expect(waiting.messages.at(-1)).toMatchObject({ id: 'r', result: { isError: true } });
  });

  test('a question goes out on one stream at a time, and on another when that one leaves', async () => {
    const session = await initialize(a, CAN);
    const taskId = await task(session, 'fill_form');
    await openKeys(taskId);
    const first = await request(a, session, { id: 'first', method: 'tasks/result', params: { taskId } });
    const { id } = await first.heard('elicitation/create');
    const second = await request(b, session, { id: 'second', method: 'tasks/result', params: { taskId } });
    await second.heard('notifications/tasks/status');
    expect(second.messages.some((m) => m.method === 'elicitation/create')).toBe(false);
    await post(b, { method: 'notifications/cancelled', params: { requestId: 'first' } }, session);
    await first.over;
    expect((await second.heard('elicitation/create')).id).toBe(id);
    await post(a, { id, result: { action: 'decline' } }, session);
    await second.over;
    expect(second.messages.at(-1)).toMatchObject({ id: 'second', result: { content: [{ text: 'decline' }] } });
  });

  test('a question of somebody else is answered by nobody', async () => {
    const session = await initialize(a, CAN);
    const taskId = await task(session, 'fill_form');
    expect((await get(taskId)).error).toBeUndefined();
    const before = await storedState(scene);
    const [key] = await openKeys(taskId);
    const fromNobody = await post(b, {
      id: `question:${taskId.slice(0, -1)}x:${key}`,
      result: { action: 'accept', content: GOOD },
    });
    expect(fromNobody.status).toBe(202);
    await until(async () => (await get(taskId)).result?.['status'] === 'input_required', 'it still asks');
    expect(Object.keys(before)).not.toEqual([]);
  });
});
