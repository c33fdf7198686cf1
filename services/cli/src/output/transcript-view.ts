/**
 * A transcript as text: one item a line, indented by its place, its text below.
 *
 * Invariant: text of the task passes `printable`.
 */
import type { Transcript, TranscriptItem } from '@taskstream/client/transcript';
import { printable, printableLine } from './printable.js';

const NAME_CHARS_MAX = 100;
const VALUE_CHARS_MAX = 200;
const ANOMALIES_SHOWN_MAX = 10;

export function transcriptText(transcript: Transcript): string {
  const items = transcript.roots.map((item) => itemText(item, '')).join('');
  const shown = transcript.anomalies.slice(0, ANOMALIES_SHOWN_MAX);
  const anomalies = shown.map(({ anomaly, message }) => `! ${anomaly}: ${printableLine(message, VALUE_CHARS_MAX)}\n`);
  const rest = transcript.anomalyCount - shown.length;
  const more = rest > 0 ? `! and ${rest} more\n` : '';
  return items === '' && anomalies.length === 0
    ? 'No transcript in these events\n'
    : `${items}${anomalies.join('')}${more}`;
}

function itemText(item: TranscriptItem, indent: string): string {
  const inner = `${indent}  `;
  const text = printable(item.text).trimEnd();
  const lines = text === '' ? '' : text.replaceAll(/^/gm, inner);
  const cut = item.textCut === 0 ? '' : `${inner}(${item.textCut} more characters)\n`;
  const children = item.children.map((child) => itemText(child, inner)).join('');
  return `${indent}${headLine(item)}\n${lines === '' ? '' : `${lines}\n`}${cut}${children}`;
}

function headLine(item: TranscriptItem): string {
  const { kind, state, isError } = item;
  const name = item.name ?? item.role ?? item.id;
  const values = [
    valueText('', item.begun?.['input']),
    valueText('→ ', item.ended?.['output']),
    state === 'finished' ? (isError ? '(error)' : '') : `(${state})`,
  ];
  const head = `${kind} ${printableLine(name, NAME_CHARS_MAX)}`;
  return [head, ...values.filter((value) => value !== '')].join(' ');
}

function valueText(sign: string, value: unknown): string {
  return value === undefined ? '' : sign + printableLine(JSON.stringify(value), VALUE_CHARS_MAX);
}
