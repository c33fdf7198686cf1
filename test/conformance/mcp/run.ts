/**
 * `npm run conformance`: the public suite for both revisions, a line per scenario; non-zero on an unexpected result.
 */
import { runAll } from './suite.js';
import { lineOf } from './verdicts.js';

const say = (text: string) => void process.stdout.write(`${text}\n`);

let unexpected = 0;
for (const { revision, verdicts, triedAgain, suiteExitCode, output } of await runAll()) {
  say(`\n${revision}`);
  for (const verdict of verdicts) say(lineOf(verdict));
  const count = (outcome: string) => verdicts.filter((v) => v.outcome === outcome).length;
  say(
    `${verdicts.length} scenarios: ${count('passed')} passed, ${count('expected')} failed as expected, ` +
      `${count('skipped')} skipped by the suite, ${count('unexpected')} unexpected`,
  );
  if (triedAgain.length > 0) say(`tried a second time: ${triedAgain.join(', ')}`);
  unexpected += count('unexpected');
  if (suiteExitCode !== 0 && triedAgain.length === 0) {
    unexpected++;
    say(`the suite itself ended with ${suiteExitCode}:\n${output.slice(-2_000)}`);
  }
}
process.exitCode = unexpected === 0 ? 0 : 1;
