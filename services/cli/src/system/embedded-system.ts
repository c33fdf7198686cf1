/**
 * A whole taskstream on one machine: nats-server, front ends and workers, each a process of its own.
 *
 * Invariants: everything listens on 127.0.0.1; a failed start leaves no process behind; the stop goes front ends,
 * workers, nats-server, each with a bound; a port that is taken is never a reason to fail.
 */
import { randomBytes } from 'node:crypto';
import path from 'node:path';
import { isEmbeddedError, isPortFree, nextFreePort, pickFreePort, startNatsServer } from '@taskstream/embedded';
import type { SystemError } from '../exit-codes.js';
import { frontEndEnvironment, workerEnvironment, type EnvironmentParts } from './environment.js';
import { FrontEndReady, WorkerReady, type Programs } from './programs.js';
import { RESTART_LIMITS, type RestartLimits } from './restart-policy.js';
import { launchService } from './service-process.js';
import { supervise, type Note, type RunningProcess, type Supervised, type Unit } from './supervisor.js';

const SESSION_KEY_BYTES = 32;
const START_MS_MAX = 60_000;
/** Longer than a worker's own drain. */
const STOP_MS_MAX = 30_000;
/** How often another port is tried for a front end when someone else was quicker. */
const PORT_TRIES_MAX = 3;

export interface SystemOptions {
  readonly dataDir: string;
  /** Of the first front end; 0: a free one. */
  readonly port: number;
  /** Of nats-server; 0: a free one. */
  readonly natsPort: number;
  readonly frontEnds: number;
  readonly workers: number;
  readonly toolsFile: string | undefined;
  readonly restart: boolean;
  /** Whether workers will be replaced often: then their drains are short. */
  readonly watch: boolean;
  readonly programs: Programs;
  /** A running server to use, or the binary of one to start. */
  readonly nats: { readonly kind: 'url'; readonly url: string } | { readonly kind: 'binary'; readonly file: string };
  readonly environment: Readonly<Record<string, string>>;
  readonly workingDirectory: string;
  readonly note: Note;
  /** A log line of a child. */
  readonly onLine: (from: string, line: string) => void;
  readonly restartLimits?: RestartLimits | undefined;
  readonly startMsMax?: number | undefined;
  readonly stopMsMax?: number | undefined;
}

export interface RunningSystem {
  /** URLs of `/mcp`, one a front end. */
  readonly endpoints: readonly string[];
  readonly natsUrl: string;
  readonly frontEnds: readonly Supervised[];
  readonly workers: readonly Supervised[];
  /** Empty when a running NATS is used. */
  readonly nats: readonly Supervised[];
  /** Names of the tools that the workers offer. */
  readonly tools: readonly string[];
  /** Settles when a process keeps ending and is given up. */
  readonly givenUp: Promise<SystemError>;
  /** Puts new workers in place of the old ones, one after the other. Throws when one does not start; it stays then. */
  readonly replaceWorkers: () => Promise<void>;
  readonly stop: () => Promise<void>;
  /** Kills everything at once. */
  readonly destroy: () => void;
}

/** Resolves when all is ready. Throws `SystemError` or `EmbeddedError`; `signal` gives the start up. */
export async function startSystem(options: SystemOptions, signal: AbortSignal): Promise<RunningSystem> {
  const started: Record<Kind, Supervised[]> = { frontEnd: [], worker: [], nats: [] };
  let giveUp: (error: SystemError) => void = () => undefined;
  const givenUp = new Promise<SystemError>((resolve) => (giveUp = resolve));
  const watchOver = async (kind: Kind, unit: Unit): Promise<Supervised> => {
    const supervised = await supervise(
      unit,
      {
        restart: options.restart,
        limits: options.restartLimits ?? RESTART_LIMITS,
        stopMsMax: options.stopMsMax ?? STOP_MS_MAX,
        note: options.note,
        onGivenUp: giveUp,
      },
      signal,
    );
    started[kind].push(supervised);
    return supervised;
  };
  const stop = async (): Promise<void> => {
    for (const kind of ['frontEnd', 'worker', 'nats'] as const) {
      await Promise.all(started[kind].map((one) => one.stop()));
    }
  };

  try {
    const nats = await startNats(options, watchOver);
    const parts: EnvironmentParts = {
      user: options.environment,
      natsUrl: nats.url,
      workingDirectory: options.workingDirectory,
      sessionKey: randomBytes(SESSION_KEY_BYTES).toString('hex'),
      toolsFile: options.toolsFile,
      watch: options.watch,
    };
    const ports = await choosePorts(options);
    const [frontEnds, workers] = await allStarted(
      ports.map((port, index) => startFrontEnd(options, parts, index, port, watchOver)),
      Array.from({ length: options.workers }, (_, index) => startWorker(options, parts, index, watchOver)),
    );
    return {
      endpoints: frontEnds.map((one) => one.endpoint),
      natsUrl: nats.url,
      frontEnds: frontEnds.map((one) => one.supervised),
      workers: workers.map((one) => one.supervised),
      nats: nats.supervised === undefined ? [] : [nats.supervised],
      get tools() {
        return [...new Set(workers.flatMap((one) => one.tools))].toSorted();
      },
      replaceWorkers: async () => {
        for (const { supervised } of workers) await supervised.replace();
      },
      givenUp,
      stop,
      destroy: () => {
        for (const one of Object.values(started).flat()) one.destroy();
      },
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Waits for all of them, also when one fails, so that nothing starts behind the back of a stop. */
async function allStarted<A, B>(a: readonly Promise<A>[], b: readonly Promise<B>[]): Promise<[A[], B[]]> {
  await Promise.allSettled([...a, ...b]);
  return Promise.all([Promise.all(a), Promise.all(b)]);
}

type Kind = 'frontEnd' | 'worker' | 'nats';
type WatchOver = (kind: Kind, unit: Unit) => Promise<Supervised>;

interface StartedNats {
  readonly url: string;
  readonly supervised: Supervised | undefined;
}

async function startNats(options: SystemOptions, watchOver: WatchOver): Promise<StartedNats> {
  const { nats, note } = options;
  if (nats.kind === 'url') {
    note('info', 'using the NATS server that the environment names');
    return { url: nats.url, supervised: undefined };
  }
  const dataDir = path.join(options.dataDir, 'nats');
  const start = async (port: number) => startNatsServer({ dataDir, port, binary: nats.file });
  const server = await start(options.natsPort).catch((error: unknown) => {
    if (!isEmbeddedError(error, 'port_taken')) throw error;
    note('warn', `port ${options.natsPort} is taken; nats-server takes a free one`);
    return start(0);
  });
  let first = true;
  const supervised = await watchOver('nats', {
    name: 'nats',
    launch: async (): Promise<RunningProcess> => {
      if (!first) await server.restart();
      first = false;
      const { pid, exited } = server;
      const ended = exited.then(({ code, signal }) => signal ?? `exit code ${code}`);
      return { pid, ended, kill: (signal) => void server.kill(signal) };
    },
  });
  return { url: server.url, supervised };
}

/** Distinct free ports from the wanted one on. */
async function choosePorts(options: SystemOptions): Promise<readonly number[]> {
  const ports: number[] = [];
  let next = options.port === 0 ? await pickFreePort() : options.port;
  for (let index = 0; index < options.frontEnds; index += 1) {
    const port = await nextFreePort(next);
    if (index === 0 && options.port !== 0 && port !== options.port) {
      options.note('warn', `port ${options.port} is taken; the front end takes ${port}`);
    }
    ports.push(port);
    next = port + 1;
  }
  return ports;
}

async function startFrontEnd(
  options: SystemOptions,
  parts: EnvironmentParts,
  index: number,
  firstPort: number,
  watchOver: WatchOver,
): Promise<{ readonly supervised: Supervised; readonly endpoint: string }> {
  const name = `front-end-${index + 1}`;
  let port = firstPort;
  let endpoint = '';
  const launch = async (signal: AbortSignal): Promise<RunningProcess> => {
    const launched = await launchService(
      {
        name,
        modulePath: options.programs.frontEnd,
        env: frontEndEnvironment(parts, port),
        readySchema: FrontEndReady,
        startMsMax: options.startMsMax ?? START_MS_MAX,
        onLine: (line) => options.onLine(name, line),
      },
      signal,
    );
    endpoint = launched.ready.endpoint;
    return launched;
  };
  for (let tried = 1; ; tried += 1) {
    try {
      const supervised = await watchOver('frontEnd', { name, launch });
      return { supervised, endpoint };
    } catch (error) {
      if (tried >= PORT_TRIES_MAX || (await isPortFree(port))) throw error;
      const taken = port;
      port = await pickFreePort();
      options.note('warn', `port ${taken} was taken meanwhile; ${name} takes ${port}`);
    }
  }
}

async function startWorker(
  options: SystemOptions,
  parts: EnvironmentParts,
  index: number,
  watchOver: WatchOver,
): Promise<{ readonly supervised: Supervised; readonly tools: readonly string[] }> {
  const name = `worker-${index + 1}`;
  let tools: readonly string[] = [];
  const supervised = await watchOver('worker', {
    name,
    launch: async (signal) => {
      const launched = await launchService(
        {
          name,
          modulePath: options.programs.worker,
          env: workerEnvironment(parts),
          readySchema: WorkerReady,
          startMsMax: options.startMsMax ?? START_MS_MAX,
          onLine: (line) => options.onLine(name, line),
        },
        signal,
      );
      tools = launched.ready.tools;
      return launched;
    },
  });
  return {
    supervised,
    get tools() {
      return tools;
    },
  };
}
