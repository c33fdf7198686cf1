/** The closing line of a run: right totals, and an error for a run that proves nothing. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { ROOT } from './workspaces.js';

const dir = mkdtempSync(join(tmpdir(), 'test-totals-'));
afterAll(() => {
  rmSync(dir, { recursive: true, force: true });
});

const STARTED_AT_MS = 1_000;
const good = {
  numPassedTests: 3,
  numFailedTests: 0,
  numPendingTests: 0,
  numTodoTests: 0,
  startTime: 2_000,
  success: true,
  testResults: [{ name: 'a.test.ts', status: 'passed', assertionResults: [{ status: 'passed' }] }],
};

function run(report: unknown, name = 'totals.json'): { code: number | null; last: string | undefined; errors: string } {
  const path = join(dir, name);
  if (report !== undefined) writeFileSync(path, typeof report === 'string' ? report : JSON.stringify(report));
  const script = join(ROOT, 'scripts/test-totals.mjs');
  const { status, stdout, stderr } = spawnSync(process.execPath, [script, path, String(STARTED_AT_MS)], {
    encoding: 'utf8',
  });
  return { code: status, last: stdout.trimEnd().split('\n').at(-1), errors: stderr };
}

describe('scripts/test-totals.mjs', () => {
  it('prints the totals of a good run', () => {
    expect(run(good)).toEqual({ code: 0, last: '3 passed, 0 failed', errors: '' });
  });

  it('prints them last when tests were skipped, too', () => {
    expect(run({ ...good, numPendingTests: 2 })).toMatchObject({ code: 0, last: '3 passed, 0 failed' });
  });

  it.each([
    ['a failed test', { ...good, numFailedTests: 1, success: false }, '3 passed, 1 failed', ''],
    [
      'a file that could not be loaded',
      { ...good, success: false, testResults: [{ name: 'b.test.ts', status: 'failed', assertionResults: [] }] },
      '3 passed, 1 failed',
      'failed as a whole: b.test.ts',
    ],
    ['an error outside of the tests', { ...good, success: false }, '3 passed, 0 failed', 'outside of the tests'],
    ['an earlier run', { ...good, startTime: 999 }, '3 passed, 0 failed', 'of an earlier run'],
    ['no test', { ...good, numPassedTests: 0, testResults: [] }, '0 passed, 0 failed', 'no test ran'],
    [
      'only skipped tests',
      { ...good, numPassedTests: 0, numPendingTests: 5 },
      '0 passed, 0 failed',
      'every test was skipped',
    ],
    ['another shape', { passed: 3 }, '0 passed, 0 failed', 'not in the shape'],
    ['null', 'null', '0 passed, 0 failed', 'not in the shape'],
    ['half a file', '{"numPassedTests": 3', '0 passed, 0 failed', 'not JSON'],
  ])('fails for %s', (_name, report, last, error) => {
    const result = run(report);
    expect(result).toMatchObject({ code: 1, last });
    expect(result.errors).toContain(error);
  });

  it('fails when there are no totals', () => {
    expect(run(undefined, 'missing.json')).toMatchObject({ code: 1, last: '0 passed, 0 failed' });
  });

  it('does not run without its arguments', () => {
    const { status, stderr } = spawnSync(process.execPath, [join(ROOT, 'scripts/test-totals.mjs')], {
      encoding: 'utf8',
    });
    expect(status).toBe(2);
    expect(stderr).toContain('usage');
  });
});
