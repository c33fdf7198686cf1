/** What the readers' watch counts: it has to see what it is there to see. */
import { describe, expect, it } from 'vitest';
import { quantile, ReaderWatch, reportOf } from './watch.js';

function watched(seqs: ReadonlyArray<readonly [seq: number, attempt?: number, i?: number]>): ReaderWatch {
  const watch = new ReaderWatch(0, 0);
  seqs.forEach(([seq, attempt, i], at) => {
    const tick = attempt === undefined || i === undefined ? undefined : { attempt, i };
    watch.saw({ seq, tick }, (at + 1) * 10);
  });
  return watch;
}

describe('a reader', () => {
  it('that gets everything once loses nothing, over attempts too', () => {
    const report = reportOf([watched([[0], [1], [2, 1, 0], [3, 1, 1], [4], [5, 2, 0]])], 60);
    expect(report).toMatchObject({ streams: 1, events: 6, lost: 0, duplicates: 0, reconnected: 0, silenceMs: [10] });
  });

  it('that is passed over by an event has lost it', () => {
    expect(reportOf([watched([[0], [2]])], 0).lost).toBe(1);
    expect(reportOf([watched([[4]])], 0).lost).toBe(4);
  });

  it('that gets an event twice has a duplicate', () => {
    expect(reportOf([watched([[0], [1], [1]])], 0).duplicates).toBe(1);
    expect(reportOf([watched([[0], [1], [0]])], 0).duplicates).toBe(1);
  });

  it('sees that the tool counted on while the log did not', () => {
    expect(
      reportOf(
        [
          watched([
            [0, 1, 0],
            [1, 1, 2],
          ]),
        ],
        0,
      ).lost,
    ).toBe(1);
    // A new attempt that does not begin at 0 has lost what it was told is durable.
    expect(
      reportOf(
        [
          watched([
            [0, 1, 0],
            [1, 2, 1],
          ]),
        ],
        0,
      ).lost,
    ).toBe(1);
  });

  it('that still waits shows its silence, in each window anew', () => {
    const watch = watched([[0]]);
    expect(reportOf([watch], 5_010).silenceMs).toEqual([5_000]);
    watch.saw({ seq: 1, tick: undefined }, 5_020);
    expect(reportOf([watch], 5_030).silenceMs).toEqual([5_010]);
    watch.saw({ seq: 2, tick: undefined }, 5_040);
    expect(reportOf([watch], 5_040).silenceMs).toEqual([20]);
  });

  it('counts its reconnects by window', () => {
    const [one, other] = [watched([[0]]), watched([[0]])];
    one.reconnected();
    one.reconnected();
    expect(reportOf([one, other], 10)).toMatchObject({ streams: 2, reconnected: 1, reconnectsMax: 2 });
    expect(reportOf([one, other], 10)).toMatchObject({ reconnected: 0, reconnectsMax: 0 });
  });
});

it('a quantile is a value that was seen', () => {
  const values = Array.from({ length: 200 }, (_, i) => 200 - i);
  expect([0, 0.5, 0.99, 1].map((share) => quantile(values, share))).toEqual([1, 100, 198, 200]);
  expect(quantile([], 0.5)).toBe(0);
});
