/**
 * Runs a cluster of nats-servers on one machine, for tests of failover.
 *
 * Invariants: `startNatsCluster` resolves only when the JetStream meta group has a leader that sees every other node
 * current; a failed start leaves no process behind.
 */
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import * as z from 'zod';
import { EmbeddedError, isEmbeddedError } from './errors.js';
import { startNatsServer, type NatsServer, type NatsServerOptions } from './nats-server.js';
import { pickFreePort } from './ports.js';

const READY_MS_MAX_DEFAULT = 60_000;
const POLL_MS = 50;
const PROBE_MS_MAX = 1_000;
const PORT_TRIES_MAX = 5;

export interface NatsClusterOptions extends Omit<NatsServerOptions, 'port' | 'name' | 'cluster' | 'logFile'> {
  /** Number of servers; 3 unless told. */
  readonly nodes?: number | undefined;
  readonly name?: string | undefined;
  readonly readyMsMax?: number | undefined;
}

export interface NatsCluster {
  /** Each restarts, stops and takes signals on its own. */
  readonly nodes: readonly NatsServer[];
  readonly urls: readonly string[];
  /** The running node that leads the meta group; undefined while there is none. */
  metaLeader(): Promise<NatsServer | undefined>;
  /** The running node that leads the stream, as that node itself says; undefined while there is none. */
  streamLeader(stream: string): Promise<NatsServer | undefined>;
  /** Waits until a meta leader sees all running nodes current. Throws `start_failed` after `readyMsMax`. */
  waitUntilReady(readyMsMax?: number): Promise<void>;
  stop(): Promise<void>;
}

export async function startNatsCluster(options: NatsClusterOptions): Promise<NatsCluster> {
  const { nodes: count = 3, name = 'embedded', readyMsMax = READY_MS_MAX_DEFAULT, ...shared } = options;
  await mkdir(options.dataDir, { recursive: true });
  for (let tried = 1; ; tried += 1) {
    const routePorts = await Promise.all(Array.from({ length: count }, pickFreePort));
    const starts = await Promise.allSettled(
      routePorts.map((port, index) =>
        startNatsServer({
          ...shared,
          dataDir: path.join(options.dataDir, `n${index + 1}`),
          name: `n${index + 1}`,
          cluster: { name, port, routePorts },
        }),
      ),
    );
    const nodes = starts.flatMap((start) => (start.status === 'fulfilled' ? [start.value] : []));
    const failure = starts.find((start) => start.status === 'rejected');
    if (failure === undefined) {
      const cluster = clusterOf(nodes, readyMsMax);
      try {
        await cluster.waitUntilReady();
      } catch (error) {
        await cluster.stop();
        throw error;
      }
      return cluster;
    }
    await Promise.all(nodes.map((node) => node.stop('SIGKILL')));
    if (!isEmbeddedError(failure.reason, 'port_taken') || tried >= PORT_TRIES_MAX) throw failure.reason;
  }
}

function clusterOf(nodes: readonly NatsServer[], readyMsMaxDefault: number): NatsCluster {
  const running = (): NatsServer[] => nodes.filter((node) => node.running);

  const metaLeader = async (): Promise<NatsServer | undefined> => {
    for (const node of running()) if ((await readMeta(node))?.leader === node.name) return node;
    return undefined;
  };

  const streamLeader = async (stream: string): Promise<NatsServer | undefined> => {
    for (const node of running()) if ((await readStreamLeader(node, stream)) === node.name) return node;
    return undefined;
  };

  const waitUntilReady = async (readyMsMax = readyMsMaxDefault): Promise<void> => {
    const deadline = performance.now() + readyMsMax;
    for (;;) {
      const expected = running().length - 1;
      for (const node of running()) {
        const meta = await readMeta(node);
        if (meta?.leader === node.name && meta.currentReplicas >= expected) return;
      }
      if (performance.now() > deadline) {
        const names = running().map((node) => `${node.name} (${node.logFile})`);
        throw new EmbeddedError(
          'start_failed',
          `The NATS cluster has no JetStream meta leader with current followers after ${readyMsMax} ms; ` +
            `see the logs of ${names.join(', ')}`,
        );
      }
      await sleep(POLL_MS);
    }
  };

  return {
    nodes,
    urls: nodes.map((node) => node.url),
    metaLeader,
    streamLeader,
    waitUntilReady,
    stop: async () => {
      await Promise.all(nodes.map((node) => node.stop()));
    },
  };
}

const Jsz = z.object({
  meta_cluster: z
    .object({
      leader: z.string().optional(),
      replicas: z.array(z.object({ current: z.boolean(), offline: z.boolean().optional() })).nullish(),
    })
    .optional(),
  account_details: z
    .array(
      z.object({
        stream_detail: z
          .array(z.object({ name: z.string(), cluster: z.object({ leader: z.string().optional() }).optional() }))
          .nullish(),
      }),
    )
    .nullish(),
});

/** What a node's monitor says; undefined when the node does not answer in time or answers something else. */
async function readJsz(node: NatsServer, query: string): Promise<z.infer<typeof Jsz> | undefined> {
  try {
    const response = await fetch(`${node.monitorUrl}/jsz${query}`, { signal: AbortSignal.timeout(PROBE_MS_MAX) });
    return Jsz.parse(await response.json());
  } catch {
    return undefined;
  }
}

interface MetaGroup {
  readonly leader: string | undefined;
  readonly currentReplicas: number;
}

async function readMeta(node: NatsServer): Promise<MetaGroup | undefined> {
  const meta = (await readJsz(node, ''))?.meta_cluster;
  if (meta === undefined) return undefined;
  const current = (meta.replicas ?? []).filter((replica) => replica.current && replica.offline !== true);
  return { leader: meta.leader, currentReplicas: current.length };
}

async function readStreamLeader(node: NatsServer, stream: string): Promise<string | undefined> {
  const jsz = await readJsz(node, '?streams=true');
  const details = (jsz?.account_details ?? []).flatMap((account) => account.stream_detail ?? []);
  return details.find((detail) => detail.name === stream)?.cluster?.leader;
}
