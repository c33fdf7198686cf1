/**
 * `npm run docs:coverage`: writes the coverage document, and says what is wrong with the coverage.
 */
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { coverageOf, DOCUMENT, readSources, renderCoverage } from './coverage.js';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const coverage = coverageOf(readSources(root));
writeFileSync(`${root}${DOCUMENT}`, renderCoverage(coverage));
for (const problem of coverage.problems) process.stderr.write(`${problem}\n`);
process.exitCode = coverage.problems.length > 0 ? 1 : 0;
