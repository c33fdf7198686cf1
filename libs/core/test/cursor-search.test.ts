/** The cursor search against stores of packs of any spread: it finds the right pack, and it ends. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PROBES_MAX, searchAnswer, searchStep, SLACK_EVENTS, startSearch, type Found } from '../src/index.js';

/** A store answers one question: the first pack at or after a position. */
function firstAtOrAfter(packs: readonly Found[], position: number): Found | undefined {
  let low = 0;
  let high = packs.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (packs[middle]!.position >= position) high = middle;
    else low = middle + 1;
  }
  return packs[low];
}

function storeOf(parts: readonly { gap: number; count: number }[], firstPosition = 1, firstSeq = 0): Found[] {
  let position = firstPosition;
  let seq = firstSeq;
  return parts.map(({ gap, count }, i) => {
    position += i === 0 ? 0 : gap;
    const pack = { position, firstSeq: seq, count };
    seq += count;
    return pack;
  });
}

interface Outcome {
  readonly probes: number;
  /** The first pack that a read from the found position gives. */
  readonly pack: Found;
}

function search(packs: readonly Found[], target: number, lowIndex = 0, highIndex = packs.length): Outcome {
  const last = packs.at(-1)!;
  const high = packs[highIndex];
  let state = startSearch(
    target,
    packs[lowIndex]!,
    high?.position ?? last.position + 1,
    high?.firstSeq ?? last.firstSeq + last.count,
  );
  for (;;) {
    const step = searchStep(state);
    if (step.type === 'found') {
      return { probes: state.probes, pack: firstAtOrAfter(packs, step.position)! };
    }
    const width = state.highPosition - state.low.position;
    expect(step.position).toBeGreaterThan(state.low.position);
    expect(step.position).toBeLessThan(state.highPosition);
    state = searchAnswer(state, step.position, firstAtOrAfter(packs, step.position));
    // The invariants of the file head, at every step.
    expect(state.highPosition - state.low.position).toBeLessThan(width);
    expect(state.low.firstSeq).toBeLessThanOrEqual(target);
    const above = firstAtOrAfter(packs, state.highPosition);
    if (above !== undefined) expect(above.firstSeq).toBeGreaterThan(target);
    expect(state.highSeq).toBeGreaterThan(target);
  }
}

/** The pack is at or before the target, near enough, and the search did not run into its bound. */
function expectFound(outcome: Outcome, target: number): void {
  expect(outcome.pack.firstSeq).toBeLessThanOrEqual(target);
  expect(target - outcome.pack.firstSeq).toBeLessThan(outcome.pack.count + SLACK_EVENTS);
  expect(outcome.probes).toBeLessThan(PROBES_MAX);
}

const count = fc.integer({ min: 1, max: 200 });
/** Gaps from neighbours to whole ages of other tasks' packs between two of ours. */
const gap = fc.oneof(
  fc.integer({ min: 1, max: 20 }),
  fc.integer({ min: 1, max: 40 }).map((bits) => 2 ** bits),
);
const parts = fc.array(fc.record({ gap, count }), { minLength: 1, maxLength: 300 });

describe('cursor search', () => {
  it('finds any target in any store', () => {
    fc.assert(
      fc.property(parts, fc.nat({ max: 2 ** 40 }), fc.nat({ max: 10_000 }), fc.nat(), (p, position, seq, at) => {
        const packs = storeOf(p, position, seq);
        const last = packs.at(-1)!;
        const target = seq + (at % (last.firstSeq + last.count - seq));
        expectFound(search(packs, target), target);
      }),
      { numRuns: 300 },
    );
  });

  it('finds any target between any two known packs, as a sparse index gives them', () => {
    fc.assert(
      fc.property(parts, fc.nat(), fc.nat(), fc.nat(), (p, a, b, at) => {
        const packs = storeOf(p);
        const lowIndex = a % packs.length;
        const highIndex = lowIndex + 1 + (b % (packs.length - lowIndex));
        const low = packs[lowIndex]!;
        const last = packs[highIndex - 1]!;
        const target = low.firstSeq + (at % (last.firstSeq + last.count - low.firstSeq));
        expectFound(search(packs, target, lowIndex, highIndex), target);
      }),
      { numRuns: 300 },
    );
  });

  /** Spreads that an interpolation alone is bad at: each gives the gap before pack i of n. */
  const SKEWS: Record<string, (i: number, n: number) => number> = {
    dense: () => 1,
    'a burst, then silence': (i, n) => (i < n - 5 ? 1 : 2 ** 38),
    'silence, then a burst': (i) => (i === 1 ? 2 ** 44 : 1),
    'gaps that grow': (i, n) => Math.max(1, Math.floor(2 ** ((40 * i) / n - 10))),
    'gaps that shrink': (i, n) => Math.max(1, Math.floor(2 ** ((40 * (n - i)) / n - 10))),
    'bursts far apart': (i) => (i % 1_000 === 0 ? 2 ** 30 : 1),
  };
  const COUNTS: Record<string, (i: number, n: number) => number> = {
    'single events': () => 1,
    'full packs': () => 200,
    'small packs, then full ones': (i, n) => (i < n / 2 ? 1 : 200),
    'full packs, then small ones': (i, n) => (i < n / 2 ? 200 : 1),
  };

  it.each(Object.keys(SKEWS).flatMap((skew) => Object.keys(COUNTS).map((counts) => [skew, counts] as const)))(
    'finds targets in 20,000 packs: %s, %s',
    (skew, counts) => {
      const n = 20_000;
      const packs = storeOf(
        Array.from({ length: n }, (_x, i) => ({ gap: SKEWS[skew]!(i, n), count: COUNTS[counts]!(i, n) })),
      );
      const end = packs.at(-1)!.firstSeq + packs.at(-1)!.count;
      const targets = new Set([0, 1, end - 1, end - 2]);
      for (let distance = 1; distance < end; distance *= 3) targets.add(end - distance).add(distance);
      for (let share = 0; share < 1; share += 0.01) targets.add(Math.floor(end * share));
      expect(targets.size).toBeGreaterThan(100);
      for (const target of targets) expectFound(search(packs, target), target);
    },
  );

  it('takes few probes where packs lie evenly', () => {
    const packs = storeOf(Array.from({ length: 20_000 }, () => ({ gap: 7, count: 10 })));
    for (let target = 0; target < 200_000; target += 997) expect(search(packs, target).probes).toBeLessThanOrEqual(2);
  });

  it('moves on by at least one position, however steep the log is', () => {
    const packs = storeOf(Array.from({ length: 1_000 }, (_x, i) => ({ gap: 1, count: i === 0 ? 1 : 200 })));
    for (let target = 0; target < 3_000; target++) expectFound(search(packs, target), target);
  });

  it('asks nothing when the first pack is near enough', () => {
    const first = { position: 5, firstSeq: 100, count: 10 };
    for (const target of [100, 109, 110, 110 + SLACK_EVENTS - 1]) {
      expect(searchStep(startSearch(target, first, 1_000_000, 100_000))).toEqual({ type: 'found', position: 5 });
    }
    expect(searchStep(startSearch(110 + SLACK_EVENTS, first, 1_000_000, 100_000)).type).toBe('probe');
  });

  it('takes a store that answers nothing above as the end of the interval', () => {
    const first = { position: 5, firstSeq: 0, count: 1 };
    let state = startSearch(5_000, first, 1_005, 10_000);
    let step = searchStep(state);
    while (step.type === 'probe') {
      state = searchAnswer(state, step.position, undefined);
      step = searchStep(state);
    }
    expect(step).toEqual({ type: 'found', position: 5 });
    expect(state.probes).toBeLessThan(PROBES_MAX);
  });

  it('ends below its bound on the widest interval there can be, whatever is answered', () => {
    const widest = { position: 0, firstSeq: 0, count: 1 };
    const answers = fc.infiniteStream(fc.boolean());
    fc.assert(
      fc.property(
        fc.integer({ min: 1_000, max: 2 ** 40 }),
        answers,
        fc.infiniteStream(fc.double({ min: 0, max: 1, noNaN: true })),
        (target, below, shares) => {
          let state = startSearch(target, widest, Number.MAX_SAFE_INTEGER, target + 1);
          for (let i = 0; i < 2 * PROBES_MAX; i++) {
            const step = searchStep(state);
            if (step.type === 'found') break;
            const share = shares.next().value;
            const firstSeq = below.next().value ? state.low.firstSeq : target + 1;
            const room = state.highPosition - 1 - step.position;
            const position = step.position + (firstSeq > target ? 0 : Math.floor(room * share * share * share * share));
            state = searchAnswer(state, step.position, { position, firstSeq, count: 1 });
          }
          expect(searchStep(state).type).toBe('found');
          expect(state.probes).toBeLessThan(PROBES_MAX);
        },
      ),
      { numRuns: 500 },
    );
  });

  it('the hardest answers: every probe keeps the larger part', () => {
    for (const target of [1_000, 10 ** 6, 2 ** 52]) {
      let state = startSearch(target, { position: 0, firstSeq: 0, count: 1 }, Number.MAX_SAFE_INTEGER, target + 1);
      for (let step = searchStep(state); step.type === 'probe'; step = searchStep(state)) {
        const upperIsLarger = state.highPosition - step.position > step.position - state.low.position;
        const firstSeq = upperIsLarger ? state.low.firstSeq : target + 1;
        state = searchAnswer(state, step.position, { position: step.position, firstSeq, count: 1 });
      }
      expect(state.highPosition - state.low.position).toBe(1);
      expect(state.probes).toBeLessThan(PROBES_MAX);
    }
  });
});
