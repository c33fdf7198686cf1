/**
 * `npm run docs:coverage`: writes the coverage documents, and says what is wrong with the coverage.
 */
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { LEDGERS } from '../requirements/all.js';
import { DOCUMENT as LEDGERS_DOCUMENT, problemsOf, renderLedgers } from '../requirements/ledger.js';
import { coverageOf, DOCUMENT, readSources, renderCoverage } from './coverage.js';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const sources = readSources(root);
const coverage = coverageOf(sources);
writeFileSync(`${root}${DOCUMENT}`, renderCoverage(coverage));
writeFileSync(`${root}${LEDGERS_DOCUMENT}`, renderLedgers(LEDGERS, sources));
const problems = [...coverage.problems, ...problemsOf(LEDGERS, sources)];
for (const problem of problems) process.stderr.write(`${problem}\n`);
process.exitCode = problems.length > 0 ? 1 : 0;
