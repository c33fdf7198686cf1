/**
 * Nodes are lost with their disks, all at once, and everything with them: nothing acknowledged is lost, and tasks end.
 * docs/recovery.md §Losses. One node that comes back, elections: test/integration/log/cluster; a lone server: test/fault.
 */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { NatsServer } from '@taskstream/embedded';
import { connectStore, startCluster, type TestCluster, type TestStore } from '../support/nats.js';
import { callTask, expectContiguous, readStream, type ReadStream } from '../support/rpc.js';
import { startFrontEnd, startWorker, stopAll, type FrontEnd, type TestProcess } from '../support/system.js';
import { storedLines } from '../support/task-logs.js';

const STREAM = 'TASKS_d_0';
const TASKS = 2;
const READ_MS_MAX = 15_000;
const ENV = {
  TASKSTREAM_REPLICAS: '3',
  TASKSTREAM_RETENTION_CLASSES: 'd:86400000',
  TASKSTREAM_LEASE_MS: '3000',
};

let nats: TestCluster;
let on: TestStore;
let frontEnd: FrontEnd;
let workers: TestProcess[] = [];

async function startServices(): Promise<void> {
  [frontEnd, ...workers] = await Promise.all([
    startFrontEnd(nats.urls, ENV),
    startWorker(nats.urls, ENV),
    startWorker(nats.urls, ENV),
  ]);
}

beforeAll(async () => {
  nats = await startCluster();
  on = await connectStore(nats.urls, { replicas: 3, retentionClasses: [{ name: 'd', ttlMsMax: 86_400_000 }] });
  await startServices();
}, 120_000);

afterAll(async () => {
  await stopAll([...workers, ...(frontEnd === undefined ? [] : [frontEnd])], 'SIGKILL');
  await on?.[Symbol.asyncDispose]();
  await nats?.[Symbol.asyncDispose]();
});

interface Running {
  readonly taskId: string;
  /** What a client has been given so far. */
  readonly seen: string[];
}

/** Tasks at work, each seen by a client up to some event. */
async function startTasks(): Promise<Running[]> {
  return Promise.all(
    Array.from({ length: TASKS }, async () => {
      const taskId = await callTask(frontEnd.endpoint, 'count', { n: 40, everyMs: 50 });
      const { params } = await readStream(frontEnd.endpoint, taskId, undefined, { stop: (_p, count) => count >= 12 });
      return { taskId, seen: params };
    }),
  );
}

/** One read, cut when it lasts too long, as when it waits for a node that is gone. Undefined when none could be opened. */
async function readOn(taskId: string, after: number): Promise<ReadStream | undefined> {
  const stop = new AbortController();
  const timer = setTimeout(() => stop.abort(), READ_MS_MAX);
  try {
    return await readStream(frontEnd.endpoint, taskId, after, { signal: stop.signal });
  } catch {
    await delay(250);
    return undefined;
  } finally {
    clearTimeout(timer);
  }
}

/** Clients resume after what they have seen: the rest comes, nothing that they saw has changed, nothing is missing. */
async function expectAllEnd(tasks: ReadonlyArray<Running>): Promise<void> {
  for (const { taskId, seen } of tasks) {
    const lines = [...seen];
    let status: unknown;
    for (let tries = 0; status === undefined && tries < 60; tries++) {
      const rest = await readOn(taskId, lines.length - 1);
      lines.push(...(rest?.params ?? []));
      const end = rest?.result?.['_meta'] as Record<string, { reason: string; status: string }> | undefined;
      if (end?.['dev.taskstream/stream']?.reason === 'terminal') status = end['dev.taskstream/stream'].status;
    }
    expect(status).toBe('completed');
    expectContiguous(lines, 0);
    // While a leader is elected the stream does not answer.
    const stored = () => storedLines(on, taskId).catch(() => undefined);
    await expect.poll(stored, { timeout: 60_000, interval: 200 }).toEqual(lines);
  }
}

async function kill(node: NatsServer): Promise<void> {
  node.kill('SIGKILL');
  await node.exited;
}

/** Every stream has all its replicas, and all are current. */
async function healed(): Promise<boolean> {
  try {
    for await (const { cluster } of on.broker.jsm.streams.list()) {
      const replicas = cluster?.replicas ?? [];
      if (cluster?.leader === undefined || replicas.length !== 2 || !replicas.every((r) => r.current)) return false;
    }
    return true;
  } catch {
    return false;
  }
}

async function leaderOf(stream: string): Promise<NatsServer> {
  await expect.poll(async () => (await nats.cluster.streamLeader(stream))?.name, { timeout: 30_000 }).toBeDefined();
  return (await nats.cluster.streamLeader(stream)) as NatsServer;
}

/** A drill of minutes, whose time is the cluster's: `npm run drill:nodes`. */
const DRILL = process.env['DRILL'] !== undefined;
if (!DRILL) process.stderr.write('NOT TESTED: the loss of nodes with their disks; npm run drill:nodes does it\n');

describe.runIf(DRILL)('three nodes, three replicas', () => {
  it('one is lost with its disk, and an empty one takes its name: the streams fill it, and it carries the quorum', async () => {
    const tasks = await startTasks();
    const victim = await leaderOf(STREAM);
    await kill(victim);
    await rm(join(victim.dataDir, 'store'), { recursive: true });
    await victim.restart();
    await expectAllEnd(tasks);
    await expect.poll(healed, { timeout: 60_000, interval: 250 }).toBe(true);
    // What the new node has is enough: with another node gone, it is one of two that make the quorum.
    const other = nats.cluster.nodes.find((node) => node !== victim) as NatsServer;
    await kill(other);
    await expectAllEnd(await startTasks());
    await expectAllEnd(tasks);
    await other.restart();
  }, 180_000);

  it('all are lost at once, and come back with their disks: the services go on by themselves', async () => {
    const tasks = await startTasks();
    await Promise.all(nats.cluster.nodes.map(kill));
    await Promise.all(nats.cluster.nodes.map((node) => node.restart()));
    await expectAllEnd(tasks);
  }, 120_000);

  it('everything is lost at once, services too: all is started again, and clients resume', async () => {
    const tasks = await startTasks();
    const services = [frontEnd, ...workers];
    for (const node of nats.cluster.nodes) node.kill('SIGKILL');
    for (const service of services) service.kill('SIGKILL');
    await Promise.all([...nats.cluster.nodes, ...services].map((process_) => process_.exited));
    await Promise.all([...nats.cluster.nodes.map((node) => node.restart()), startServices()]);
    await expectAllEnd(tasks);
  }, 180_000);
});
