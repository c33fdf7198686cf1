import { describe, expect, it } from 'vitest';
import { analyseText } from '../../src/tools/audit/analyse.js';
import type { FileOutcome } from '../../src/tools/audit/read-file.js';
import { renderReport } from '../../src/tools/audit/report.js';
import { fileEvent, PATH_CHARS_MAX, Summary } from '../../src/tools/audit/result.js';
import {
  createTotals,
  LICENCES_LISTED_MAX,
  SECRETS_LISTED_MAX,
  SKIPPED_LISTED_MAX,
  TODOS_LISTED_MAX,
  TOP_MAX,
} from '../../src/tools/audit/summary.js';
import { awsKeyId, githubToken } from './support/tokens.js';

const GIT = { method: 'git', truncated: false } as const;

function scanned(path: string, text: string): FileOutcome {
  return { status: 'scanned', path, bytes: Buffer.byteLength(text), analysis: analyseText(path, text) };
}

function summarise(
  outcomes: ReadonlyArray<FileOutcome>,
  listing: Parameters<ReturnType<typeof createTotals>['finish']>[1] = GIT,
): Summary {
  const totals = createTotals();
  for (const outcome of outcomes) totals.add(outcome);
  // The schema is strict: whatever the totals make must pass it.
  return Summary.parse(totals.finish('r', listing));
}

describe('the summary', () => {
  it('adds up', () => {
    const summary = summarise([
      scanned('a.ts', `// SPDX-License-Identifier: MIT\n// TODO one\nconst k = '${githubToken()}';\n`),
      scanned('b.ts', '// FIXME two\n'),
      scanned('c.md', '# c\n\nlonger than the others, by far, so that it is the longest line of all of them\n'),
      { status: 'skipped', path: 'd.png', reason: 'binary', bytes: 5_000, language: 'Other' },
      { status: 'skipped', path: 'e', reason: 'unreadable', detail: 'EACCES', language: 'Other' },
    ]);
    expect(summary).toEqual({
      path: 'r',
      listing: { method: 'git' },
      files: { scanned: 3, skipped: 2, truncated: false },
      bytes: 194,
      lines: 7,
      languages: [
        { language: 'TypeScript', files: 2, bytes: 111, lines: 4 },
        { language: 'Markdown', files: 1, bytes: 83, lines: 3 },
      ],
      todos: {
        count: 2,
        byTag: { TODO: 1, FIXME: 1, HACK: 0, XXX: 0 },
        first: [
          { path: 'a.ts', line: 2, tag: 'TODO', text: 'TODO one' },
          { path: 'b.ts', line: 1, tag: 'FIXME', text: 'FIXME two' },
        ],
      },
      secrets: {
        count: 1,
        byKind: { 'github-token': 1 },
        first: [{ path: 'a.ts', line: 3, kind: 'github-token', excerpt: 'ghp_…(40 characters)' }],
      },
      licences: { byId: [{ id: 'MIT', files: 1 }], sourceFilesWithout: 1 },
      largestFiles: [
        { path: 'd.png', bytes: 5_000 },
        { path: 'a.ts', bytes: 98 },
        { path: 'c.md', bytes: 83 },
        { path: 'b.ts', bytes: 13 },
      ],
      longestLines: [
        { path: 'c.md', line: 3, length: 77 },
        { path: 'a.ts', line: 3, length: 53 },
        { path: 'b.ts', line: 1, length: 12 },
      ],
      skipped: {
        byReason: { binary: 1, unreadable: 1 },
        first: [
          { path: 'd.png', reason: 'binary' },
          { path: 'e', reason: 'unreadable', detail: 'EACCES' },
        ],
      },
    });
  });

  it('of nothing', () => {
    const summary = summarise([], { method: 'walk', reason: 'not a work tree', truncated: true });
    expect(summary).toMatchObject({
      listing: { method: 'walk', reason: 'not a work tree' },
      files: { scanned: 0, skipped: 0, truncated: true },
      languages: [],
      largestFiles: [],
    });
  });

  it('has a bound on every list, and counts beyond it', () => {
    const outcomes = Array.from({ length: 300 }, (_, i) => [
      scanned(`${i}.c`, `// SPDX-License-Identifier: L-${i}\n// TODO ${i}\nx = ${awsKeyId(i + 1)};\n${'x'.repeat(i)}`),
      { status: 'skipped', path: `${i}.bin`, reason: 'binary', language: 'Other' } as const,
    ]).flat();
    const summary = summarise(outcomes);
    expect(summary.todos.count).toBe(300);
    expect(summary.todos.first).toHaveLength(TODOS_LISTED_MAX);
    expect(summary.secrets.count).toBe(300);
    expect(summary.secrets.first).toHaveLength(SECRETS_LISTED_MAX);
    expect(summary.skipped.byReason).toEqual({ binary: 300 });
    expect(summary.skipped.first).toHaveLength(SKIPPED_LISTED_MAX);
    expect(summary.longestLines).toHaveLength(TOP_MAX);
    expect(summary.longestLines.map((l) => l.length)).toEqual([299, 298, 297, 296, 295, 294, 293, 292, 291, 290]);
    expect(summary.licences.byId).toHaveLength(LICENCES_LISTED_MAX + 1);
    expect(summary.licences.byId[0]).toEqual({ id: 'other', files: 300 - LICENCES_LISTED_MAX });
  });

  it('keeps the first of equals', () => {
    const summary = summarise(Array.from({ length: 30 }, (_, i) => scanned(`${String(i).padStart(2, '0')}.c`, 'ab')));
    expect(summary.largestFiles.map((f) => f.path).join(' ')).toBe('00.c 01.c 02.c 03.c 04.c 05.c 06.c 07.c 08.c 09.c');
  });

  it('shortens long paths', () => {
    const path = `${'d/'.repeat(2_000)}end.ts`;
    const shown = summarise([scanned(path, '// TODO x\n')]).todos.first[0]?.path ?? '';
    expect(shown.length).toBe(PATH_CHARS_MAX);
    expect(shown).toMatch(/^d\/d\/.*….*\/end\.ts$/);
  });
});

describe('the event of a file', () => {
  it('says what was found', () => {
    expect(fileEvent(scanned('a.py', '# TODO x\n'))).toEqual({
      status: 'scanned',
      path: 'a.py',
      language: 'Python',
      bytes: 9,
      lines: 1,
      longestLine: { line: 1, length: 8 },
      encoding: 'utf-8',
      todos: { count: 1, first: [{ line: 1, tag: 'TODO', text: 'TODO x' }] },
      secrets: { count: 0, first: [] },
      licence: null,
    });
    expect(fileEvent({ status: 'skipped', path: 'a', reason: 'missing', detail: 'ENOENT', language: 'Other' })).toEqual(
      {
        status: 'skipped',
        path: 'a',
        reason: 'missing',
        detail: 'ENOENT',
        language: 'Other',
      },
    );
  });

  it('is small whatever the file holds', () => {
    const text = Array.from({ length: 500 }, (_, i) => `// TODO ${'\u0001'.repeat(500)} ${awsKeyId(i + 1)}`).join('\n');
    const event = fileEvent(scanned(`${'\u0001'.repeat(4_000)}.ts`, text));
    expect(JSON.stringify(event).length).toBeLessThan(16_384);
  });
});

describe('the report', () => {
  it('has tables', () => {
    const report = renderReport(
      summarise([
        scanned('src/a.ts', `// TODO one\nconst k = '${githubToken()}';\n`),
        { status: 'skipped', path: 'b', reason: 'unreadable', detail: 'EACCES', language: 'Other' },
      ]),
      65_536,
    );
    expect(report).toMatch(/^# Audit of `r`\n\n1 file scanned, 1 not scanned/);
    expect(report).toContain('Listed by git');
    expect(report).toContain(
      '| Language | Files | Lines | Bytes |\n| --- | ---: | ---: | ---: |\n| TypeScript | 1 | 2 |',
    );
    expect(report).toContain('| `src/a.ts`:2 | github-token | `ghp_…(40 characters)` |');
    expect(report).toContain('| `src/a.ts`:1 | `TODO one` |');
    expect(report).toContain('| source files without a notice | 1 |');
    expect(report).toContain('| `b` | unreadable (`EACCES`) |');
    expect(report).not.toContain('cut here');
  });

  it('says how the files were listed, and that there were more', () => {
    const report = renderReport(
      summarise([], { method: 'walk', reason: 'git is not installed', truncated: true }),
      65_536,
    );
    expect(report).toContain('own walk (git is not installed)');
    expect(report).toContain('There are more files than were asked for');
  });

  it('says when not all are listed', () => {
    const report = renderReport(
      summarise(Array.from({ length: 60 }, (_, i) => scanned(`${i}.c`, '// TODO x'))),
      65_536,
    );
    expect(report).toContain('60: TODO 60.');
    expect(report).toContain('The first 50 of 60 are listed.');
  });

  it('shows what stems from files and never interprets it', () => {
    const nasty = ['a|b.ts', 'a`b.ts', '``.ts', 'a\nb.ts', '<img src=x>.ts', '[x](http:y).ts', '\u202Egnp.ts', ' .ts'];
    const report = renderReport(summarise(nasty.map((path) => scanned(path, '// TODO <script>`|` ``x``\n'))), 65_536);
    const rows = report.split('\n').filter((line) => line.includes('TODO <script>'));
    expect(rows).toHaveLength(nasty.length);
    for (const row of rows) {
      // Two cells: bars that are not escaped are the table's own.
      expect(row.replaceAll('\\|', '').match(/\|/g), row).toHaveLength(3);
      const outsideOfCode = row.replace(/(`+)(?!`)(?:.*?[^`])\1(?!`)/g, '');
      expect(outsideOfCode, row).toMatch(/^\| :1 \|  \|$/);
    }
    expect(report).not.toContain('\u202E');
  });

  it('is cut between lines at its bound', () => {
    const summary = summarise(Array.from({ length: 60 }, (_, i) => scanned(`${i}ü.c`, '// TODO ü')));
    const whole = renderReport(summary, 1_000_000);
    for (const bytesMax of [200, 999, 1_000, 1_001, 1_500]) {
      const report = renderReport(summary, bytesMax);
      expect(Buffer.byteLength(report)).toBeLessThanOrEqual(bytesMax);
      expect(report).toMatch(/\n_The report was cut here: it is longer than its bound\._\n$/);
      expect(whole.startsWith(`${report.slice(0, report.lastIndexOf('\n_The'))}\n`)).toBe(true);
    }
    expect(renderReport(summary, Buffer.byteLength(whole))).toBe(whole);
  });
});
