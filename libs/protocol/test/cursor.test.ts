/** The exclusive cursor `after`. SEP-2694 §Resume and Replay Semantics. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseStreamParams } from '../src/index.js';

describe('parseStreamParams', () => {
  it.each([0, 1, 41, 2 ** 31, Number.MAX_SAFE_INTEGER])('accepts after %d', (after) => {
    expect(parseStreamParams({ taskId: 't', after })).toEqual({ ok: true, taskId: 't', after });
  });

  it('accepts a missing cursor, and one that is undefined, as none', () => {
    expect(parseStreamParams({ taskId: 't' })).toEqual({ ok: true, taskId: 't', after: undefined });
    expect(parseStreamParams({ taskId: 't', after: undefined })).toEqual({ ok: true, taskId: 't', after: undefined });
  });

  it('ignores members that it does not know', () => {
    expect(parseStreamParams({ taskId: 't', after: 3, _meta: { progressToken: 1 }, other: null })).toEqual({
      ok: true,
      taskId: 't',
      after: 3,
    });
  });

  it.each([
    [null, 'null'],
    ['3', 'string'],
    ['', 'string'],
    [1.5, 'number'],
    [0.1, 'number'],
    [-1, 'integer'],
    [-0.5, 'number'],
    [2 ** 53, 'integer'],
    [2 ** 60, 'integer'],
    [-(2 ** 60), 'integer'],
    [Number.NaN, 'number'],
    [Number.POSITIVE_INFINITY, 'number'],
    [true, 'boolean'],
    [[3], 'array'],
    [{ seq: 3 }, 'object'],
  ])('refuses after %j by field and type', (after, type) => {
    const parsed = parseStreamParams({ taskId: 't', after });
    expect(parsed.ok).toBe(false);
    const message = parsed.ok ? '' : parsed.message;
    expect(message).toMatch(/^Invalid params for tasks\/stream: after: /);
    expect(message).toContain(`(got ${type})`);
  });

  it.each([
    [{}, 'taskId', 'nothing'],
    [{ taskId: '' }, 'taskId', 'string'],
    [{ taskId: 5 }, 'taskId', 'integer'],
    [{ taskId: null }, 'taskId', 'null'],
    [{ taskId: ['t'] }, 'taskId', 'array'],
    [undefined, 'value', 'nothing'],
    [null, 'value', 'null'],
    ['t', 'value', 'string'],
    [[], 'value', 'array'],
  ])('refuses params %j', (params, field, type) => {
    const parsed = parseStreamParams(params);
    expect(parsed.ok).toBe(false);
    const message = parsed.ok ? '' : parsed.message;
    expect(message).toContain(`tasks/stream: ${field}: `);
    expect(message).toContain(`(got ${type})`);
  });

  it('names both fields when both are wrong', () => {
    const parsed = parseStreamParams({ taskId: 1, after: 'x' });
    expect(parsed.ok ? '' : parsed.message).toMatch(/taskId: .*; after: /);
  });

  it('accepts exactly the safe non-negative integers, whatever comes', () => {
    fc.assert(
      fc.property(fc.oneof(fc.anything(), fc.double(), fc.maxSafeInteger(), fc.integer()), (after) => {
        const wanted = after === undefined || (Number.isSafeInteger(after) && (after as number) >= 0);
        expect(parseStreamParams({ taskId: 't', after }).ok).toBe(wanted);
      }),
      { numRuns: 1_000 },
    );
  });
});
