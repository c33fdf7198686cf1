/**
 * What a run of the public suite is worth: each scenario held against the list of failures that we expect.
 *
 * Invariants: pure; an entry that no longer fails, that names nothing which ran, or that gives no reason is a failure
 * itself; a scenario that found nothing out is a failure too, unless it is known to; a warning counts as a failure, as
 * it does in the suite.
 */
import * as z from 'zod';

/** One finding of a scenario, as the suite writes it. */
export const Check = z.looseObject({
  id: z.string(),
  status: z.enum(['SUCCESS', 'FAILURE', 'WARNING', 'SKIPPED', 'INFO']),
  errorMessage: z.string().optional(),
  description: z.string().optional(),
});
export type Check = z.infer<typeof Check>;

export interface ScenarioRun {
  readonly scenario: string;
  readonly checks: ReadonlyArray<Check>;
}

/** A failure that is known: of a whole scenario, or of one check of it. */
export interface ExpectedFailure {
  readonly scenario: string;
  readonly check: string | undefined;
  readonly reason: string;
}

export interface Verdict {
  readonly scenario: string;
  readonly outcome: 'passed' | 'expected' | 'skipped' | 'unexpected';
  readonly passed: number;
  readonly failed: number;
  /** What is wrong, or why it was expected. */
  readonly notes: readonly string[];
}

const ENTRY = /^ {2}- ([a-z0-9/-]+)(?::([a-z0-9-]+))? # (\S.*)$/;

/**
 * Reads an expected-failures file: the suite's own format, narrowed to one entry a line with its reason behind it.
 * @throws SyntaxError naming the line that is not one
 */
export function parseExpectedFailures(text: string, file: string): ExpectedFailure[] {
  const entries: ExpectedFailure[] = [];
  let listed = false;
  for (const [i, line] of text.split('\n').entries()) {
    if (line.trim() === '' || line.startsWith('#')) continue;
    if (!listed && (line === 'server:' || line === 'server: []')) {
      listed = true;
      continue;
    }
    const [, scenario, check, reason] = ENTRY.exec(line) ?? [];
    if (!listed || scenario === undefined || reason === undefined) {
      throw new SyntaxError(`${file}:${i + 1}: expected "server:" and then "  - scenario[:check] # reason"`);
    }
    if (entries.some((e) => e.scenario === scenario && e.check === check)) {
      throw new SyntaxError(`${file}:${i + 1}: ${scenario} is listed twice`);
    }
    entries.push({ scenario, check, reason });
  }
  return entries;
}

const bad = (check: Check): boolean => check.status === 'FAILURE' || check.status === 'WARNING';

/**
 * One verdict per scenario, in the order of the run, and one more for every entry whose scenario did not run.
 * `untested` names the scenarios in which the suite is known to check nothing.
 */
export function judge(
  runs: ReadonlyArray<ScenarioRun>,
  expected: ReadonlyArray<ExpectedFailure>,
  untested: ReadonlyArray<string> = [],
): Verdict[] {
  const verdicts = runs.map((run) =>
    judgeOne(
      run,
      expected.filter((e) => e.scenario === run.scenario),
      untested.includes(run.scenario),
    ),
  );
  const ran = new Set(runs.map((run) => run.scenario));
  for (const { scenario } of expected.filter((e) => !ran.has(e.scenario))) {
    verdicts.push({
      scenario,
      outcome: 'unexpected',
      passed: 0,
      failed: 0,
      notes: ['stale: no such scenario ran; remove it from the expected failures'],
    });
  }
  return verdicts;
}

function judgeOne(
  { scenario, checks }: ScenarioRun,
  expected: ReadonlyArray<ExpectedFailure>,
  untested: boolean,
): Verdict {
  const failures = checks.filter(bad);
  const passed = checks.filter((c) => c.status === 'SUCCESS').length;
  const unexpected: string[] = [];
  const reasons: string[] = [];
  const whole = expected.find((e) => e.check === undefined);
  if (whole !== undefined) {
    if (failures.length === 0) unexpected.push('stale: it passes; remove it from the expected failures');
    else reasons.push(whole.reason);
  } else {
    for (const failure of failures) {
      const known = expected.find((e) => e.check === failure.id);
      if (known === undefined) unexpected.push(`${failure.id}: ${failure.errorMessage ?? failure.description ?? ''}`);
      else reasons.push(`${failure.id}: ${known.reason}`);
    }
    for (const { check } of expected) {
      if (!failures.some((f) => f.id === check)) unexpected.push(`stale: ${check} does not fail; remove it`);
    }
  }
  const counts = { scenario, passed, failed: failures.length };
  if (unexpected.length > 0) return { ...counts, outcome: 'unexpected', notes: unexpected };
  if (failures.length > 0) return { ...counts, outcome: 'expected', notes: [...new Set(reasons)] };
  if (untested !== (passed === 0)) {
    const note = untested ? 'stale: it is tested now' : 'the suite found nothing out';
    return { ...counts, outcome: 'unexpected', notes: [note] };
  }
  return { ...counts, outcome: untested ? 'skipped' : 'passed', notes: [] };
}

/** One line of the report. */
export function lineOf({ scenario, outcome, passed, failed, notes }: Verdict): string {
  const mark = { passed: 'ok  ', expected: 'xfail', skipped: 'skip', unexpected: 'FAIL' }[outcome].padEnd(5);
  return `${mark} ${scenario.padEnd(46)} ${passed} passed, ${failed} failed${notes.map((n) => `\n        ${n}`).join('')}`;
}
