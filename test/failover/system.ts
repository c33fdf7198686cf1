/**
 * The system under test on a network of hosts: 3 nats-servers, 6 places for front ends of which 3 are taken, 4 workers,
 * and one load balancer, configured by the files that this project deploys.
 *
 * Invariant: what is deployed is what runs: only addresses, the number of front ends and the place of data differ.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { resolveNatsServer } from '@taskstream/embedded';
import type { Host, Network } from './hosts.js';
import { Node, type Program } from './node.js';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
export const TOKEN = 'a-token-of-the-failover-test';
export const NATS = ['nats-1', 'nats-2', 'nats-3'] as const;
/** Twice as many places as front ends: a rolling restart brings the new ones up before the old ones leave. */
export const FRONT_ENDS = ['fe-1', 'fe-2', 'fe-3', 'fe-4', 'fe-5', 'fe-6'] as const;
export const FRONT_ENDS_RUNNING = 3;
export const WORKERS = ['worker-1', 'worker-2', 'worker-3', 'worker-4'] as const;
export const BALANCER = 'balancer';
export const CLIENT = 'client';
export const HOSTS: readonly string[] = [...NATS, ...FRONT_ENDS, ...WORKERS, BALANCER, CLIENT];

export const BALANCERS = ['haproxy', 'nginx'] as const;
export type Balancer = (typeof BALANCERS)[number];

/** What differs from the defaults, so that a run ends within minutes. */
export const SETTINGS = { leaseMs: 3_000, heartbeatMs: 1_000, drainDelayMs: 3_000 } as const;

/** Of every service: readiness and metrics. */
export const OPS_PORT = '9464';
export const NATS_OPS_PORT = '8222';

/** Where the tool keeps what it was told is durable. */
export const ACKS = 'acks';

export interface System {
  readonly nats: readonly Node[];
  readonly frontEnds: readonly Node[];
  readonly workers: readonly Node[];
  readonly balancer: Node;
  readonly url: string;
  end(): Promise<void>;
}

type Env = Readonly<Record<string, string>>;

/** Settings of one run, over those of every run. */
export interface Extras {
  readonly frontEnd?: Env;
  readonly worker?: Env;
}

export async function startSystem(
  network: Network,
  balancer: Balancer,
  dir: string,
  extras: Extras = {},
): Promise<System> {
  const logs = join(dir, 'logs');
  const binary = await natsServer();
  const nats = NATS.map((name) => new Node(network.host(name), natsProgram(binary, name, dir), logs));
  const frontEnds = FRONT_ENDS.map(
    (name) => new Node(network.host(name), withEnv(frontEndProgram(network.host(name)), extras.frontEnd), logs),
  );
  const workers = WORKERS.map(
    (name) => new Node(network.host(name), withEnv(workerProgram(network.host(name), dir), extras.worker), logs),
  );
  const entry = new Node(network.host(BALANCER), balancerProgram(balancer, dir), logs);
  const all = [entry, ...frontEnds, ...workers, ...nats];
  const end = async (): Promise<void> => {
    for (const node of all) await node.end(nats.includes(node) ? 'SIGKILL' : 'SIGTERM');
  };
  try {
    await Promise.all(nats.map((node) => node.start()));
    await Promise.all([...frontEnds.slice(0, FRONT_ENDS_RUNNING), ...workers].map((node) => node.start()));
    await entry.start();
  } catch (error) {
    await end();
    throw error;
  }
  return { nats, frontEnds, workers, balancer: entry, url: `http://${network.host(BALANCER).address}:8080/mcp`, end };
}

function withEnv(program: Program, env: Env = {}): Program {
  return { ...program, env: { ...program.env, ...env } };
}

async function natsServer(): Promise<string> {
  const found = await resolveNatsServer({ natsServerPath: process.env['NATS_SERVER'], path: process.env['PATH'] });
  if (found.kind !== 'binary') throw new Error('the failover test starts its own nats-servers');
  return found.file;
}

function natsProgram(binary: string, name: string, dir: string): Program {
  const data = join(dir, name);
  mkdirSync(data, { recursive: true });
  const deployed = readFileSync(join(ROOT, 'deploy/nats/nats.conf'), 'utf8');
  const config = deployed.replace('store_dir: /data', `store_dir: ${JSON.stringify(data)}`);
  if (config === deployed) throw new Error('deploy/nats/nats.conf has no store_dir: /data to be replaced');
  const file = join(data, 'nats.conf');
  writeFileSync(file, config);
  return {
    command: binary,
    args: ['--config', file],
    env: { SERVER_NAME: name },
    endSignal: 'SIGUSR2',
    ready: (host) => answers(host, 'http://127.0.0.1:8222/healthz?js-server-only=true'),
  };
}

const STORE = {
  TASKSTREAM_NATS_URL: NATS.map((name) => `nats://${name}:4222`).join(','),
  TASKSTREAM_REPLICAS: '3',
  TASKSTREAM_LEASE_MS: String(SETTINGS.leaseMs),
  TASKSTREAM_STREAM_BYTES_MAX: String(512 * 1024 ** 2),
  TASKSTREAM_LOG_LEVEL: 'info',
} as const;

function frontEndProgram(host: Host): Program {
  return {
    command: process.execPath,
    args: [join(ROOT, 'services/front-end/dist/main.js')],
    env: {
      ...STORE,
      TASKSTREAM_HOST: host.address,
      TASKSTREAM_PORT: '3000',
      TASKSTREAM_OPS_PORT: OPS_PORT,
      TASKSTREAM_OPS_HOST: host.address,
      TASKSTREAM_AUTH: 'static',
      TASKSTREAM_STATIC_TOKENS: `load:${TOKEN}`,
      TASKSTREAM_SESSION_KEY: 'a session key that all front ends of this test share',
      TASKSTREAM_ALLOWED_HOSTS: `10.77.0.${lastHost()}`,
      TASKSTREAM_HEARTBEAT_MS: String(SETTINGS.heartbeatMs),
      TASKSTREAM_DRAIN_DELAY_MS: String(SETTINGS.drainDelayMs),
    },
    ready: 'message',
  };
}

/** The balancer's place in the subnet: clients name it in `Host`. */
function lastHost(): number {
  return 10 + HOSTS.indexOf(BALANCER);
}

function workerProgram(host: Host, dir: string): Program {
  const acks = join(dir, ACKS);
  mkdirSync(acks, { recursive: true });
  return {
    command: process.execPath,
    args: [join(ROOT, 'services/worker/dist/main.js')],
    env: {
      ...STORE,
      TASKSTREAM_TOOLS: join(ROOT, 'test/failover/tools.mjs'),
      TASKSTREAM_SLOTS: '40',
      TASKSTREAM_OPS_PORT: OPS_PORT,
      TASKSTREAM_OPS_HOST: host.address,
      FAILOVER_ACKS: acks,
    },
    ready: 'message',
  };
}

function balancerProgram(balancer: Balancer, dir: string): Program {
  const file = join(dir, `${balancer}.conf`);
  writeFileSync(file, balancer === 'haproxy' ? haproxyConfig() : nginxConfig());
  return {
    command: balancer,
    args: balancer === 'haproxy' ? ['-db', '-f', file] : ['-g', 'daemon off;', '-c', file],
    env: { LISTEN: ':8080' },
    ready: (host) => answers(host, `http://${host.address}:8080/openapi.json`, true),
  };
}

/** The deployed file with a line for each front end instead of its two. */
function haproxyConfig(): string {
  const lines = readFileSync(join(ROOT, 'deploy/haproxy/haproxy.cfg'), 'utf8').split('\n');
  const isServer = (line: string): boolean => /^\s+server front-end-/.test(line);
  const template = lines.find(isServer);
  if (template === undefined) throw new Error('deploy/haproxy/haproxy.cfg names no front end');
  const servers = FRONT_ENDS.map((name) =>
    template
      .replaceAll('front-end-1', name)
      .replace('"${FRONT_END_1}"', `${name}:3000`)
      .replace('"${OPS_PORT_1}"', OPS_PORT),
  );
  const text = [...lines.filter((line) => !isServer(line)), ...servers, ''].join('\n');
  // Names come from a file here, not from a name server.
  const config = text.replace(' resolvers system init-addr last,libc,none', '');
  if (config === text) throw new Error('deploy/haproxy/haproxy.cfg asks no name server');
  return config;
}

function nginxConfig(): string {
  const lines = readFileSync(join(ROOT, 'deploy/nginx/nginx.conf'), 'utf8').split('\n');
  const isServer = (line: string): boolean => /^\s+server front-end-\d:3000/.test(line);
  const at = lines.findIndex(isServer);
  if (at < 0) throw new Error('deploy/nginx/nginx.conf names no front end');
  const template = lines[at] as string;
  const servers = FRONT_ENDS.map((name) => template.replace(/front-end-\d/, name));
  const rest = lines.filter((line) => !isServer(line));
  return [...rest.slice(0, at), ...servers, ...rest.slice(at)].join('\n');
}

/** Asks on the host itself; `any`: whatever the status. */
async function answers(host: Host, url: string, any = false): Promise<boolean> {
  const check = `fetch(${JSON.stringify(url)},{signal:AbortSignal.timeout(1000)}).then(r=>process.exit(r.ok||${any}?0:1),()=>process.exit(1))`;
  const child = host.spawn(process.execPath, ['-e', check], { env: {}, stdio: 'ignore' });
  return new Promise((resolve) => void child.once('exit', (code) => resolve(code === 0)));
}
