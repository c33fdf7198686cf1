import { parseTaskId, type RetentionClass, type ToolDefinition } from '@taskstream/core';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { specOf, type TaskRequest, type TaskRequestContext } from '../src/task-request.js';

const HOUR_MS = 3_600_000;
const CLASSES: RetentionClass[] = [
  { name: 'h', ttlMsMax: HOUR_MS },
  { name: 'd', ttlMsMax: 24 * HOUR_MS },
  { name: 'p', ttlMsMax: null },
];
const TOOL: ToolDefinition = {
  v: 1,
  name: 'a_tool',
  description: '',
  inputSchema: { type: 'object' },
  taskSupport: 'optional',
  queue: 'slow',
  ttlMs: HOUR_MS,
  pollIntervalMs: 700,
  attemptsMax: 4,
};
const RANDOM = 'AAAAAAAAAAAAAAAAAAAAAA';

function request(overrides: Partial<TaskRequest> = {}): TaskRequest {
  return {
    tool: TOOL,
    args: { b: 1, a: 2 },
    owner: 'ada',
    ttlMs: HOUR_MS,
    given: {},
    clientCapabilities: {},
    priority: undefined,
    delayMs: undefined,
    idempotencyKey: undefined,
    traceparent: undefined,
    progressToken: undefined,
    ...overrides,
  };
}

function context(overrides: Partial<TaskRequestContext> = {}): TaskRequestContext {
  return { retentionClasses: CLASSES, shards: 1, now: '2026-07-28T00:00:00.000Z', random: RANDOM, ...overrides };
}

describe('a spec', () => {
  test('holds what the tool says and what came, and nothing that is absent', () => {
    expect(specOf(request(), context())).toEqual({
      v: 1,
      taskId: `h0-${RANDOM}`,
      tool: 'a_tool',
      arguments: { b: 1, a: 2 },
      owner: 'ada',
      createdAt: '2026-07-28T00:00:00.000Z',
      ttlMs: HOUR_MS,
      pollIntervalMs: 700,
      queue: 'slow',
      priority: 5,
      fairnessKey: expect.stringMatching(/^[A-Za-z0-9_-]{16}$/),
      attemptsMax: 4,
      clientCapabilities: {},
    });
    const ranked = specOf(request({ priority: 0, delayMs: 90_000 }), context());
    expect(ranked).toMatchObject({ priority: 0, startAt: '2026-07-28T00:01:30.000Z' });
    const tool = { ...TOOL, priority: 7, delayMs: 1_000 };
    expect(specOf(request({ tool }), context())).toMatchObject({ priority: 7, startAt: '2026-07-28T00:00:01.000Z' });
    expect(specOf(request({ tool, priority: 1, delayMs: 0 }), context())).toMatchObject({ priority: 1 });
    expect(specOf(request({ tool, delayMs: 0 }), context())).not.toHaveProperty('startAt');
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    const full = specOf(
      request({ traceparent, given: { name: 'x' }, clientCapabilities: { elicitation: {} } }),
      context(),
    );
    expect(full).toMatchObject({ traceparent, given: { name: 'x' }, clientCapabilities: { elicitation: {} } });
    expect(full).not.toHaveProperty('requestDigest');
  });

  test.each([
    [1, 'h', 1],
    [HOUR_MS, 'h', HOUR_MS],
    [HOUR_MS + 1, 'd', HOUR_MS + 1],
    [100 * HOUR_MS, 'd', 24 * HOUR_MS],
    [null, 'p', null],
  ])('of ttl %j lies in class %s and lives for %j', (ttlMs, name, real) => {
    const spec = specOf(request({ ttlMs }), context());
    expect(spec.ttlMs).toBe(real);
    expect(parseTaskId(spec.taskId)?.retentionClass).toBe(name);
  });

  test('spreads over the shards, each of which its id can name', () => {
    const shards = new Set<number>();
    fc.assert(
      fc.property(fc.stringMatching(/^[A-Za-z0-9_-]{22}$/), (random) => {
        const place = parseTaskId(specOf(request(), context({ shards: 8, random })).taskId);
        expect(place?.shard).toBeLessThan(8);
        shards.add(place!.shard);
      }),
    );
    expect(shards.size).toBe(8);
  });

  test('tells owners apart by their fairness key, which is a subject token whatever the owner is called', () => {
    const keys = ['ada', 'bob', 'ada.bob', 'a > b', 'é', '*'].map(
      (owner) => specOf(request({ owner }), context()).fairnessKey,
    );
    expect(new Set(keys).size).toBe(keys.length);
    for (const key of keys) expect(key).toMatch(/^[A-Za-z0-9_-]+$/);
  });
});

describe('an idempotency key', () => {
  const keyed = (overrides: Partial<TaskRequest> = {}, from: Partial<TaskRequestContext> = {}) =>
    specOf(request({ idempotencyKey: 'key', ...overrides }), context(from));

  test('gives one id, whatever the time, the randomness and the arguments', () => {
    const { taskId } = keyed();
    expect(keyed({}, { random: 'B'.repeat(22), now: '2027-01-01T00:00:00.000Z' }).taskId).toBe(taskId);
    expect(keyed({ args: { other: true } }).taskId).toBe(taskId);
    expect(parseTaskId(taskId)).toEqual({ retentionClass: 'h', shard: 0 });
  });

  test('is the owner’s own, and another key is another id', () => {
    const ids = [keyed(), keyed({ owner: 'bob' }), keyed({ idempotencyKey: 'key2' }), keyed({ idempotencyKey: '' })];
    expect(new Set(ids.map((s) => s.taskId)).size).toBe(4);
  });

  test('tells calls apart by tool and arguments', () => {
    const { requestDigest } = keyed();
    expect(requestDigest).toMatch(/^[A-Za-z0-9_-]{43}$/);
    expect(keyed({}, { random: 'B'.repeat(22) }).requestDigest).toBe(requestDigest);
    expect(keyed({ args: { b: 1, a: 3 } }).requestDigest).not.toBe(requestDigest);
    expect(keyed({ tool: { ...TOOL, name: 'other' } }).requestDigest).not.toBe(requestDigest);
  });
});
