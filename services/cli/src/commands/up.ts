/**
 * `up`: runs the embedded system until a signal, or until a part of it cannot be kept running.
 *
 * Invariant: with `--json`, standard output carries exactly one line, when all is ready.
 */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { resolveNatsServer } from '@taskstream/embedded';
import { ExitCode, UsageError } from '../exit-codes.js';
import { DEFAULT_NATS_PORT, type UpOptions } from '../program.js';
import { startSystem, type RunningSystem } from '../system/embedded-system.js';
import { createLogView } from '../system/log-view.js';
import { installedPrograms, type Programs } from '../system/programs.js';
import { watchModules } from '../system/module-watch.js';
import type { RestartLimits } from '../system/restart-policy.js';
import type { CommandContext } from './context.js';

export interface UpContext extends Pick<CommandContext, 'config' | 'out' | 'signal'> {
  /** Text for standard error, line breaks included. */
  readonly log: (text: string) => void;
  readonly colorize: boolean;
  readonly workingDirectory: string;
  /** Calls the function at each SIGINT or SIGTERM after the first. */
  readonly onSecondSignal: (listener: () => void) => void;
  /** Absent: the installed ones. */
  readonly programs?: Programs;
  /** Absent: 4222. */
  readonly natsPort?: number;
  /** Absent: ten restarts a minute. */
  readonly restartLimits?: RestartLimits;
}

export async function up(context: UpContext, options: UpOptions): Promise<ExitCode> {
  const { config, signal, workingDirectory } = context;
  const toolsFile = options.tools === undefined ? undefined : path.resolve(workingDirectory, options.tools);
  if (toolsFile !== undefined && !existsSync(toolsFile)) throw new UsageError(`--tools: ${toolsFile} does not exist`);

  if (options.watch && toolsFile === undefined) throw new UsageError('--watch needs --tools');

  const view = createLogView({ colorize: context.colorize, warningsOnly: options.json });
  const show = (text: string | undefined): void => {
    if (text !== undefined) context.log(text);
  };
  const note = (level: 'info' | 'warn' | 'error', message: string): void => show(view.note(level, message));
  const nats = await resolveNatsServer(config);
  if (nats.kind === 'binary') note('info', `nats-server: ${nats.file} (found by ${nats.foundBy})`);

  let system: RunningSystem;
  try {
    system = await startSystem(
      {
        dataDir: path.resolve(workingDirectory, options.data),
        port: options.port,
        natsPort: context.natsPort ?? DEFAULT_NATS_PORT,
        frontEnds: options.frontEnds,
        workers: options.workers,
        toolsFile,
        restart: options.restart,
        watch: options.watch,
        restartLimits: context.restartLimits,
        programs: context.programs ?? installedPrograms(),
        nats,
        environment: config.serviceEnvironment,
        workingDirectory,
        note,
        onLine: (from, line) => show(view.line(from, line)),
      },
      signal,
    );
  } catch (error) {
    if (!signal.aborted) throw error;
    note('info', 'stopped before all was ready');
    return ExitCode.interrupted;
  }

  context.onSecondSignal(() => {
    note('warn', 'second signal: everything is killed');
    system.destroy();
  });
  await context.out.write(options.json ? `${JSON.stringify(readyRecord(system))}\n` : readyText(system));

  const watching = new AbortController();
  const reload = async (): Promise<void> => {
    note('info', 'the tools have changed: new workers are started');
    try {
      await system.replaceWorkers();
      note('info', `the workers run the changed tools: ${system.tools.join(', ')}`);
    } catch (error) {
      // The worker's own lines are above, with the reason.
      const [why = ''] = (error instanceof Error ? error.message : String(error)).split('. Its last lines');
      if (!watching.signal.aborted) note('error', `the workers go on with the tools as they were: ${why}`);
    }
  };
  const watched =
    options.watch && toolsFile !== undefined
      ? watchModules(path.dirname(toolsFile), reload, watching.signal)
      : Promise.resolve();
  const error = await Promise.race([system.givenUp, untilAborted(signal)]);
  watching.abort();
  if (error === undefined) note('info', 'stopping: front ends, workers, nats-server (again to kill)');
  await system.stop();
  await watched;
  if (error !== undefined) throw error;
  note('info', 'stopped');
  return ExitCode.ok;
}

function untilAborted(signal: AbortSignal): Promise<undefined> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(undefined);
    else signal.addEventListener('abort', () => resolve(undefined), { once: true });
  });
}

export function readyRecord(system: RunningSystem): Readonly<Record<string, unknown>> {
  return {
    ready: true,
    endpoints: system.endpoints,
    nats: system.natsUrl,
    pids: {
      frontEnds: system.frontEnds.map((one) => one.pid),
      workers: system.workers.map((one) => one.pid),
      nats: system.nats.map((one) => one.pid),
    },
  };
}

export function readyText(system: RunningSystem): string {
  const [first = ''] = system.endpoints;
  const url = first === 'http://127.0.0.1:3000/mcp' ? '' : ` --url ${first}`;
  const command = system.tools.includes('audit_repository')
    ? `npx taskstream call audit_repository --input '{"path":"."}' --follow${url}`
    : `npx taskstream tools${url}`;
  return [
    '',
    'taskstream is ready.',
    ...system.endpoints.map((endpoint) => `  MCP   ${endpoint}`),
    `  NATS  ${system.natsUrl}`,
    `  tools ${system.tools.join(', ')}`,
    '',
    'Try, in another terminal:',
    `  ${command}`,
    '',
    'Ctrl-C stops it.',
    '',
    '',
  ].join('\n');
}
