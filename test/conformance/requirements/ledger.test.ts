import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { readSources } from '../streams/coverage.js';
import { LEDGERS } from './all.js';
import { DOCUMENT, problemsOf, renderLedgers, type Ledger } from './ledger.js';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const sources = readSources(root);

describe('this repository', () => {
  it('has a test for each row, and cites none that does not exist', () => {
    expect(problemsOf(LEDGERS, sources)).toEqual([]);
  });

  it('has an up-to-date document: npm run docs:coverage writes it', () => {
    expect(readFileSync(`${root}${DOCUMENT}`, 'utf8')).toBe(renderLedgers(LEDGERS, sources));
  });

  it('has rows for both revisions, the transport and the decisions', () => {
    for (const { rows } of LEDGERS) expect(Object.keys(rows).length).toBeGreaterThan(20);
  });
});

describe('the ledger', () => {
  const PATH = 'test/x/some.test.ts';
  const ledger = (rows: Ledger['rows']): Ledger => ({ title: 'T', url: 'https://example.com', leftOut: '', rows });
  const of = (rows: Ledger['rows'], text: string): string[] => problemsOf([ledger(rows)], new Map([[PATH, text]]));

  it('takes a citation or a proof, and misses a row that has neither', () => {
    expect(of({ 'T26-A': ['MUST', 'server', 's'] }, "it('does it: T26-A', () => {})")).toEqual([]);
    expect(of({ 'T26-A': ['MUST', 'server', 's', [PATH, 'does it']] }, "it('does it', () => {})")).toEqual([]);
    expect(of({ 'T26-A': ['MUST', 'server', 's'] }, "it('does it', () => {})")).toEqual(['T26-A has no test']);
  });

  it('finds proofs that are gone, citations of nothing, ids of another form, rows twice, and an empty scan', () => {
    expect(of({ 'T26-A': ['MUST', 'server', 's', [PATH, 'other']] }, "it('does it')")).toEqual([
      `T26-A: ${PATH} has no test "other"`,
    ]);
    expect(of({ 'T26-A': ['MUST', 'server', 's'] }, "it('T26-A T26-B')")).toEqual([
      `${PATH} cites T26-B, which does not exist`,
    ]);
    expect(of({ nonsense: ['MUST', 'server', 's', [PATH, 'does']] }, "it('does it')")).toEqual([
      'nonsense is not of the form of an id',
    ]);
    const twice = ledger({ 'T26-A': ['MUST', 'server', 's'] });
    expect(problemsOf([twice, twice], new Map([[PATH, 'T26-A']]))).toEqual(['T26-A is there twice']);
    expect(problemsOf([ledger({})], new Map())).toEqual(['no test was read', 'T has no rows']);
  });
});
