/**
 * The summary as a Markdown document.
 *
 * Invariants: what stems from the audited files stands in code spans, so that it is shown and never interpreted; the
 * document is at most `bytesMax` long and is cut between lines.
 */
import type { Summary } from './result.js';
import { oneLine } from './text.js';

const CUT_NOTICE = '\n_The report was cut here: it is longer than its bound._\n';

export function renderReport(summary: Summary, bytesMax: number): string {
  return cut(sections(summary).join('\n'), bytesMax);
}

function sections(s: Summary): string[] {
  return [
    `# Audit of ${code(s.path)}\n`,
    overview(s),
    table(
      'Languages',
      ['Language', 'Files', 'Lines', 'Bytes'],
      s.languages.map((l) => [l.language, l.files, l.lines, l.bytes]),
    ),
    counts(
      'Suspicious secrets',
      s.secrets.count,
      s.secrets.byKind,
      'Secrets are masked. Check each, and revoke what is real.',
    ),
    table(
      '',
      ['Place', 'Kind', 'Found'],
      s.secrets.first.map((f) => [place(f), f.kind, code(f.excerpt)]),
    ),
    shown(s.secrets.first.length, s.secrets.count),
    counts('Notes for later', s.todos.count, s.todos.byTag),
    table(
      '',
      ['Place', 'Note'],
      s.todos.first.map((t) => [place(t), code(t.text)]),
    ),
    shown(s.todos.first.length, s.todos.count),
    table(
      'Licences',
      ['Licence', 'Files'],
      [
        ...s.licences.byId.map((l) => [code(l.id), l.files]),
        ...(s.licences.sourceFilesWithout > 0
          ? [['source files without a notice', s.licences.sourceFilesWithout]]
          : []),
      ],
    ),
    table(
      'Largest files',
      ['File', 'Bytes'],
      s.largestFiles.map((f) => [code(f.path), f.bytes]),
    ),
    table(
      'Longest lines',
      ['Place', 'Characters'],
      s.longestLines.map((l) => [place(l), l.length]),
    ),
    counts('Not scanned', s.files.skipped, s.skipped.byReason),
    table(
      '',
      ['File', 'Why'],
      s.skipped.first.map((f) => [code(f.path), f.detail === undefined ? f.reason : `${f.reason} (${code(f.detail)})`]),
    ),
    shown(s.skipped.first.length, s.files.skipped),
  ].filter((section) => section !== '');
}

function overview(s: Summary): string {
  const how =
    s.listing.method === 'git'
      ? 'Listed by git: tracked files, and untracked ones that are not ignored.'
      : `Listed by an own walk (${s.listing.reason ?? 'without git'}), without \`.git\`, \`node_modules\` and what \`.gitignore\` names.`;
  const cutOff = s.files.truncated ? ' **There are more files than were asked for; the rest was left out.**' : '';
  return `${number(s.files.scanned)} ${s.files.scanned === 1 ? 'file' : 'files'} scanned, ${number(s.files.skipped)} not scanned, ${number(s.lines)} lines, ${number(s.bytes)} bytes. ${how}${cutOff}\n`;
}

function table(
  title: string,
  head: ReadonlyArray<string>,
  rows: ReadonlyArray<ReadonlyArray<string | number>>,
): string {
  if (rows.length === 0) return '';
  const cells = (row: ReadonlyArray<string | number>) =>
    `| ${row.map((c) => (typeof c === 'number' ? number(c) : c)).join(' | ')} |`;
  const align = (rows[0] ?? []).map((c) => (typeof c === 'number' ? '---:' : '---'));
  const heading = title === '' ? '' : `## ${title}\n\n`;
  return `${heading}${cells(head)}\n| ${align.join(' | ')} |\n${rows.map(cells).join('\n')}\n`;
}

function counts(title: string, total: number, by: Readonly<Partial<Record<string, number>>>, note = ''): string {
  const parts = Object.entries(by).filter(([, n]) => n !== undefined && n > 0);
  if (total === 0) return `## ${title}\n\nNone found.\n`;
  const list = parts.map(([name, n]) => `${name} ${number(n ?? 0)}`).join(', ');
  return `## ${title}\n\n${number(total)}: ${list}.${note === '' ? '' : ` ${note}`}\n`;
}

function shown(listed: number, total: number): string {
  return listed < total ? `The first ${number(listed)} of ${number(total)} are listed.\n` : '';
}

function place(at: { readonly path: string; readonly line: number }): string {
  return `${code(at.path)}:${at.line}`;
}

/** Thousands apart, without a locale. */
function number(n: number): string {
  return String(n).replace(/\B(?=(?:\d{3})+$)/g, ',');
}

/** A code span that its content cannot leave; a bar would end the table's cell even there. */
function code(text: string): string {
  const line = oneLine(text).replaceAll('|', '\\|');
  const longest = Math.max(0, ...(line.match(/`+/g) ?? []).map((run) => run.length));
  const fence = '`'.repeat(longest + 1);
  const pad = line.startsWith('`') || line.endsWith('`') || line.trim() === '' ? ' ' : '';
  return `${fence}${pad}${line}${pad}${fence}`;
}

function cut(text: string, bytesMax: number): string {
  if (Buffer.byteLength(text) <= bytesMax) return text;
  const kept: string[] = [];
  let left = bytesMax - Buffer.byteLength(CUT_NOTICE);
  for (const line of text.split('\n')) {
    left -= Buffer.byteLength(line) + 1;
    if (left < 0) break;
    kept.push(line);
  }
  return `${kept.join('\n')}${CUT_NOTICE}`;
}
