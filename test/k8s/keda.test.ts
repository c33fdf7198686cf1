/**
 * What KEDA reads of our queues is right: its requests, with the trigger of the manifests, against three nodes that run
 * the very nats.conf of the manifests. Only addresses differ, and the test stands in for DNS.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { isPortFree, resolveNatsServer } from '@taskstream/embedded';
import {
  connectBroker,
  openStore,
  provision,
  provisionQueue,
  LINES,
  lineConsumer,
  queueConsumers,
  SILENT_OBSERVER,
  StoreOptions,
  WORK_STREAM,
} from '@taskstream/jetstream';
import type { ClaimedItem } from '@taskstream/core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import * as z from 'zod';
import { createTask } from '../support/task-logs.js';
import type { TestStore } from '../support/nats.js';
import { until } from '../integration/front-end/http.js';
import { KedaScaler, type Trigger } from './keda-scaler.js';

const k8s = (file: string): string =>
  readFileSync(fileURLToPath(new URL(`../../k8s/${file}`, import.meta.url)), 'utf8');
const TOKEN = 'token-of-this-test';
const NODES = ['nats-0', 'nats-1', 'nats-2'] as const;
const WAITING = 7;
const RUNNING = 3;

const TriggerMetadata = z.looseObject({
  natsServerMonitoringEndpoint: z.string(),
  account: z.string(),
  stream: z.string(),
  consumer: z.string(),
});
const ScaledObject = z.object({
  spec: z.looseObject({ triggers: z.array(z.looseObject({ metadata: TriggerMetadata })) }),
});
const triggers: Trigger[] = ScaledObject.parse(
  parse(k8s('components/keda-worker/scaled-object.yaml')),
).spec.triggers.map((one) => one.metadata);
const QUEUE = 'default';
/** The line that the tasks of the test stand in: where nobody has ranked them. */
const LINE = LINES.find(({ name }) => name === 'QUEUE') as (typeof LINES)[number];
const trigger = triggers.find((one) => one.consumer === lineConsumer(QUEUE, LINE)) as Trigger;

interface Node {
  readonly name: string;
  readonly clientPort: number;
  readonly monitorPort: number;
  readonly routePort: number;
  readonly start: () => ChildProcess;
  child: ChildProcess;
}

let directory: string;
let nodes: Node[];
let on: TestStore;
let claimed: ClaimedItem[];
const stopPulling = new AbortController();

/** Three free ports a node, next to each other. */
async function freePorts(count: number): Promise<number[]> {
  for (let first = 20_000 + Math.floor(Math.random() * 30_000); ; first += count) {
    const ports = Array.from({ length: count }, (_, index) => first + index);
    if ((await Promise.all(ports.map(isPortFree))).every(Boolean)) return ports;
  }
}

async function startNodes(): Promise<Node[]> {
  const server = await resolveNatsServer({ natsServerPath: process.env['NATS_SERVER'], path: process.env['PATH'] });
  if (server.kind !== 'binary') throw new Error('a binary is needed');
  const ports = await freePorts(NODES.length * 3);
  const routePort = (index: number): number => ports[index * 3 + 2] ?? 0;
  const routeUrl = (index: number): string => `"nats://127.0.0.1:${routePort(index)}"`;
  return Promise.all(
    NODES.map(async (name, index) => {
      const [clientPort = 0, monitorPort = 0] = ports.slice(index * 3);
      const file = path.join(directory, `${name}.conf`);
      const conf = k8s('components/nats/nats.conf')
        .replace('0.0.0.0:4222', `127.0.0.1:${clientPort}`)
        .replace('0.0.0.0:8222', `127.0.0.1:${monitorPort}`)
        .replace('0.0.0.0:6222', `127.0.0.1:${routePort(index)}`)
        .replace('/var/run/nats/nats.pid', path.join(directory, `${name}.pid`))
        .replace('store_dir: /data', `store_dir: ${path.join(directory, name)}`)
        .replaceAll(/"nats:\/\/nats-(\d)\.nats-headless:6222"/g, (_, node: string) => routeUrl(Number(node)));
      await writeFile(file, conf);
      const start = (): ChildProcess =>
        spawn(server.file, ['--config', file], {
          env: { SERVER_NAME: name, TASKSTREAM_NATS_TOKEN: TOKEN, MAX_FILE_STORE: '64GB' },
          stdio: 'ignore',
        });
      return { name, clientPort, monitorPort, routePort: routePort(index), start, child: start() };
    }),
  );
}

/** DNS of the cluster, as far as the scaler needs it: the headless service is any node, a pod's name before it is one. */
function resolver(anyNode: string): (url: string) => Promise<unknown> {
  return async (url) => {
    const { hostname, port, pathname, search } = new URL(url);
    const [headless = ''] = trigger.natsServerMonitoringEndpoint.split(':');
    const name = hostname === headless ? anyNode : hostname.endsWith(`.${headless}`) ? hostname.split('.', 1)[0] : '';
    const node = nodes.find((one) => one.name === name);
    if (node === undefined || port !== '8222') throw new Error(`${url}: no such host`);
    const text = await (await fetch(`http://127.0.0.1:${node.monitorPort}${pathname}${search}`)).text();
    return JSON.parse(
      nodes.reduce((named, one) => named.replaceAll(`127.0.0.1:${one.routePort}`, routeName(one)), text),
    );
  };
}

/** The route to a node as nats.conf has it. */
function routeName({ name }: Node): string {
  const [, route] = new RegExp(`"nats://(${name}\\.[^"]+)"`).exec(k8s('components/nats/nats.conf')) ?? [];
  if (route === undefined) throw new Error(`nats.conf has no route to ${name}`);
  return route;
}

const scaler = (anyNode: string, change: Partial<Trigger> = {}): KedaScaler =>
  new KedaScaler({ ...trigger, ...change }, resolver(anyNode));

/** Empty while there is none. */
async function leader(): Promise<string> {
  const info = await on.broker.jsm.consumers.info(WORK_STREAM, lineConsumer(QUEUE, LINE)).catch(() => undefined);
  return info?.cluster?.leader ?? '';
}

beforeAll(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'taskstream-keda-'));
  nodes = await startNodes();
  const options = StoreOptions.parse({
    replicas: 3,
    streamBytesMax: 64 * 1024 ** 2,
    workBytesMax: 64 * 1024 ** 2,
    leaseMs: 120_000,
  });
  const broker = await connectBroker({
    servers: nodes.map((node) => `nats://127.0.0.1:${node.clientPort}`),
    name: 'test',
    connectMsMax: 20_000,
    readTimeoutMs: options.readTimeoutMs,
    auth: { token: TOKEN },
  });
  await provision(broker, options);
  await provisionQueue(broker, options, QUEUE);
  const store = openStore(broker, options, SILENT_OBSERVER);
  on = { broker, store, options, [Symbol.asyncDispose]: () => broker.close() };
  for (let i = 0; i < WAITING + RUNNING; i++) await createTask(on, { queue: QUEUE });
  claimed = [];
  void store.work.pull(QUEUE, RUNNING, (item) => claimed.push(item), stopPulling.signal);
  await until(() => Promise.resolve(claimed.length === RUNNING), 'claimed items');
}, 90_000);

afterAll(async () => {
  stopPulling.abort();
  on?.store.close();
  await on?.[Symbol.asyncDispose]();
  for (const node of nodes ?? []) {
    if (node.child.exitCode === null && node.child.signalCode === null) {
      node.child.kill('SIGKILL');
      await once(node.child, 'exit');
    }
  }
  await rm(directory, { recursive: true, force: true, maxRetries: 5 });
});

it('the triggers name the stream and every consumer of the queue', async () => {
  expect(triggers.map((one) => one.consumer)).toEqual(queueConsumers(QUEUE));
  for (const one of triggers) expect(one).toMatchObject({ stream: WORK_STREAM, account: '$G' });
  // The lines that nothing stands in are there, too: a missing consumer would be an error, and no sum.
  const lags = await Promise.all(triggers.map((one) => scaler(NODES[0], one).poll()));
  expect(lags).toEqual(triggers.map((one) => (one === trigger ? WAITING + RUNNING : 0)));
});

describe('whichever node the endpoint leads to', () => {
  it.each(NODES)('%s: the scaler reads what waits and what runs, at once and from then on', async (node) => {
    const one = scaler(node);
    expect(await one.poll()).toBe(WAITING + RUNNING);
    expect(await one.poll()).toBe(WAITING + RUNNING);
  });
});

it('a node names all nodes by their routes, itself too, and advertises none', async () => {
  for (const { name } of nodes) {
    const varz = await resolver(name)(`http://${trigger.natsServerMonitoringEndpoint}/varz`);
    expect(varz).toMatchObject({ server_name: name, cluster: { urls: nodes.map(routeName) } });
    expect(varz).not.toHaveProperty('connect_urls');
  }
});

it('only the leader knows: that is why the endpoint has to be the headless service', async () => {
  const leading = await leader();
  const say = async (name: string) => {
    const { monitorPort } = nodes.find((node) => node.name === name) as Node;
    const url = `http://127.0.0.1:${monitorPort}/jsz?acc=${trigger.account}&consumers=true&config=true`;
    return (await new KedaScaler(trigger, async (at) => (await fetch(at)).json()).look(url)).found;
  };
  expect(await say(leading)).toEqual({ leader: leading, lag: WAITING + RUNNING });
  const followers = await Promise.all(NODES.filter((name) => name !== leading).map(say));
  for (const follower of followers) {
    expect(follower?.leader).toBe(leading);
    expect(follower?.lag).toBeLessThan(WAITING + RUNNING);
  }
  const byClientService = scaler(NODES[0], { natsServerMonitoringEndpoint: 'nats.taskstream.svc.cluster.local:8222' });
  await expect(byClientService.poll()).rejects.toThrow('no such host');
  await expect(scaler(NODES[0], { consumer: 'default' }).poll()).rejects.toThrow('leader node not found');
});

it('a scaler that knew the leader finds the next one, and sees acknowledged work go', async () => {
  const first = await leader();
  const other = NODES.find((name) => name !== first) as string;
  const one = scaler(other);
  expect(await one.poll()).toBe(WAITING + RUNNING);
  await on.broker.nc.request(`$JS.API.CONSUMER.LEADER.STEPDOWN.${WORK_STREAM}.${trigger.consumer}`);
  await until(async () => !['', first].includes(await leader()), 'another leader');
  const reads = (lag: number) => async () => (await one.poll().catch(() => -1)) === lag;
  await until(reads(WAITING + RUNNING), 'the backlog, read from the new leader', 20_000);
  await claimed[0]?.ack();
  await until(reads(WAITING + RUNNING - 1), 'one task less', 20_000);

  // While the leader it knows is gone the scaler has an error, which the fallback covers; then it is right again.
  const leading = await leader();
  const dying = nodes.find((node) => node.name === leading) as Node;
  dying.child.kill('SIGKILL');
  await once(dying.child, 'exit');
  await expect(one.poll()).rejects.toThrow('fetch failed');
  dying.child = dying.start();
  await until(reads(WAITING + RUNNING - 1), 'the backlog after a restart', 40_000);
});
