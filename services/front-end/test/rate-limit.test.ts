import { describe, expect, it } from 'vitest';
import { RateLimit } from '../src/rate-limit.js';

describe('a rate limit', () => {
  it('lets a minute’s worth pass at once, then one at a time as the minute goes on', () => {
    const limit = new RateLimit(60, 10);
    for (let i = 0; i < 60; i++) {
      expect(limit.waitMs('ann', 0)).toBe(0);
      limit.count('ann', 0);
    }
    expect(limit.waitMs('ann', 0)).toBe(1_000);
    expect(limit.waitMs('ann', 400)).toBe(600);
    expect(limit.waitMs('ann', 1_000)).toBe(0);
    limit.count('ann', 1_000);
    expect(limit.waitMs('ann', 1_000)).toBe(1_000);
    // However long it was quiet, there is a minute’s worth and no more.
    for (let i = 0; i < 60; i++) limit.count('ann', 1_000_000);
    expect(limit.waitMs('ann', 1_000_000)).toBe(1_000);
  });

  it('counts each owner apart', () => {
    const limit = new RateLimit(1, 10);
    limit.count('ann', 0);
    expect(limit.waitMs('ann', 0)).toBe(60_000);
    expect(limit.waitMs('bob', 0)).toBe(0);
  });

  it('remembers a bounded number of owners, and forgets the one that was quiet for longest', () => {
    let forgotten = 0;
    const limit = new RateLimit(1, 3, () => forgotten++);
    for (const owner of ['a', 'b', 'c', 'a', 'd']) limit.count(owner, 0);
    expect(forgotten).toBe(1);
    expect(limit.owners).toBe(3);
    expect(limit.waitMs('b', 0)).toBe(0);
    for (const owner of ['a', 'c', 'd']) expect(limit.waitMs(owner, 0)).toBe(60_000);
    for (let i = 0; i < 10_000; i++) limit.count(`o${i}`, 0);
    expect(limit.owners).toBe(3);
  });

  it('is not fooled by a clock that stands still or goes back', () => {
    const limit = new RateLimit(2, 10);
    limit.count('ann', 5_000);
    limit.count('ann', 5_000);
    expect(limit.waitMs('ann', 1_000)).toBe(30_000);
  });
});
