/** What a worker does with an item: every combination that a tail can show. */
import { isTerminal, TASK_STATUSES, type TaskStatus } from '@taskstream/protocol';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { backoffMs, decideDispatch, type DispatchDecision, type DispatchInput } from '../src/index.js';

const MINE = 'item-1';
const OTHER = 'item-2';
/** The delivery with which a running attempt began. */
const RUNNING_DELIVERY = 2;

interface Case {
  readonly status: TaskStatus;
  readonly attempt: number;
  readonly runningItem: string | undefined;
  readonly failures: number;
  readonly expired: boolean;
  readonly delivery: number;
  readonly attemptsMax: number;
  readonly handedOver: boolean;
  readonly suspended: 'no' | 'waiting' | 'answered';
  readonly otherIsThere: boolean;
}

const CASES: Case[] = TASK_STATUSES.flatMap((status) =>
  [0, 1, 2, 7].flatMap((attempt) =>
    [undefined, MINE, OTHER].flatMap((runningItem) =>
      [0, 1, 2, 3].flatMap((failures) =>
        [1, 2, 3].flatMap((attemptsMax) =>
          [true, false].flatMap((expired) =>
            [true, false].flatMap((handedOver) =>
              (['no', 'waiting', 'answered'] as const).flatMap((suspended) =>
                [1, 2, 3].flatMap((delivery) =>
                  [true, false].map((otherIsThere) => ({
                    status,
                    attempt,
                    runningItem,
                    failures,
                    attemptsMax,
                    expired,
                    handedOver,
                    suspended,
                    delivery,
                    otherIsThere,
                  })),
                ),
              ),
            ),
          ),
        ),
      ),
    ),
  ),
);

function inputOf(c: Case): DispatchInput {
  const { status, attempt, runningItem, failures, ...rest } = c;
  const runningDelivery = runningItem === undefined ? 0 : RUNNING_DELIVERY;
  return { facts: { status, attempt, runningItem, runningDelivery, failures }, itemId: MINE, ...rest };
}

/** The rules in the order of the design: DESIGN §3.8 Takeover. */
function wanted(c: Case): DispatchDecision {
  if (isTerminal(c.status)) return { type: 'ack', why: 'terminal' };
  if (c.runningItem === OTHER && c.otherIsThere) return { type: 'ack', why: 'twin' };
  if (c.runningItem !== undefined) {
    if (c.runningItem === MINE && c.delivery <= RUNNING_DELIVERY) return { type: 'stale' };
    return c.failures + 1 >= c.attemptsMax
      ? { type: 'fail', failures: c.failures + 1 }
      : { type: 'start', attempt: c.attempt + 1, cause: 'lease_lost', failures: c.failures + 1 };
  }
  if (c.suspended === 'waiting') return { type: 'ack', why: 'suspended' };
  const why = c.suspended === 'answered' ? 'woken' : c.handedOver ? 'handed_over' : 'retry';
  const cause = c.attempt === 0 ? 'first' : why;
  return { type: 'start', attempt: c.attempt + 1, cause, failures: c.failures };
}

describe('decideDispatch', () => {
  it('decides every combination of a tail as the design says', () => {
    expect(CASES).toHaveLength(5 * 4 * 3 * 4 * 3 * 2 * 2 * 3 * 3 * 2);
    const seen = new Set<string>();
    for (const c of CASES) {
      const decision = decideDispatch(inputOf(c));
      expect({ c, decision }).toEqual({ c, decision: wanted(c) });
      seen.add(JSON.stringify({ ...decision, attempt: undefined, failures: undefined }));
    }
    expect(seen.size).toBe(10);
  });

  it('without a log: waits while the task can exist, removes the item when it cannot', () => {
    for (const handedOver of [true, false]) {
      for (const attemptsMax of [1, 3]) {
        const none = {
          facts: undefined,
          itemId: MINE,
          delivery: 1,
          attemptsMax,
          handedOver,
          suspended: 'no' as const,
          otherIsThere: true,
        };
        expect(decideDispatch({ ...none, expired: false })).toEqual({ type: 'nak' });
        expect(decideDispatch({ ...none, expired: true })).toEqual({ type: 'term' });
      }
    }
  });

  it('never starts beside a running attempt of another item that is there, and never after the end', () => {
    const barred = CASES.filter((c) => (c.runningItem === OTHER && c.otherIsThere) || isTerminal(c.status));
    expect(barred.length).toBeGreaterThan(0);
    for (const c of barred) expect(decideDispatch(inputOf(c)).type).toBe('ack');
  });

  it('an attempt number always rises by one, and a hand-over costs no failure', () => {
    let starts = 0;
    for (const c of CASES) {
      const decision = decideDispatch(inputOf(c));
      if (decision.type !== 'start') continue;
      starts++;
      expect(decision.attempt).toBe(c.attempt + 1);
      expect(decision.failures).toBe(decision.cause === 'lease_lost' ? c.failures + 1 : c.failures);
    }
    expect(starts).toBeGreaterThan(0);
  });

  it('a task whose workers always die ends after exactly attemptsMax attempts', () => {
    for (const attemptsMax of [1, 2, 3, 10]) {
      const facts = {
        status: 'working' as const,
        attempt: 0,
        runningItem: undefined as string | undefined,
        runningDelivery: 0,
        failures: 0,
      };
      let delivery = 1;
      const decide = (): DispatchDecision =>
        decideDispatch({
          facts,
          itemId: MINE,
          delivery,
          expired: false,
          attemptsMax,
          handedOver: false,
          suspended: 'no',
          otherIsThere: false,
        });
      let decision = decide();
      let started = 0;
      while (decision.type === 'start' && started <= 20) {
        started++;
        const { attempt, failures } = decision;
        Object.assign(facts, { attempt, failures, runningItem: MINE, runningDelivery: delivery++ });
        decision = decide();
      }
      expect(started).toBe(attemptsMax);
      expect(decision).toEqual({ type: 'fail', failures: attemptsMax });
    }
  });
});

describe('backoffMs', () => {
  const failures = fc.integer({ min: 0, max: 2_000 });
  const ms = fc.integer({ min: 1, max: 3_600_000 });
  const jitter = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });

  it('pins the series without jitter', () => {
    expect([0, 1, 2, 3, 4, 5, 6, 7].map((n) => backoffMs(n, 1_000, 30_000, 0))).toEqual([
      1_000, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000,
    ]);
  });

  it('jitter takes up to half of it away', () => {
    expect(backoffMs(1, 1_000, 30_000, 0.5)).toBe(750);
    expect(backoffMs(1, 1_000, 30_000, 0.999_999)).toBe(500);
  });

  it('is an integer within [half of the base or cap, cap] for any number of failures', () => {
    fc.assert(
      fc.property(failures, ms, ms, jitter, (n, base, cap, j) => {
        const wait = backoffMs(n, base, cap, j);
        expect(Number.isInteger(wait)).toBe(true);
        expect(wait).toBeLessThanOrEqual(cap);
        expect(wait).toBeGreaterThanOrEqual(Math.floor(Math.min(base, cap) / 2));
      }),
    );
  });

  it('never falls as failures rise, and never rises with jitter', () => {
    fc.assert(
      fc.property(failures, ms, ms, jitter, (n, base, cap, j) => {
        expect(backoffMs(n + 1, base, cap, j)).toBeGreaterThanOrEqual(backoffMs(n, base, cap, j));
        expect(backoffMs(n, base, cap, j)).toBeLessThanOrEqual(backoffMs(n, base, cap, 0));
      }),
    );
  });
});
