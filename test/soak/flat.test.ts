/** When a series counts as flat: a judge that passes everything would make the soak worth nothing. */
import { describe, expect, it } from 'vitest';
import { median, slopePerHour, verdictOf, type Sample } from './flat.js';

const UNTIL_MS = 400;

/** Ten samples in each quarter, all of its value. */
function quarters(...values: readonly number[]): Sample[] {
  return values.flatMap((value, quarter) =>
    Array.from({ length: 10 }, (_, i) => ({ atMs: quarter * 100 + i * 10, value })),
  );
}

function flat(values: readonly number[], slack = 0): boolean | undefined {
  return verdictOf(quarters(...values), 0, UNTIL_MS, slack)?.flat;
}

describe('a series', () => {
  it('that stays is flat, and so is one that falls', () => {
    expect(flat([100, 100, 100, 100])).toBe(true);
    expect(flat([100, 90, 80, 70])).toBe(true);
  });

  it('may fill in the first quarter', () => {
    expect(flat([10, 100, 100, 100])).toBe(true);
  });

  it('may grow by a tenth and its slack from the second quarter to the last, and no more', () => {
    expect(flat([100, 100, 105, 110])).toBe(true);
    expect(flat([100, 100, 105, 111])).toBe(false);
    expect(flat([100, 100, 105, 115], 5)).toBe(true);
    expect(flat([100, 100, 105, 116], 5)).toBe(false);
  });

  it('is not judged by a single sample that stands out', () => {
    const samples = quarters(100, 100, 100, 100).map((one, i) => (i === 35 ? { ...one, value: 900 } : one));
    expect(verdictOf(samples, 0, UNTIL_MS, 0)).toMatchObject({ flat: true, max: 900, quarters: [100, 100, 100, 100] });
  });

  it('is not judged at all when a quarter was not looked at', () => {
    const hole = quarters(100, 100, 100, 100).filter(({ atMs }) => atMs < 200 || atMs >= 300);
    expect(verdictOf(hole, 0, UNTIL_MS, 0)).toBeUndefined();
    expect(verdictOf([], 0, UNTIL_MS, 0)).toBeUndefined();
  });

  it('counts a sample at its very end', () => {
    const samples = [...quarters(1, 1, 1), { atMs: 390, value: 1 }, { atMs: UNTIL_MS, value: 1 }];
    expect(verdictOf(samples, 0, UNTIL_MS, 0)?.quarters).toEqual([1, 1, 1, 1]);
  });
});

describe('the slope', () => {
  it('is the growth in an hour', () => {
    const rising = Array.from({ length: 7 }, (_, i) => ({ atMs: i * 600_000, value: 50 + i * 2 }));
    expect(slopePerHour(rising)).toBeCloseTo(12);
    expect(slopePerHour(rising.slice(0, 1))).toBe(0);
    expect(slopePerHour([rising[1], rising[1]] as Sample[])).toBe(0);
  });

  it('is of the second half', () => {
    const samples = Array.from({ length: 40 }, (_, i) => ({ atMs: i * 10, value: i < 20 ? i : 20 }));
    expect(verdictOf(samples, 0, UNTIL_MS, 0)?.slopePerHour).toBe(0);
  });
});

describe('the median', () => {
  it('is the one in the middle, or between the two', () => {
    expect(median([3, 1, 2])).toBe(2);
    expect(median([4, 1, 3, 2])).toBe(2.5);
    expect(median([10, 9])).toBe(9.5);
  });
});
