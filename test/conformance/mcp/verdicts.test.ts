/** What counts as a good run: every way in which a list of expected failures could lie. */
import { describe, expect, test } from 'vitest';
import { judge, lineOf, parseExpectedFailures, type Check } from './verdicts.js';

const ok: Check = { id: 'works', status: 'SUCCESS' };
const bad: Check = { id: 'breaks', status: 'FAILURE', errorMessage: 'it broke' };
const entry = (scenario: string, check?: string) => ({ scenario, check, reason: 'not offered' });
const outcomes = (...args: Parameters<typeof judge>) => judge(...args).map((v) => [v.scenario, v.outcome]);

describe('judge', () => {
  test.each([
    ['all checks good', [ok], [], 'passed'],
    ['a failure that nobody expects', [ok, bad], [], 'unexpected'],
    ['a warning that nobody expects', [ok, { ...bad, status: 'WARNING' as const }], [], 'unexpected'],
    ['an expected failure of the check', [ok, bad], [entry('s', 'breaks')], 'expected'],
    ['an expected failure of the scenario', [ok, bad], [entry('s')], 'expected'],
    ['another failure beside the expected one', [bad, { ...bad, id: 'more' }], [entry('s', 'breaks')], 'unexpected'],
    ['a check that is expected to fail and passes', [ok], [entry('s', 'works')], 'unexpected'],
    ['a check that is expected to fail and is gone', [ok], [entry('s', 'breaks')], 'unexpected'],
    ['a scenario that is expected to fail and passes', [ok], [entry('s')], 'unexpected'],
    ['no check', [], [], 'unexpected'],
    ['nothing but information', [{ id: 'i', status: 'INFO' as const }], [], 'unexpected'],
  ])('%s', (_what, checks, expected, outcome) => {
    expect(outcomes([{ scenario: 's', checks }], expected)).toEqual([['s', outcome]]);
  });

  test('an entry for a scenario that did not run is stale', () => {
    expect(outcomes([{ scenario: 's', checks: [ok] }], [entry('gone')])).toEqual([
      ['s', 'passed'],
      ['gone', 'unexpected'],
    ]);
  });

  test('a scenario known to check nothing is skipped, until it checks something', () => {
    expect(outcomes([{ scenario: 's', checks: [{ id: 'i', status: 'SKIPPED' }] }], [], ['s'])).toEqual([
      ['s', 'skipped'],
    ]);
    expect(outcomes([{ scenario: 's', checks: [ok] }], [], ['s'])).toEqual([['s', 'unexpected']]);
  });

  test('a line names scenario, counts and what is wrong', () => {
    const [verdict] = judge([{ scenario: 's', checks: [ok, bad] }], []);
    expect(verdict && lineOf(verdict)).toMatch(/^FAIL +s +1 passed, 1 failed\n +breaks: it broke$/);
  });
});

describe('parseExpectedFailures', () => {
  test('reads scenarios and checks with their reasons', () => {
    const text = '# head\nserver:\n  - one # because\n\n  - two:check-1 # also because\n';
    expect(parseExpectedFailures(text, 'f')).toEqual([
      { scenario: 'one', check: undefined, reason: 'because' },
      { scenario: 'two', check: 'check-1', reason: 'also because' },
    ]);
    expect(parseExpectedFailures('server: []\n', 'f')).toEqual([]);
  });

  test.each([
    ['server:\n  - one\n', 'f:2'],
    ['server:\n  - one #\n', 'f:2'],
    ['server:\n- one # because\n', 'f:2'],
    ['  - one # because\n', 'f:1'],
    ['client:\n  - one # because\n', 'f:1'],
    ['server:\n  - one: two # because\n', 'f:2'],
    ['server:\n  - one # a\n  - one # b\n', 'f:3: one is listed twice'],
  ])('refuses %j', (text, where) => {
    expect(() => parseExpectedFailures(text, 'f')).toThrow(where);
  });
});
