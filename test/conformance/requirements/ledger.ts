/**
 * Requirements as data, beside those of SEP-2694: the Tasks extension, the tasks of 2025-11-25, what of the transports
 * touches them, and our own decisions where the texts leave room. Finds what is wrong with their proofs; renders the
 * document.
 *
 * Invariants: an id is unique and never changes its meaning; a row without a test is a problem, and so is a proof that
 * cannot be found and a citation of an id that does not exist. Summaries are ours; the linked text decides.
 */
import { hasTitle, type Sources } from '../streams/coverage.js';

export type Level = 'MUST' | 'SHOULD' | 'MAY' | 'DECIDED';
/** File and part of a test's title in it. A row that its tests cite by id needs none. */
export type Proof = readonly [file: string, title: string];
export type Row = readonly [level: Level, who: 'server' | 'client', summary: string, ...proofs: Proof[]];

export interface Ledger {
  readonly title: string;
  readonly url: string;
  /** What is left out, and why. */
  readonly leftOut: string;
  readonly rows: Readonly<Record<string, Row>>;
}

export const DOCUMENT = 'docs/protocol-coverage-tasks.md';
export const ID_PATTERN = /\b(?:T26|T25|HTTP26|DECISION)-[A-Z0-9]+(?:-[A-Z0-9]+)*\b/g;
const SELF = 'test/conformance/requirements/';

export function problemsOf(ledgers: readonly Ledger[], sources: Sources): string[] {
  const problems: string[] = [];
  if (sources.size === 0) problems.push('no test was read');
  const cited = citationsIn(sources);
  const known = new Set<string>();
  for (const { title, rows } of ledgers) {
    if (Object.keys(rows).length === 0) problems.push(`${title} has no rows`);
    for (const [id, [, , , ...proofs]] of Object.entries(rows)) {
      if (id.match(ID_PATTERN)?.[0] !== id) problems.push(`${id} is not of the form of an id`);
      if (known.has(id)) problems.push(`${id} is there twice`);
      known.add(id);
      for (const [file, text] of proofs) {
        const source = sources.get(file);
        if (source === undefined) problems.push(`${id}: ${file} is no test of this repository`);
        else if (!hasTitle(source, text)) problems.push(`${id}: ${file} has no test "${text}"`);
      }
      if (proofs.length === 0 && (cited.get(id) ?? []).length === 0) problems.push(`${id} has no test`);
    }
  }
  for (const [id, files] of cited) {
    if (!known.has(id)) problems.push(`${files.join(', ')} cites ${id}, which does not exist`);
  }
  return problems;
}

function citationsIn(sources: Sources): Map<string, string[]> {
  const cited = new Map<string, string[]>();
  for (const [path, text] of sources) {
    if (path.startsWith(SELF)) continue;
    for (const id of new Set(text.match(ID_PATTERN))) cited.set(id, [...(cited.get(id) ?? []), path]);
  }
  return cited;
}

export function renderLedgers(ledgers: readonly Ledger[], sources: Sources): string {
  const cited = citationsIn(sources);
  const total = ledgers.reduce((sum, { rows }) => sum + Object.keys(rows).length, 0);
  return [
    '# Coverage of tasks in both revisions',
    '',
    `${total} requirements and decisions, and the tests that show them, beside [those of SEP-2694](protocol-coverage.md). Written by \`npm run docs:coverage\`; a test fails when it is not up to date, and when a row has no test. The summaries are ours. The [public conformance suite](../test/conformance/mcp/suite.test.ts) tries most of them once more.`,
    '',
    ...ledgers.flatMap(({ title, url, leftOut, rows }) => [
      `## ${title}`,
      '',
      `${url.startsWith('http') ? `[The text](${url}).` : `The decisions are described in [protocol.md](${url}).`} ${leftOut}`,
      '',
      '| Id | Level | Of the | What | Shown by |',
      '|---|---|---|---|---|',
      ...Object.entries(rows).map(([id, row]) => rowText(id, row, cited.get(id) ?? [])),
      '',
    ]),
  ].join('\n');
}

function rowText(id: string, [level, who, summary, ...proofs]: Row, citedIn: readonly string[]): string {
  const links = [
    ...citedIn.map((file) => `[${nameOf(file)}](../${file})`),
    ...proofs.map(([file, title]) => `[${nameOf(file)}](../${file}): ${cell(title)}`),
  ];
  return `| ${id} | ${level} | ${who} | ${cell(summary)} | ${links.join('<br>')} |`;
}

const nameOf = (file: string): string => file.split('/').slice(-2).join('/');
const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('<', '&lt;');
