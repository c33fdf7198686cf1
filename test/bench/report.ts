/**
 * From measured values to a table and a JSON document.
 */
import type { Part, Target } from './figure.js';
import { FIGURES } from './figures.js';
import type { Scale } from './scale.js';

export type Values = Readonly<Record<string, number>>;

export interface Row {
  readonly id: string;
  readonly part: Part;
  readonly title: string;
  readonly value: number;
  readonly unit: string;
  /** The value divided by its bare figure. */
  readonly ratio?: number;
  readonly target?: string;
  readonly holds?: boolean;
}

/** One row for each figure of the parts. @throws Error when a figure is missing or not finite */
export function rowsOf(parts: ReadonlyArray<Part>, values: Values, scale: Scale): Row[] {
  const valueOf = (id: string): number => {
    const value = values[id];
    if (value === undefined || !Number.isFinite(value)) throw new Error(`no finite value for the figure ${id}`);
    return value;
  };
  return Object.entries(FIGURES)
    .filter(([, figure]) => parts.includes(figure.part))
    .map(([id, figure]) => {
      const value = valueOf(id);
      const ratio = figure.bare === undefined ? undefined : value / valueOf(figure.bare);
      return {
        id,
        part: figure.part,
        title: figure.title(scale),
        value,
        unit: figure.unit,
        ...(ratio !== undefined && { ratio }),
        ...(figure.target !== undefined && judged(figure.target, value, ratio)),
      };
    });
}

function judged(target: Target, value: number, ratio: number | undefined): { target: string; holds: boolean } {
  const judgedValue = target.of === 'value' ? value : (ratio ?? Number.NaN);
  const { atLeast = Number.NEGATIVE_INFINITY, atMost = Number.POSITIVE_INFINITY } = target;
  const bound = Number.isFinite(atLeast) ? `≥ ${atLeast.toLocaleString('en-US')}` : `≤ ${atMost}`;
  return {
    target: target.of === 'ratio' ? `${bound} × bare` : bound,
    holds: judgedValue >= atLeast && judgedValue <= atMost,
  };
}

/** About three significant digits, whole numbers from 100 on. */
export function formatNumber(value: number): string {
  if (Math.abs(value) >= 100) return Math.round(value).toLocaleString('en-US');
  return value.toPrecision(value !== 0 && Math.abs(value) < 1 ? 2 : 3);
}

export function tableOf(rows: ReadonlyArray<Row>): string {
  const cells = rows.map((row) => [
    row.title,
    `${formatNumber(row.value)} ${row.unit}`,
    row.ratio === undefined ? '' : `${formatNumber(row.ratio)} ×`,
    row.target ?? '',
    row.holds === undefined ? '' : row.holds ? 'holds' : 'MISSED',
  ]);
  const head = ['figure', 'value', 'to bare', 'target', ''];
  const widths = head.map((_, column) => Math.max(...[head, ...cells].map((line) => line[column]?.length ?? 0)));
  const lineOf = (line: ReadonlyArray<string>) =>
    line
      .map((cell, column) =>
        column === 1 || column === 2 ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0),
      )
      .join('  ')
      .trimEnd();
  const lines = [lineOf(head)];
  let part: Part | undefined;
  rows.forEach((row, i) => {
    if (row.part !== part) lines.push('', `— ${row.part}`);
    part = row.part;
    lines.push(lineOf(cells[i] ?? []));
  });
  return lines.join('\n');
}
