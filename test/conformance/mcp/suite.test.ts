/** The public conformance suite, as `npm run conformance` runs it. */
import { expect, test } from 'vitest';
import { runAll } from './suite.js';
import { lineOf } from './verdicts.js';

const RUN_MS_MAX = 260_000;
/** So many scenarios there are: a suite that runs fewer proves less. */
const SCENARIOS = { '2026-07-28': 50, '2025-11-25': 33 };

test(
  'the public suite finds nothing in either revision that is not expected',
  async () => {
    const runs = await runAll();
    for (const { revision, verdicts, triedAgain, suiteExitCode } of runs) {
      expect(verdicts.filter((v) => v.outcome === 'unexpected').map(lineOf)).toEqual([]);
      expect(suiteExitCode).toBe(triedAgain.length === 0 ? 0 : 1);
      expect(verdicts).toHaveLength(SCENARIOS[revision]);
    }
    const tasks = runs.flatMap((run) => run.verdicts.filter((v) => v.scenario.startsWith('tasks-')));
    expect(tasks.filter((v) => v.outcome === 'passed')).toHaveLength(9);
  },
  RUN_MS_MAX,
);
