/** Task ids: they name their place, and nothing else gets through. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatTaskId, parseTaskId, TASK_ID_LENGTH_MAX, TASK_ID_RANDOM_LENGTH } from '../src/index.js';

const RANDOM = 'V1StGXR8_Z5jdHi6B-myTg';
const random = fc.stringMatching(/^[A-Za-z0-9_-]{22,64}$/);
const place = fc.record({ retentionClass: fc.stringMatching(/^[a-z]{1,8}$/), shard: fc.nat({ max: 9_999 }) });

describe('task ids', () => {
  it('pins the format', () => {
    expect(RANDOM).toHaveLength(TASK_ID_RANDOM_LENGTH);
    expect(formatTaskId({ retentionClass: 'd', shard: 0 }, RANDOM)).toBe('d0-V1StGXR8_Z5jdHi6B-myTg');
    expect(parseTaskId('d0-V1StGXR8_Z5jdHi6B-myTg')).toEqual({ retentionClass: 'd', shard: 0 });
    expect(TASK_ID_LENGTH_MAX).toBe(77);
  });

  it('has at least 128 random bits', () => {
    expect(TASK_ID_RANDOM_LENGTH * Math.log2(64)).toBeGreaterThanOrEqual(128);
    expect(parseTaskId(`d0-${'x'.repeat(21)}`)).toBeUndefined();
  });

  it('gives back the place of any id that it made, within the length bound', () => {
    fc.assert(
      fc.property(place, random, (where, rest) => {
        const id = formatTaskId(where, rest);
        expect(parseTaskId(id)).toEqual(where);
        expect(id.length).toBeLessThanOrEqual(TASK_ID_LENGTH_MAX);
        expect(encodeURIComponent(id)).toBe(id);
        expect(id).not.toMatch(/[.*>\s/]/);
      }),
    );
  });

  it.each([
    '',
    'd0',
    'd0-',
    `d-${RANDOM}`,
    `0-${RANDOM}`,
    `D0-${RANDOM}`,
    `d12345-${RANDOM}`,
    `abcdefghi0-${RANDOM}`,
    `d0-${RANDOM}.x`,
    `d0-${RANDOM}*`,
    `d0-${RANDOM}>`,
    `d0-${RANDOM}/x`,
    `d0-${RANDOM}\n`,
    `\nd0-${RANDOM}`,
    ` d0-${RANDOM}`,
    `d0 -${RANDOM}`,
    `d0-${'x'.repeat(65)}`,
    `d0-${'é'.repeat(22)}`,
    `d0-${'x'.repeat(10_000)}`,
    'evt.d.0.x',
    '../../etc/passwd',
  ])('refuses %j', (id) => {
    expect(parseTaskId(id)).toBeUndefined();
  });

  it('parses any text to a place that formats back to the same shard, or to nothing', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.string({ unit: 'binary' })), random, (text, rest) => {
        for (const id of [text, `${text}-${rest}`, `d0-${rest}${text}`]) {
          const parsed = parseTaskId(id);
          if (parsed !== undefined) expect(id).toMatch(/^[a-z]{1,8}\d{1,4}-[A-Za-z0-9_-]{22,64}$/);
        }
      }),
    );
  });

  it.each([
    [{ retentionClass: 'D', shard: 0 }, RANDOM],
    [{ retentionClass: '', shard: 0 }, RANDOM],
    [{ retentionClass: 'd', shard: -1 }, RANDOM],
    [{ retentionClass: 'd', shard: 1.5 }, RANDOM],
    [{ retentionClass: 'd', shard: 10_000 }, RANDOM],
    [{ retentionClass: 'd', shard: Number.NaN }, RANDOM],
    [{ retentionClass: 'd', shard: 0 }, 'short'],
    [{ retentionClass: 'd', shard: 0 }, `${RANDOM}.`],
  ])('does not format %j with %j', (where, rest) => {
    expect(() => formatTaskId(where, rest)).toThrow(RangeError);
  });
});
