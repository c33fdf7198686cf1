/**
 * `npm run demo`: starts an embedded system with two front ends and two workers, tells the story, ends with a verdict.
 *
 * Exit code 0 only if no event was lost, repeated after de-duplication or out of order, and a second reader got the
 * same bytes.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { resolveNatsServer } from '@taskstream/embedded';
import { readCliConfig } from '../config.js';
import { startSystem, type RunningSystem } from '../system/embedded-system.js';
import { createLogView } from '../system/log-view.js';
import { installedPrograms } from '../system/programs.js';
import { watchSignals } from '../signals.js';
import { describeFailure, tellStory, type Ending } from './story.js';

const TIMEOUT_MS = 180_000;
const repositoryRoot = path.resolve(import.meta.dirname, '../../../..');

const say = (text: string): void => void process.stdout.write(`${text}\n`);
const signals = watchSignals(process);
const late = new AbortController();
// Not AbortSignal.timeout: `any` would let it be collected.
setTimeout(() => late.abort(new DOMException('The demo took too long', 'TimeoutError')), TIMEOUT_MS).unref();
const signal = AbortSignal.any([signals.first, late.signal]);

async function startDemoSystem(dataDir: string): Promise<RunningSystem> {
  const config = readCliConfig();
  const view = createLogView({ colorize: false, warningsOnly: true });
  const show = (text: string | undefined): void => {
    if (text !== undefined) process.stdout.write(`  ${text}`);
  };
  return startSystem(
    {
      dataDir,
      port: 0,
      natsPort: 0,
      frontEnds: 2,
      workers: 2,
      toolsFile: undefined,
      restart: true,
      watch: false,
      programs: installedPrograms(),
      nats: await resolveNatsServer(config),
      environment: config.serviceEnvironment,
      workingDirectory: repositoryRoot,
      note: (level, message) => show(view.note(level, message)),
      onLine: (from, line) => show(view.line(from, line)),
    },
    signal,
  );
}

function report(ending: Ending): void {
  const { verdict } = ending;
  say('');
  say(`  events                                    ${verdict.events}`);
  say(`  gaps                                      ${verdict.gaps}`);
  say(`  duplicates received / delivered           ${verdict.duplicatesReceived} / ${verdict.duplicatesDelivered}`);
  say(`  out of order                              ${verdict.outOfOrder}`);
  say(`  different when read again                 ${verdict.different}`);
  say(`  attempts                                  ${verdict.attempts}`);
  say(`  front end killed → next event             ${Math.round(ending.frontEndMs)} ms`);
  say(`  worker killed → next attempt's event      ${Math.round(ending.workerMs)} ms`);
  say('');
}

const dataDir = await mkdtemp(path.join(tmpdir(), 'taskstream-demo-'));
let system: RunningSystem | undefined;
try {
  say('Starting nats-server, two front ends and two workers, each a process of its own …');
  system = await startDemoSystem(dataDir);
  signals.onSecond(system.destroy);
  const ending = await tellStory({ system, signal, say, nowMs: () => performance.now() });
  report(ending);
  say(ending.verdict.ok ? 'Nothing was lost, repeated or out of order.' : 'FAILED: the stream was not whole.');
  process.exitCode = ending.verdict.ok ? 0 : 1;
} catch (error) {
  say(`FAILED: ${describeFailure(error, TIMEOUT_MS)}`);
  process.exitCode = 1;
} finally {
  await system?.stop();
  await rm(dataDir, { recursive: true, force: true });
}
