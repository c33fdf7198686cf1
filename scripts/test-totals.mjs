/**
 * Prints `N passed, N failed` as its last line, from the totals that vitest wrote.
 *
 *   node scripts/test-totals.mjs <vitest.json> <started at, epoch ms>
 *
 * Invariants: the line is printed whatever happened; the exit code is 0 only when tests ran after the start, at
 * least one passed and none failed. A test file that could not be loaded counts as one failed test.
 */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/**
 * @param {string | undefined} text The report, or undefined when there is none.
 * @param {number} startedAtMs
 * @returns {{ passed: number, failed: number, skipped: number, faults: string[] }}
 */
export function totalsOf(text, startedAtMs) {
  const none = { passed: 0, failed: 0, skipped: 0 };
  if (text === undefined) return { ...none, faults: ['no totals were written: the tests did not run to their end'] };
  let report;
  try {
    report = JSON.parse(text);
  } catch {
    return { ...none, faults: ['the totals are not JSON'] };
  }
  const {
    numPassedTests: passed,
    numFailedTests,
    numPendingTests,
    numTodoTests,
    startTime,
    testResults,
  } = report ?? {};
  const counts = [passed, numFailedTests, numPendingTests, numTodoTests, startTime];
  if (!counts.every((n) => Number.isFinite(n) && n >= 0) || !Array.isArray(testResults)) {
    return { ...none, faults: ['the totals are not in the shape that vitest writes'] };
  }
  const unloaded = testResults.filter(
    (file) => file.status === 'failed' && !file.assertionResults.some((test) => test.status === 'failed'),
  );
  const failed = numFailedTests + unloaded.length;
  const faults = unloaded.map((file) => `failed as a whole: ${file.name}`);
  if (startTime < startedAtMs) faults.push('the totals are of an earlier run');
  if (passed + failed === 0) faults.push('no test ran');
  if (passed === 0 && failed === 0 && numPendingTests > 0) faults.push('every test was skipped');
  if (report.success !== true && failed === 0) faults.push('vitest reports a failure outside of the tests');
  return { passed, failed, skipped: numPendingTests + numTodoTests, faults };
}

/**
 * @param {string} path
 * @returns {string | undefined}
 */
function readIfThere(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [path, startedAt] = process.argv.slice(2);
  if (path === undefined || !/^\d+$/.test(startedAt ?? '')) {
    console.error('usage: node scripts/test-totals.mjs <vitest.json> <started at, epoch ms>');
    process.exit(2);
  }
  const { passed, failed, skipped, faults } = totalsOf(readIfThere(path), Number(startedAt));
  for (const fault of faults) console.error(`test totals: ${fault}`);
  if (skipped > 0) console.log(`${skipped} skipped`);
  console.log(`${passed} passed, ${failed} failed`);
  process.exitCode = failed === 0 && faults.length === 0 ? 0 : 1;
}
