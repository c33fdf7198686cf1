/**
 * Which tests show which requirement, from their citations and from the list of proofs. Renders the coverage document.
 *
 * Invariants: a requirement without a test is a problem, unless it is a gap with a reason; a gap with a test is one as
 * well; so is a citation of an id that does not exist, a proof that cannot be found, and a scan that read nothing. The
 * kit's checks count as tests, because a test runs the kit on taskstream and demands that each of them passes.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join, sep } from 'node:path';
import { GAPS, PROVED_BY, type Proof } from './proofs.js';
import { ID_PATTERN, REQUIREMENTS, SEP_URL, type Requirement, type RequirementId } from './requirements.js';

const SELF = 'test/conformance/streams/';
export const DOCUMENT = 'docs/protocol-coverage.md';
/** They are about the kit and about this list, and show nothing of taskstream. */
const NO_PROOF: ReadonlySet<string> = new Set([`${SELF}kit.test.ts`, `${SELF}coverage.test.ts`]);

/** Texts by path from the repository's root, with forward slashes. */
export type Sources = ReadonlyMap<string, string>;

export interface CoverageRow {
  readonly requirement: Requirement;
  /** Files that cite the id. */
  readonly citedIn: readonly string[];
  readonly proofs: readonly Proof[];
  readonly gap: string | undefined;
}

export interface Coverage {
  readonly rows: readonly CoverageRow[];
  readonly problems: readonly string[];
}

/** Every test of the repository, and the kit's checks. */
export function readSources(root: string): Sources {
  const folders = [
    'test',
    ...['libs', 'services'].flatMap((top) => workspacesIn(root, top).map((w) => `${top}/${w}/test`)),
  ];
  const sources = new Map<string, string>();
  for (const folder of folders) {
    for (const entry of filesIn(join(root, folder))) {
      const path = `${folder}/${entry}`;
      if (!path.endsWith('.test.ts') && !path.startsWith(`${SELF}checks/`)) continue;
      sources.set(path, readFileSync(join(root, path), 'utf8'));
    }
  }
  return sources;
}

function workspacesIn(root: string, top: string): string[] {
  return readdirSync(join(root, top), { withFileTypes: true })
    .filter((e) => e.isDirectory())
    .map((e) => e.name);
}

function filesIn(folder: string): string[] {
  try {
    return readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .map((path) => path.split(sep).join('/'))
      .filter((path) => !/(?:^|\/)(?:node_modules|dist)\//.test(path))
      .toSorted();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

export function coverageOf(
  sources: Sources,
  provedBy: Readonly<Partial<Record<RequirementId, readonly Proof[]>>> = PROVED_BY,
  gaps: Readonly<Partial<Record<RequirementId, string>>> = GAPS,
): Coverage {
  const problems: string[] = [];
  if (sources.size === 0) problems.push('no test was read');
  const known = new Set<string>(REQUIREMENTS.map((r) => r.id));
  const citedIn = new Map<string, string[]>();
  for (const [path, text] of sources) {
    for (const id of new Set(text.match(ID_PATTERN))) {
      if (!known.has(id)) problems.push(`${path} cites ${id}, which does not exist`);
      if (!NO_PROOF.has(path)) citedIn.set(id, [...(citedIn.get(id) ?? []), path]);
    }
  }
  const rows = REQUIREMENTS.map((requirement): CoverageRow => {
    const { id } = requirement;
    const proofs = provedBy[id] ?? [];
    for (const { file, title } of proofs) {
      const text = sources.get(file);
      if (text === undefined) problems.push(`${id}: ${file} is no test of this repository`);
      else if (!hasTitle(text, title)) problems.push(`${id}: ${file} has no test "${title}"`);
    }
    const row = { requirement, citedIn: citedIn.get(id) ?? [], proofs, gap: gaps[id] };
    const shown = row.citedIn.length + proofs.length > 0;
    if (!shown && row.gap === undefined) problems.push(`${id} has no test`);
    if (shown && row.gap !== undefined) problems.push(`${id} is listed as a gap and has a test`);
    return row;
  });
  return { rows, problems };
}

/** Whether a string literal of the text holds it. */
export function hasTitle(text: string, title: string): boolean {
  return text.split('\n').some((line) => line.includes(title) && /['"`]/.test(line.slice(0, line.indexOf(title))));
}

export function renderCoverage({ rows }: Coverage): string {
  const shown = rows.filter((r) => r.gap === undefined);
  return [
    '# Coverage of SEP-2694',
    '',
    `Every MUST, SHOULD and MAY of [SEP-2694](${SEP_URL}), the statements that carry no keyword (STATED), and the tests that show them. Written by \`npm run docs:coverage\`; a test fails when it is not up to date, and when a requirement has no test.`,
    '',
    `${shown.length === rows.length ? `All ${rows.length} are shown.` : `${shown.length} of ${rows.length} are shown; the others are named below.`} The summaries are ours.`,
    '',
    'Tests under `test/conformance/streams/checks` are the conformance kit, which runs against any server: `npm run conformance:streams -- --url http://127.0.0.1:3000/mcp`. [Here](../test/conformance/streams/taskstream.test.ts) it is run on taskstream, and each of its checks has to pass. SEP-2669 is served under names of our own (`dev.taskstream/pause`, `/resume`), which the check of SEP2694-PAUSE-EVENTS tries after those of the proposal.',
    '',
    '| Id | Level | Of the | What | Section | Shown by |',
    '|---|---|---|---|---|---|',
    ...rows.map(rowText),
    '',
    ...(shown.length === rows.length ? [] : ['## Not done', '', ...rows.flatMap(gapText), '']),
  ].join('\n');
}

function gapText({ requirement, gap }: CoverageRow): string[] {
  return gap === undefined ? [] : [`- ${requirement.id} (${requirement.level}): ${gap}`];
}

function rowText({ requirement: r, citedIn, proofs, gap }: CoverageRow): string {
  const links = [
    ...citedIn.map((file) => `[${nameOf(file)}](../${file})`),
    ...proofs.map(({ file, title }) => `[${nameOf(file)}](../${file}): ${cell(title)}`),
  ];
  const tests = gap === undefined ? links.join('<br>') : '**not done**';
  return `| ${r.id} | ${r.level} | ${r.who} | ${cell(r.summary)} | [${r.section}](${SEP_URL}) | ${tests} |`;
}

const nameOf = (file: string): string => file.split('/').slice(-2).join('/');
const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('<', '&lt;');
