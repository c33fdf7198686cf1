/** What makes a soak pass: nothing lost, everybody ended, every figure there, and flat. */
import { describe, expect, it } from 'vitest';
import { judge } from './report.js';
import type { SoakResult } from './run.js';
import type { Series } from './series.js';

const TOLD = {
  tasks: 10,
  streams: 100,
  everyMs: 4_000,
  taskMsMin: 60_000,
  taskMsMax: 120_000,
  ttlMs: 300_000,
  faultEveryMs: 20_000,
  seed: 1,
};

function series(of: string, measure: Series['measure'], ...quarters: readonly number[]): Series {
  const samples = quarters.flatMap((value, quarter) => [10, 20, 30].map((at) => ({ atMs: quarter * 100 + at, value })));
  return { of, measure, samples };
}

const GOOD: SoakResult = {
  ranMs: 400,
  fromMs: 0,
  untilMs: 400,
  series: [series('fe-1', 'rss', 100, 100, 100, 100)],
  faults: new Map([
    ['worker: SIGKILL', 2],
    ['NATS: restart', 1],
  ]),
  lost: 0,
  duplicates: 0,
  events: 5_000,
  reconnects: 12,
  silenceMsMax: 9_000,
  streams: { least: 90, most: 100 },
  tasksEnded: 30,
  endings: { completed: 300 },
  wrongResults: 0,
  acknowledgedLost: 0,
  failures: 0,
  unended: 0,
  died: [],
  expected: [['fe-1', 'rss']],
  notes: [],
};

function passed(change: Partial<SoakResult>): boolean {
  return judge({ ...GOOD, ...change }, TOLD).passed;
}

describe('a soak', () => {
  it('passes when nothing is wrong', () => {
    const { text, passed: ok } = judge(GOOD, TOLD);
    expect(ok).toBe(true);
    expect(text).toContain(
      '| fe-1 | memory, resident, MiB | 100 | 100 | 100 | 100 | 100 | 100 | 0 | flat (slack 16) |',
    );
    expect(text).toContain('| NATS: restart | 1 |\n| worker: SIGKILL | 2 |');
    expect(text).toMatch(/Passed\.\n$/);
  });

  it.each([
    { lost: 1 },
    { duplicates: 1 },
    { acknowledgedLost: 1 },
    { wrongResults: 1 },
    { failures: 1 },
    { unended: 1 },
    { died: ['fe-1'] },
    { endings: { completed: 299, failed: 1 } },
    { endings: {} },
  ])('fails on %o', (change) => {
    expect(passed(change)).toBe(false);
    expect(judge({ ...GOOD, ...change }, TOLD).text).toMatch(/\*\*Failed\.\*\*\n$/);
  });

  it('fails on a figure that grows', () => {
    const change = { series: [series('fe-1', 'rss', 100, 100, 120, 140)] };
    expect(passed(change)).toBe(false);
    expect(judge({ ...GOOD, ...change }, TOLD).text).toContain('**grows**');
  });

  it('does not judge what only explains the rest', () => {
    const open = series('fe-1', 'openStreams', 10, 20, 30, 90);
    expect(passed({ series: [...GOOD.series, open] })).toBe(true);
  });

  it('leaves out a process that a fault has replaced, and fails when it had to be there', () => {
    const replaced = series('fe-2', 'rss', 100, 100);
    const { text, passed: ok } = judge({ ...GOOD, series: [...GOOD.series, replaced] }, TOLD);
    expect(ok).toBe(true);
    expect(text).not.toContain('fe-2');
    expect(passed({ expected: [['fe-2', 'rss']], series: [replaced] })).toBe(false);
    expect(judge({ ...GOOD, series: [] }, TOLD).text).toContain('Missing: fe-1 rss.');
  });
});
