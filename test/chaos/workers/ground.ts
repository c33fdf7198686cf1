/**
 * What chaos stands on: nats-servers, workers and front ends that are started again when they die, and a journal.
 */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { NatsServer } from '@taskstream/embedded';
import { connectStore, startCluster, startNats, type TestStore } from '../../support/nats.js';
import { startFrontEnd, startWorker, type FrontEnd, type TestProcess } from '../../support/system.js';
import { parseJournal, type JournalLine } from './journal.js';
import { ProcessPool } from './pool.js';

const TOOLS = fileURLToPath(new URL('./tools.mjs', import.meta.url));

export interface GroundOptions {
  readonly nodes: 1 | 3;
  readonly workers: number;
  readonly leaseMs: number;
  /** Of each worker. */
  readonly slots?: number;
  readonly frontEnds?: number;
}

export interface Ground extends AsyncDisposable {
  readonly leaseMs: number;
  readonly servers: ReadonlyArray<NatsServer>;
  readonly on: TestStore;
  readonly workers: ProcessPool<TestProcess>;
  readonly frontEnds: ProcessPool<FrontEnd>;
  journal(): Promise<JournalLine[]>;
}

/** Workers run first, so that a front end lists their tools from its first request on. */
export async function layGround(options: GroundOptions): Promise<Ground> {
  const { nodes, leaseMs, slots = 10 } = options;
  const dir = await mkdtemp(join(tmpdir(), 'taskstream-chaos-'));
  const journalFile = join(dir, 'journal');
  await writeFile(journalFile, '');
  const nats = nodes === 1 ? await startNats() : await startCluster();
  const urls = 'urls' in nats ? nats.urls : [nats.url];
  const on = await connectStore(urls, { replicas: nodes });
  const common = {
    TASKSTREAM_REPLICAS: String(nodes),
    TASKSTREAM_LEASE_MS: String(leaseMs),
    TASKSTREAM_LOG_LEVEL: 'warn',
  };
  const workers = new ProcessPool(options.workers, () =>
    startWorker(urls, {
      ...common,
      CHAOS_JOURNAL: journalFile,
      TASKSTREAM_TOOLS: TOOLS,
      TASKSTREAM_SLOTS: String(slots),
      TASKSTREAM_DRAIN_MS_MAX: '1000',
      TASKSTREAM_OPS_PORT: '0',
    }),
  );
  const frontEnds = new ProcessPool(options.frontEnds ?? 0, () => startFrontEnd(urls, common));
  await workers.fill();
  await frontEnds.fill();
  return {
    leaseMs,
    servers: 'cluster' in nats ? nats.cluster.nodes : [nats.server],
    on,
    workers,
    frontEnds,
    journal: async () => parseJournal(await readFile(journalFile, 'utf8')),
    async [Symbol.asyncDispose]() {
      await Promise.all([workers.close(), frontEnds.close()]);
      await on[Symbol.asyncDispose]();
      await nats[Symbol.asyncDispose]();
      await rm(dir, { recursive: true, force: true });
    },
  };
}
