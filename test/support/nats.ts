/**
 * Real nats-servers for tests, each with its data in a directory of its own that goes with it.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  resolveNatsServer,
  startNatsCluster,
  startNatsServer,
  type NatsCluster,
  type NatsServer,
} from '@taskstream/embedded';
import {
  connectBroker,
  openStore,
  provision,
  SILENT_OBSERVER,
  StoreOptions,
  type Broker,
  type Store,
  type StoreObserver,
} from '@taskstream/jetstream';

async function binary(): Promise<string> {
  const found = await resolveNatsServer({
    natsServerPath: process.env['NATS_SERVER'],
    path: process.env['PATH'],
  });
  if (found.kind !== 'binary') throw new Error('tests start their own nats-server');
  return found.file;
}

async function directory(): Promise<{ dir: string; remove: () => Promise<void> }> {
  const dir = await mkdtemp(join(tmpdir(), 'taskstream-test-'));
  return { dir, remove: () => rm(dir, { recursive: true, force: true, maxRetries: 5 }) };
}

export interface TestNats extends AsyncDisposable {
  readonly server: NatsServer;
  readonly url: string;
}

/** `syncInterval` as nats-server writes it; absent: its own default. `extraConfig`: lines of its configuration. */
export async function startNats(syncInterval?: string, extraConfig?: string): Promise<TestNats> {
  const { dir, remove } = await directory();
  const server = await startNatsServer({ binary: await binary(), dataDir: dir, syncInterval, extraConfig });
  return {
    server,
    url: server.url,
    async [Symbol.asyncDispose]() {
      await server.stop();
      await remove();
    },
  };
}

export interface TestCluster extends AsyncDisposable {
  readonly cluster: NatsCluster;
  readonly urls: string[];
}

/** Three nodes with JetStream. */
export async function startCluster(syncInterval?: string): Promise<TestCluster> {
  const { dir, remove } = await directory();
  const cluster = await startNatsCluster({ binary: await binary(), dataDir: dir, nodes: 3, syncInterval });
  return {
    cluster,
    urls: cluster.nodes.map((n) => n.url),
    async [Symbol.asyncDispose]() {
      await cluster.stop();
      await remove();
    },
  };
}

export interface TestStore extends AsyncDisposable {
  readonly broker: Broker;
  readonly store: Store;
  readonly options: StoreOptions;
}

/** A connection of its own with a provisioned store. */
export async function connectStore(
  servers: string | string[],
  overrides: Partial<StoreOptions> = {},
  observer: Partial<StoreObserver> = {},
): Promise<TestStore> {
  const options = { ...StoreOptions.parse({}), ...overrides };
  const broker = await connectBroker({
    servers,
    name: 'test',
    connectMsMax: 10_000,
    readTimeoutMs: options.readTimeoutMs,
  });
  await provision(broker, options);
  const store = openStore(broker, options, { ...SILENT_OBSERVER, ...observer });
  return {
    broker,
    store,
    options,
    async [Symbol.asyncDispose]() {
      store.close();
      await broker.close();
    },
  };
}
