/**
 * Runs the public conformance suite against a system of our own: one nats-server, one front end, one worker.
 *
 * Invariants: the suite runs as a process, as its users run it; every run is bounded in time; what was started is
 * ended, also when the suite fails.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as z from 'zod';
import { startNats } from '../../support/nats.js';
import { startFrontEnd, startWorker, stopAll } from '../../support/system.js';
import {
  Check,
  judge,
  parseExpectedFailures,
  type ExpectedFailure,
  type ScenarioRun,
  type Verdict,
} from './verdicts.js';

export const REVISIONS = ['2025-11-25', '2026-07-28'] as const;
export type Revision = (typeof REVISIONS)[number];

/** Scenarios in which the suite checks nothing of this server, and why. */
const UNTESTED: Readonly<Record<Revision, ReadonlyArray<string>>> = {
  // Skips itself: it has not been written for subscriptions yet. test/integration/eras/subscriptions.test.ts is ours.
  '2026-07-28': ['tasks-status-notifications'],
  // Looks at the resumption of a call's own stream, which is optional and not offered: tasks/stream is resumed here.
  '2025-11-25': ['server-sse-polling'],
};
/**
 * Scenarios that give the server half a second for an answer. On a machine that is busy with other tests that may be
 * too little: these are tried a second time, alone.
 */
const HURRIED: ReadonlyArray<string> = ['server-stateless'];
/** The longest run of the suite for one revision. */
const SUITE_MS_MAX = 200_000;
const SUITE = join(
  dirname(createRequire(import.meta.url).resolve('@modelcontextprotocol/conformance/package.json')),
  'dist/index.js',
);
const NODE_20 = new URL('./node20.mjs', import.meta.url).href;
const FIXTURE_TOOLS = fileURLToPath(new URL('./fixture-tools.mjs', import.meta.url));

function expectedFailuresFile(revision: Revision): string {
  return fileURLToPath(new URL(`./expected-failures.${revision}.yml`, import.meta.url));
}

export interface SuiteRun {
  readonly revision: Revision;
  readonly verdicts: ReadonlyArray<Verdict>;
  /** Scenarios whose verdict is that of a second try. */
  readonly triedAgain: ReadonlyArray<string>;
  /** What the suite itself says to the scenarios that it scores, first tries alone: 0 when all is as expected. */
  readonly suiteExitCode: number | null;
  readonly output: string;
}

/** One revision after the other: the older one warms the server up for those scenarios that are in a hurry. */
export async function runAll(): Promise<SuiteRun[]> {
  return withFixtureServer(async (endpoint) => {
    const runs: SuiteRun[] = [];
    for (const revision of REVISIONS) runs.push(await runSuite(endpoint, revision));
    return runs;
  });
}

/** A system with the suite's fixture tools, for as long as `use` takes. */
async function withFixtureServer<T>(use: (endpoint: string) => Promise<T>): Promise<T> {
  await using nats = await startNats();
  const worker = await startWorker(nats.url, { TASKSTREAM_TOOLS: FIXTURE_TOOLS });
  try {
    const frontEnd = await startFrontEnd(nats.url);
    try {
      return await use(frontEnd.endpoint);
    } finally {
      await stopAll([frontEnd]);
    }
  } finally {
    await stopAll([worker]);
  }
}

/** All server scenarios of one revision; in 2026-07-28 those of the tasks extension are among them. */
async function runSuite(
  endpoint: string,
  revision: Revision,
  expectedFile = expectedFailuresFile(revision),
): Promise<SuiteRun> {
  const expected = parseExpectedFailures(await readFile(expectedFile, 'utf8'), expectedFile);
  const all = await runScenarios(['--url', endpoint, '--requirements', revision, '--expected-failures', expectedFile]);
  const names = [...all.output.matchAll(/^=== Running scenario: (\S+) ===$/gm)].map((m) => String(m[1]));
  if (names.length === 0) throw new Error(`the suite ran nothing:\n${all.output.slice(-2_000)}`);
  const runs: ScenarioRun[] = names.map((scenario) => ({ scenario, checks: all.checks.get(scenario) ?? [] }));
  const verdicts = judge(runs, expected, UNTESTED[revision]);
  const triedAgain: string[] = [];
  for (const [i, { scenario, outcome }] of verdicts.entries()) {
    if (outcome !== 'unexpected' || !HURRIED.includes(scenario)) continue;
    triedAgain.push(scenario);
    const alone = await runScenarios(['--url', endpoint, '--scenario', scenario, '--spec-version', revision]);
    const [verdict] = judge([{ scenario, checks: alone.checks.get(scenario) ?? [] }], expectedOf(scenario, expected));
    if (verdict !== undefined) verdicts[i] = verdict;
  }
  return { revision, verdicts, triedAgain, suiteExitCode: all.code, output: all.output };
}

const expectedOf = (scenario: string, expected: ReadonlyArray<ExpectedFailure>) =>
  expected.filter((e) => e.scenario === scenario);

interface Ran {
  readonly code: number | null;
  readonly output: string;
  readonly checks: Map<string, Check[]>;
}

async function runScenarios(args: readonly string[]): Promise<Ran> {
  const results = await mkdtemp(join(tmpdir(), 'taskstream-conformance-'));
  try {
    const child = spawn(process.execPath, ['--import', NODE_20, SUITE, 'server', ...args, '-o', results], {
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: SUITE_MS_MAX,
      killSignal: 'SIGKILL',
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (output += String(chunk)));
    const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null];
    if (signal !== null) throw new Error(`the suite took longer than ${SUITE_MS_MAX} ms:\n${output.slice(-2_000)}`);
    return { code, output, checks: await readChecks(results) };
  } finally {
    await rm(results, { recursive: true, force: true });
  }
}

const RESULT_DIR = /^server-(.+)-\d{4}-\d{2}-\d{2}T[\d-]+Z$/;

/** The findings of each scenario; one that broke off has none. */
async function readChecks(directory: string): Promise<Map<string, Check[]>> {
  const found = new Map<string, Check[]>();
  for (const name of await readdir(directory)) {
    const scenario = RESULT_DIR.exec(name)?.[1];
    if (scenario === undefined) continue;
    const file = join(directory, name, 'checks.json');
    if (existsSync(file)) found.set(scenario, z.array(Check).parse(JSON.parse(await readFile(file, 'utf8'))));
  }
  return found;
}
