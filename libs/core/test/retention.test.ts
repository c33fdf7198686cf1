/** Decisions about time and space, at and around each bound. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { admits, chooseClass, FILL_SHARE_MAX, isExpired, statusDue, type RetentionClass } from '../src/index.js';

const HOUR = { name: 'h', ttlMsMax: 3_600_000 };
const DAY = { name: 'd', ttlMsMax: 86_400_000 };
const WEEK = { name: 'w', ttlMsMax: 604_800_000 };
const AGELESS = { name: 'x', ttlMsMax: null };

describe('chooseClass', () => {
  it.each([
    [1, HOUR, 1],
    [3_600_000, HOUR, 3_600_000],
    [3_600_001, DAY, 3_600_001],
    [86_400_000, DAY, 86_400_000],
    [604_800_000, WEEK, 604_800_000],
    [604_800_001, WEEK, 604_800_000],
    [Number.MAX_SAFE_INTEGER, WEEK, 604_800_000],
    [null, AGELESS, null],
  ] as const)('puts a ttl of %s ms into the smallest class that holds it', (ttlMs, retentionClass, given) => {
    for (const classes of [
      [HOUR, DAY, WEEK, AGELESS],
      [AGELESS, WEEK, HOUR, DAY],
    ]) {
      expect(chooseClass(classes, ttlMs)).toEqual({ retentionClass, ttlMs: given });
    }
  });

  it('without a class without age, null becomes the largest ttl', () => {
    expect(chooseClass([DAY, HOUR], null)).toEqual({ retentionClass: DAY, ttlMs: DAY.ttlMsMax });
  });

  it('with only a class without age, every task goes there', () => {
    expect(chooseClass([AGELESS], null)).toEqual({ retentionClass: AGELESS, ttlMs: null });
    expect(chooseClass([AGELESS], 5).retentionClass).toBe(AGELESS);
  });

  it('throws when no class is configured', () => {
    expect(() => chooseClass([], 5)).toThrow('no retention class is configured');
    expect(() => chooseClass([], null)).toThrow(RangeError);
  });

  it('never gives more than was asked, never more than the class holds, and leaves the list as it was', () => {
    const bound = fc.option(fc.integer({ min: 1, max: 10_000 }), { nil: null });
    const classes = fc.uniqueArray(bound, { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(classes, fc.option(fc.integer({ min: 1, max: 20_000 }), { nil: null }), (bounds, asked) => {
        const list: RetentionClass[] = bounds.map((ttlMsMax, i) => ({ name: `c${i}`, ttlMsMax }));
        const before = [...list];
        const { retentionClass, ttlMs } = chooseClass(list, asked);
        expect(list).toEqual(before);
        expect(list).toContain(retentionClass);
        if (retentionClass.ttlMsMax === null) {
          expect(ttlMs).toBeNull();
          return;
        }
        expect(ttlMs).not.toBeNull();
        expect(ttlMs).toBeLessThanOrEqual(retentionClass.ttlMsMax);
        if (asked !== null) expect(ttlMs).toBeLessThanOrEqual(asked);
        const smaller = bounds.filter((b): b is number => b !== null && b < (retentionClass.ttlMsMax as number));
        for (const b of smaller) expect(b).toBeLessThan(asked ?? Number.POSITIVE_INFINITY);
      }),
    );
  });
});

describe('isExpired', () => {
  it('holds from createdAt + ttl on, not before, and never without a ttl', () => {
    expect(isExpired(1_000, 500, 1_499)).toBe(false);
    expect(isExpired(1_000, 500, 1_500)).toBe(true);
    expect(isExpired(1_000, 500, 1_501)).toBe(true);
    expect(isExpired(1_000, null, Number.MAX_SAFE_INTEGER)).toBe(false);
  });
});

describe('admits', () => {
  it('pins the shares', () => {
    expect(FILL_SHARE_MAX).toEqual({ creation: 0.8, event: 0.95, ending: 1 });
  });

  it.each([
    ['creation', 799, true],
    ['creation', 800, true],
    ['creation', 801, false],
    ['event', 950, true],
    ['event', 951, false],
    ['ending', 1_000, true],
    ['ending', 1_001, false],
  ] as const)('%s with %d of 1000 bytes used: %s', (kind, used, admitted) => {
    expect(admits(kind, used, 1_000)).toBe(admitted);
  });

  it('a stream without a limit takes everything', () => {
    for (const kind of ['creation', 'event', 'ending'] as const) {
      expect(admits(kind, Number.MAX_SAFE_INTEGER, -1)).toBe(true);
    }
  });

  it('what takes a creation takes an event, and what takes an event takes an ending', () => {
    fc.assert(
      fc.property(fc.nat(), fc.nat(), (used, max) => {
        if (admits('creation', used, max)) expect(admits('event', used, max)).toBe(true);
        if (admits('event', used, max)) expect(admits('ending', used, max)).toBe(true);
      }),
    );
  });
});

describe('statusDue', () => {
  it('states the status again before it can leave any window', () => {
    for (let packsMax = 1; packsMax <= 300; packsMax++) {
      // The status pack itself is in the window, so it leaves once packsMax younger packs are there.
      const dueAt = Array.from({ length: packsMax + 1 }, (_x, i) => i).find((since) => statusDue(since, packsMax));
      expect(dueAt).toBeDefined();
      expect(dueAt).toBeGreaterThanOrEqual(1);
      expect(dueAt).toBeLessThanOrEqual(packsMax);
      if (packsMax >= 2) expect(dueAt).toBe(Math.floor(packsMax / 2));
    }
  });

  it('once due stays due', () => {
    fc.assert(
      fc.property(fc.nat({ max: 1_000 }), fc.nat({ max: 1_000 }), (since, packsMax) => {
        if (statusDue(since, packsMax)) expect(statusDue(since + 1, packsMax)).toBe(true);
      }),
    );
  });

  it('is never due without a cap', () => {
    expect(statusDue(1_000_000, 0)).toBe(false);
    expect(statusDue(1_000_000, -1)).toBe(false);
  });
});
