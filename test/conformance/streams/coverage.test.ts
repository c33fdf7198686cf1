/**
 * Every requirement of SEP-2694 has a test, and the document says which.
 */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { coverageOf, DOCUMENT, readSources, renderCoverage, type Sources } from './coverage.js';
import { ID_PATTERN, REQUIREMENTS } from './requirements.js';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const sources = readSources(root);
const FIRST = REQUIREMENTS[0]!.id;
const ALL = REQUIREMENTS.map((r) => r.id);
const PATH = 'libs/x/test/some.test.ts';

/** A repository whose only test cites everything. */
const citing = (text = ALL.join('\n')): Sources => new Map([[PATH, text]]);
const problemsOf = (...args: Parameters<typeof coverageOf>) => coverageOf(...args).problems;

describe('this repository', () => {
  it('has a test for each requirement, and none cites one that does not exist', () => {
    expect(problemsOf(sources)).toEqual([]);
  });

  it('has an up-to-date document: npm run docs:coverage writes it', () => {
    expect(readFileSync(`${root}${DOCUMENT}`, 'utf8')).toBe(renderCoverage(coverageOf(sources)));
  });

  it('names each requirement once, by an id of one form', () => {
    expect(new Set(ALL).size).toBe(ALL.length);
    for (const id of ALL) expect(id.match(ID_PATTERN)).toEqual([id]);
    expect(ALL.length).toBeGreaterThan(60);
  });
});

describe('the coverage', () => {
  it('is complete when everything is cited', () => {
    expect(problemsOf(citing(), {}, {})).toEqual([]);
  });

  it('misses an id that nobody cites', () => {
    const most = ALL.filter((id) => id !== FIRST).join('\n');
    expect(problemsOf(citing(most), {}, {})).toEqual([`${FIRST} has no test`]);
  });

  it('takes no id for another that begins alike', () => {
    const text = ALL.map((id) => (id === FIRST ? `${id}-NOT` : id)).join('\n');
    expect(problemsOf(citing(text), {}, {})).toEqual([
      `${PATH} cites ${FIRST}-NOT, which does not exist`,
      `${FIRST} has no test`,
    ]);
  });

  it('does not count tests of the kit itself', () => {
    expect(problemsOf(new Map([['test/conformance/streams/kit.test.ts', ALL.join('\n')]]), {}, {})).toHaveLength(
      ALL.length,
    );
  });

  it('fails when nothing was read', () => {
    expect(problemsOf(new Map(), {}, {})[0]).toBe('no test was read');
  });

  it('wants a proof to be a test of that title', () => {
    const most = ALL.filter((id) => id !== FIRST).join('\n');
    const text = `${most}\nit('keeps its word', () => {});\n// and its silence`;
    const proved = (file: string, title: string) => problemsOf(citing(text), { [FIRST]: [{ file, title }] }, {});
    expect(proved(PATH, 'keeps its')).toEqual([]);
    expect(proved(PATH, 'and its silence')).toEqual([`${FIRST}: ${PATH} has no test "and its silence"`]);
    expect(proved('libs/y.test.ts', 'keeps its')).toEqual([`${FIRST}: libs/y.test.ts is no test of this repository`]);
  });

  it('takes a gap instead of a test, and refuses one that has a test', () => {
    const most = ALL.filter((id) => id !== FIRST).join('\n');
    expect(problemsOf(citing(most), {}, { [FIRST]: 'not yet' })).toEqual([]);
    expect(problemsOf(citing(), {}, { [FIRST]: 'not yet' })).toEqual([`${FIRST} is listed as a gap and has a test`]);
  });
});

describe('the document', () => {
  it('has a row for each requirement, with links, and says what is not done', () => {
    const text = renderCoverage(coverageOf(citing(), {}, { [FIRST]: 'not yet' }));
    const rows = text.split('\n').filter((line) => line.startsWith('| SEP2694-'));
    expect(rows).toHaveLength(ALL.length);
    expect(rows.filter((row) => row.includes(`[test/some.test.ts](../${PATH})`))).toHaveLength(ALL.length - 1);
    expect(text).toContain(`- ${FIRST} (${REQUIREMENTS[0]!.level}): not yet`);
  });
});
