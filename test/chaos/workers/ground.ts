/**
 * What chaos stands on: nats-servers, four workers that are started again when they die, and a journal.
 */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { NatsServer } from '@taskstream/embedded';
import { connectStore, startCluster, startNats, type TestStore } from '../../support/nats.js';
import { startWorker, stopAll, type TestProcess } from '../../support/system.js';
import { parseJournal, type JournalLine } from './checks.js';

const TOOLS = fileURLToPath(new URL('./tools.mjs', import.meta.url));
export const LEASE_MS = 2_000;

export interface Ground extends AsyncDisposable {
  readonly urls: string[];
  readonly servers: ReadonlyArray<NatsServer>;
  readonly on: TestStore;
  readonly workers: WorkerPool;
  journal(): Promise<JournalLine[]>;
}

export async function layGround(nodes: 1 | 3, workers: number): Promise<Ground> {
  const dir = await mkdtemp(join(tmpdir(), 'taskstream-chaos-'));
  const journalFile = join(dir, 'journal');
  await writeFile(journalFile, '');
  const nats = nodes === 1 ? await startNats() : await startCluster();
  const urls = 'urls' in nats ? nats.urls : [nats.url];
  const on = await connectStore(urls, { replicas: nodes });
  const pool = new WorkerPool(urls, workers, {
    CHAOS_JOURNAL: journalFile,
    TASKSTREAM_TOOLS: TOOLS,
    TASKSTREAM_REPLICAS: String(nodes),
    TASKSTREAM_LEASE_MS: String(LEASE_MS),
    TASKSTREAM_LOG_LEVEL: 'warn',
    TASKSTREAM_DRAIN_MS_MAX: '1000',
  });
  return {
    urls,
    servers: 'cluster' in nats ? nats.cluster.nodes : [nats.server],
    on,
    workers: pool,
    journal: async () => parseJournal(await readFile(journalFile, 'utf8')),
    async [Symbol.asyncDispose]() {
      await pool.close();
      await on[Symbol.asyncDispose]();
      await nats[Symbol.asyncDispose]();
      await rm(dir, { recursive: true, force: true });
    },
  };
}

/** As many workers as it is told, whatever becomes of them. */
export class WorkerPool {
  readonly #urls: string[];
  readonly #env: Record<string, string>;
  #wanted: number;
  #live: TestProcess[] = [];
  readonly #starting = new Set<Promise<void>>();
  #closed = false;

  constructor(urls: string[], wanted: number, env: Record<string, string>) {
    this.#urls = urls;
    this.#wanted = wanted;
    this.#env = env;
  }

  get live(): ReadonlyArray<TestProcess> {
    return this.#live;
  }

  /** Starts what is missing; resolves when all of it runs. */
  async fill(): Promise<void> {
    while (!this.#closed && this.#live.length + this.#starting.size < this.#wanted) {
      const starting = this.#start().finally(() => this.#starting.delete(starting));
      this.#starting.add(starting);
    }
    await Promise.all(this.#starting);
  }

  async #start(): Promise<void> {
    let worker: TestProcess;
    try {
      worker = await startWorker(this.#urls, this.#env);
    } catch (error) {
      // A start may fall into an outage of NATS; a supervisor would try again, too.
      if (this.#closed) throw error;
      return void setTimeout(() => void this.fill(), 200);
    }
    this.#live.push(worker);
    void worker.exited.then(() => {
      this.#live = this.#live.filter((other) => other !== worker);
      void this.fill();
    });
  }

  /** Drains what is too much; resolves when it is gone. */
  async scale(wanted: number): Promise<void> {
    this.#wanted = wanted;
    const leaving = this.#live.slice(wanted);
    for (const worker of leaving) worker.kill('SIGTERM');
    await Promise.all(leaving.map((worker) => worker.exited));
    await this.fill();
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#wanted = 0;
    await Promise.allSettled(this.#starting);
    await stopAll(this.#live, 'SIGKILL');
  }
}
