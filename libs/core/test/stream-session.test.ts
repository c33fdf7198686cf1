/** The stream session: each step pinned, and a model of whole streams over a bad network and a trimmed log. */
import { STREAM_END_REASONS } from '@taskstream/protocol';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  isOver,
  openSession,
  sessionStep,
  type SessionInput,
  type SessionState,
  type SessionStep,
} from '../src/index.js';
import { World, type Outcome, type Scenario } from './session-model.js';

const NONE = { type: 'none' } as const;
const replaying = (next: number | undefined, fresh = false): SessionState => ({ phase: 'replaying', next, fresh });
const live = (next: number, fresh = false): SessionState => ({ phase: 'live', next, fresh });
const ended = (next: number, reason: 'terminal' | 'draining' = 'terminal'): SessionState => ({
  phase: 'ended',
  reason,
  next,
});
const gone = (earliestSeq: number): SessionState => ({ phase: 'gone', earliestSeq });
const pack = (firstSeq: number, count: number): SessionInput => ({ type: 'pack', firstSeq, count });
const caughtUp = (nextSeq: number): SessionInput => ({ type: 'caught_up', nextSeq });
const terminal = (nextSeq: number): SessionInput => ({ type: 'terminal', nextSeq });
const trimmed = (earliestSeq: number): SessionInput => ({ type: 'trimmed', earliestSeq });
const close: SessionInput = { type: 'close', reason: 'draining' };
const deliver = (fromSeq: number): SessionStep['action'] => ({ type: 'deliver', fromSeq });
const repair = (fromSeq: number): SessionStep['action'] => ({ type: 'repair', fromSeq });

describe('openSession', () => {
  it('starts after the cursor, or where the log starts', () => {
    expect(openSession(undefined)).toEqual(replaying(undefined, true));
    expect(openSession(0)).toEqual(replaying(1));
    expect(openSession(41)).toEqual(replaying(42));
  });
});

/** state, input → state, action. */
const STEPS: [string, SessionState, SessionInput, SessionState, SessionStep['action']][] = [
  ['next pack while replaying', replaying(5), pack(5, 3), replaying(8), deliver(5)],
  ['next pack while live', live(5), pack(5, 3), live(8), deliver(5)],
  ['a pack that is partly known', live(5), pack(3, 4), live(7), deliver(5)],
  ['a pack whose last event is wanted', live(5), pack(0, 6), live(6), deliver(5)],
  ['a pack that ends just below', live(5), pack(2, 3), live(5), NONE],
  ['a pack wholly known', live(5), pack(0, 2), live(5), NONE],
  ['a pack beyond a gap of one', live(5), pack(6, 1), replaying(5), repair(5)],
  ['a pack beyond a gap while replaying', replaying(5), pack(9, 1), replaying(5), repair(5)],
  ['a gap before the first delivery', live(5, true), pack(9, 1), replaying(5, true), repair(5)],
  ['the first pack without a cursor', replaying(undefined, true), pack(7, 2), replaying(9), deliver(7)],
  ['the first live pack without a cursor', live(7, true), pack(7, 2), live(9), deliver(7)],

  ['caught up at the tail', replaying(5), caughtUp(5), live(5), NONE],
  ['caught up again', live(5), caughtUp(5), live(5), NONE],
  ['caught up, but one is missing', replaying(5), caughtUp(6), replaying(5), repair(5)],
  ['a tail check that finds more', live(5), caughtUp(6), replaying(5), repair(5)],
  ['a stale tail check', live(5), caughtUp(3), live(5), NONE],
  ['caught up with nothing retained', replaying(undefined, true), caughtUp(7), live(7, true), NONE],

  ['the end at the tail', live(5), terminal(5), ended(5), NONE],
  ['the end at the tail while replaying', replaying(5), terminal(5), ended(5), NONE],
  ['the end, but one is missing', live(5), terminal(6), replaying(5), repair(5)],
  ['the end below the cursor', replaying(9), terminal(5), ended(9), NONE],
  ['the end with nothing retained', replaying(undefined, true), terminal(7), ended(7), NONE],

  ['trimmed below', live(5), trimmed(4), live(5), NONE],
  ['trimmed up to what is wanted', live(5), trimmed(5), live(5), NONE],
  ['trimmed beyond', live(5), trimmed(6), gone(6), NONE],
  ['trimmed beyond while replaying', replaying(5), trimmed(9), gone(9), NONE],
  ['trimmed beyond a cursor, nothing delivered', openSession(4), trimmed(6), gone(6), NONE],
  ['trimmed before it knows where it starts', replaying(undefined, true), trimmed(9), replaying(undefined, true), NONE],
  ['trimmed beyond, no cursor, nothing delivered', live(5, true), trimmed(9), replaying(9, true), repair(9)],
  ['trimmed again', replaying(9, true), trimmed(12), replaying(12, true), repair(12)],
  ['trimmed beyond, no cursor, something delivered', live(5), trimmed(9), gone(9), NONE],

  ['closed while live', live(5), close, ended(5, 'draining'), NONE],
  ['closed while replaying', replaying(5), close, ended(5, 'draining'), NONE],
  ['closed before it started', replaying(undefined, true), close, ended(0, 'draining'), NONE],
];

describe('sessionStep', () => {
  it.each(STEPS)('%s', (_name, state, input, after, action) => {
    expect(sessionStep(state, input)).toEqual({ state: after, action });
  });

  it('an ended or gone session stays as it is, whatever comes', () => {
    const inputs = [pack(5, 1), pack(0, 9), caughtUp(9), terminal(9), trimmed(9), close];
    for (const state of [ended(5), gone(5), ended(0, 'draining')]) {
      expect(isOver(state)).toBe(true);
      for (const input of inputs) expect(sessionStep(state, input)).toEqual({ state, action: NONE });
    }
    for (const state of [live(5), replaying(5), replaying(undefined, true)]) expect(isOver(state)).toBe(false);
  });

  it('a close ends with its own reason', () => {
    for (const reason of STREAM_END_REASONS) {
      expect(sessionStep(live(3), { type: 'close', reason }).state).toEqual({ phase: 'ended', reason, next: 3 });
    }
  });

  it('from any state and any input: next never falls, and what is delivered is exactly from next on', () => {
    const seq = fc.nat({ max: 20 });
    const state = fc.oneof(
      fc.record({
        phase: fc.constant('replaying' as const),
        next: fc.option(seq, { nil: undefined }),
        fresh: fc.boolean(),
      }),
      fc.record({ phase: fc.constant('live' as const), next: seq, fresh: fc.boolean() }),
    );
    const input: fc.Arbitrary<SessionInput> = fc.oneof(
      fc.record({ type: fc.constant('pack' as const), firstSeq: seq, count: fc.integer({ min: 1, max: 8 }) }),
      fc.record({ type: fc.constantFrom('caught_up' as const, 'terminal' as const), nextSeq: seq }),
      fc.record({ type: fc.constant('trimmed' as const), earliestSeq: seq }),
    );
    fc.assert(
      fc.property(state, input, (before, given) => {
        const { state: after, action } = sessionStep(before, given);
        if (action.type === 'deliver') {
          expect(given.type).toBe('pack');
          if (before.next !== undefined) expect(action.fromSeq).toBe(before.next);
        }
        if (action.type === 'repair') expect(after).toMatchObject({ phase: 'replaying', next: action.fromSeq });
        if (before.next === undefined) return;
        if (after.phase === 'gone') expect(after.earliestSeq).toBeGreaterThan(before.next);
        else expect(after.next).toBeGreaterThanOrEqual(before.next);
        if (after.phase === 'ended' && given.type === 'terminal')
          expect(before.next).toBeGreaterThanOrEqual(given.nextSeq);
      }),
      { numRuns: 2_000 },
    );
  });
});

/** Share of turns, in steps of 1/20. */
const share = (max: number): fc.Arbitrary<number> => fc.integer({ min: 0, max }).map((n) => n / 20);
const scenario: fc.Arbitrary<Scenario> = fc
  .record({
    seed: fc.integer(),
    events: fc.integer({ min: 0, max: 120 }),
    packCountMax: fc.integer({ min: 1, max: 12 }),
    before: fc.nat({ max: 120 }),
    cursor: fc.option(fc.nat({ max: 120 }), { nil: undefined }),
    dropShare: share(19),
    doubleShare: share(19),
    lateShare: share(10),
    trimShare: fc.oneof(fc.constant(0), share(2)),
    endsTerminal: fc.boolean(),
  })
  .map(({ cursor, ...s }) => {
    // A cursor comes from this stream: it lies below what the log held when the session opened.
    const held = Math.min(s.before, s.events);
    return { ...s, after: cursor === undefined || held === 0 ? undefined : cursor % held };
  });

function expectContiguous(s: Scenario, o: Outcome): void {
  const first = o.delivered[0];
  expect(o.delivered).toEqual(o.delivered.map((_seq, i) => (first ?? 0) + i));
  if (first === undefined) return;
  if (s.after !== undefined) {
    expect(first).toBe(s.after + 1);
    return;
  }
  expect(first).toBeGreaterThanOrEqual(o.earliestAtOpen);
  expect(first).toBeLessThanOrEqual(o.earliestAtFirst ?? Number.NaN);
}

describe('a whole stream', () => {
  it('delivers exactly the events after the cursor, each once, in order, or says what is gone', () => {
    const seen = { ended: 0, live: 0, gone: 0, trimmedUnderReader: 0, withoutCursor: 0 };
    fc.assert(
      fc.property(scenario, (s) => {
        const o = new World(s).run();
        expectContiguous(s, o);
        const end = s.after === undefined ? (o.delivered.at(-1) ?? o.nextSeq - 1) : (o.delivered.at(-1) ?? s.after);
        switch (o.state.phase) {
          case 'gone':
            // Only when a trim took events that this session had not delivered; and it names what is left.
            expect(end + 1).toBeLessThan(o.state.earliestSeq);
            expect(o.state.earliestSeq).toBeLessThanOrEqual(o.earliestSeq);
            if (s.after === undefined) expect(o.delivered.length).toBeGreaterThan(0);
            else expect(o.lost || o.earliestAtOpen > s.after + 1).toBe(true);
            seen.gone++;
            break;
          case 'ended':
            expect(s.endsTerminal).toBe(true);
            expect(end).toBe(o.nextSeq - 1);
            expect(o.state.next).toBe(o.nextSeq);
            seen.ended++;
            break;
          default:
            expect(s.endsTerminal).toBe(false);
            expect(end).toBe(o.nextSeq - 1);
            seen.live++;
        }
        if (s.trimShare === 0) expect(o.state.phase).not.toBe('gone');
        if (s.after === undefined) seen.withoutCursor++;
        if (o.lost) seen.trimmedUnderReader++;
      }),
      { numRuns: 2_000 },
    );
    // A model that never met the hard cases proves nothing.
    for (const [what, times] of Object.entries(seen))
      expect({ what, often: times >= 20 }).toEqual({ what, often: true });
  });

  it('without losses and trims needs no repair from a live log', () => {
    const s: Scenario = {
      seed: 7,
      events: 100,
      packCountMax: 5,
      before: 0,
      after: undefined,
      dropShare: 0,
      doubleShare: 0,
      lateShare: 0,
      trimShare: 0,
      endsTerminal: true,
    };
    const o = new World(s).run();
    expect(o.delivered).toEqual(Array.from({ length: 100 }, (_x, i) => i));
    expect(o.state).toEqual(ended(100));
  });

  it('a hop that loses everything costs only time: all events come from the log', () => {
    const s: Scenario = {
      seed: 11,
      events: 200,
      packCountMax: 3,
      before: 10,
      after: 4,
      dropShare: 1,
      doubleShare: 0,
      lateShare: 0,
      trimShare: 0,
      endsTerminal: true,
    };
    const o = new World(s).run();
    expect(o.delivered).toEqual(Array.from({ length: 195 }, (_x, i) => i + 5));
    expect(o.trace.some((entry) => entry.includes('"repair"'))).toBe(true);
  });

  it('gives the same trace for the same seed, and another for another', () => {
    fc.assert(
      fc.property(scenario, (s) => {
        expect(new World(s).run()).toEqual(new World(s).run());
      }),
    );
    const s: Scenario = {
      seed: 1,
      events: 100,
      packCountMax: 4,
      before: 20,
      after: 3,
      dropShare: 0.3,
      doubleShare: 0.3,
      lateShare: 0.3,
      trimShare: 0,
      endsTerminal: true,
    };
    const traces = [1, 2, 3, 4, 5].map((seed) => JSON.stringify(new World({ ...s, seed }).run().trace));
    expect(new Set(traces).size).toBe(5);
  });
});
