/**
 * `npm run conformance:streams -- --url …`: the kit from the command line.
 */
import { HELP, parseCommandLine, UsageError, type CommandLine } from './options.js';
import { reportJson, reportText } from './report.js';
import { runKit } from './suite.js';

async function main(argv: readonly string[]): Promise<number> {
  if (argv.includes('--help') || argv.includes('-h')) {
    process.stdout.write(HELP);
    return 0;
  }
  let line: CommandLine;
  try {
    line = parseCommandLine(argv);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    process.stderr.write(`${error.message}\n\n${HELP}`);
    return 2;
  }
  const report = await runKit(line.kit);
  process.stdout.write(line.json ? `${reportJson(report)}\n` : reportText(report));
  return report.counts.FAIL > 0 ? 1 : 0;
}

process.exitCode = await main(process.argv.slice(2));
