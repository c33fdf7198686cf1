/** What a soak found, as Markdown, and whether it passed. Pure. */
import { GROWTH_SHARE_MAX, verdictOf } from './flat.js';
import type { SoakOptions, SoakResult } from './run.js';
import { MEASURES, type Measure, type Series } from './series.js';

export interface Judged {
  readonly text: string;
  readonly passed: boolean;
}

type Told = Pick<
  SoakOptions,
  'tasks' | 'streams' | 'everyMs' | 'taskMsMin' | 'taskMsMax' | 'ttlMs' | 'faultEveryMs' | 'seed'
>;

function figure(value: number): string {
  const rounded = Math.abs(value) < 10 ? Math.round(value * 10) / 10 : Math.round(value);
  return (Object.is(rounded, -0) ? 0 : rounded).toLocaleString('en');
}

interface Row {
  readonly series: Series;
  readonly text: string;
  readonly flat: boolean;
}

function rowOf(series: Series, fromMs: number, untilMs: number): Row | undefined {
  const { of, measure, samples } = series;
  const { name, unit, slack }: Measure = MEASURES[measure];
  const verdict = verdictOf(samples, fromMs, untilMs, slack ?? 0);
  // A process that was replaced by a fault: its figures say nothing about the run.
  if (verdict === undefined) return undefined;
  const flat = slack === null || verdict.flat;
  const cells = [verdict.start, ...verdict.quarters, verdict.max, verdict.slopePerHour].map(figure);
  const word = slack === null ? 'not judged' : verdict.flat ? `flat (slack ${slack})` : '**grows**';
  const what = unit === '' ? name : `${name}, ${unit}`;
  return { series, text: `| ${of} | ${what} | ${cells.join(' | ')} | ${word} |`, flat };
}

export function judge(result: SoakResult, told: Told): Judged {
  const { fromMs, untilMs, series } = result;
  const rows = series.flatMap((one) => rowOf(one, fromMs, untilMs) ?? []);
  const missing = result.expected.filter(
    ([of, measure]) => !rows.some(({ series: one }) => one.of === of && one.measure === measure),
  );
  const readersEnded = Object.values(result.endings).reduce((sum, count) => sum + count, 0);
  const otherwise = readersEnded - (result.endings['completed'] ?? 0);
  const counts: ReadonlyArray<readonly [string, number]> = [
    ['events lost', result.lost],
    ['duplicates', result.duplicates],
    ['acknowledged events that a reader did not get', result.acknowledgedLost],
    ['wrong results', result.wrongResults],
    ['readers that ended otherwise than with a completed task', otherwise],
    ['tasks that could not be started or checked', result.failures],
    ['readers that had not ended long after their task', result.unended],
    ['nodes that died though they were not ended', result.died.length],
    ['figures that are missing', missing.length],
    ['figures that grow', rows.filter(({ flat }) => !flat).length],
  ];
  const passed = counts.every(([, count]) => count === 0) && readersEnded > 0;
  const minutes = (result.ranMs / 60_000).toFixed(1);
  const text = [
    `${minutes} minutes, ${told.tasks} tasks at a time of ${told.taskMsMin / 1000} to ${told.taskMsMax / 1000} s with an ` +
      `event each ${told.everyMs / 1000} s, ${told.streams} streams, a fault every ${told.faultEveryMs / 1000} s, ` +
      `ttl ${told.ttlMs / 1000} s, seed ${told.seed}.`,
    '',
    `${result.tasksEnded.toLocaleString('en')} tasks and ${readersEnded.toLocaleString('en')} readers ended, ` +
      `${result.events.toLocaleString('en')} events were read; ${result.reconnects.toLocaleString('en')} reconnects; ` +
      `${result.streams.least} to ${result.streams.most} streams open; longest silence ${figure(result.silenceMsMax)} ms.`,
    '',
    '| counted | |',
    '|---|---|',
    ...counts.map(([what, count]) => `| ${what} | ${count} |`),
    '',
    '| fault | times |',
    '|---|---|',
    ...[...result.faults].toSorted(([a], [b]) => a.localeCompare(b)).map(([name, times]) => `| ${name} | ${times} |`),
    '',
    `Medians of the quarters of the run. Flat: the last quarter is above the second by no more than ` +
      `${GROWTH_SHARE_MAX * 100} % and the slack. The slope is of the second half, by least squares.`,
    '',
    '| process | figure | start | 1st quarter | 2nd | 3rd | 4th | most | slope per hour | verdict |',
    '|---|---|---|---|---|---|---|---|---|---|',
    ...rows.map((row) => row.text),
    ...(missing.length === 0 ? [] : ['', `Missing: ${missing.map((one) => one.join(' ')).join(', ')}.`]),
    ...(result.notes.length === 0 ? [] : ['', ...result.notes.map((note) => `- ${note}`)]),
    '',
    passed ? 'Passed.' : '**Failed.**',
    '',
  ].join('\n');
  return { text, passed };
}
