/**
 * Looks at every process of a run: from outside by /proc, at services by /metrics, at nats-servers by their monitoring.
 *
 * Invariant: only a process that has run since the start of the run is counted: the figures of one that was replaced say
 * nothing about time.
 */
import { readdirSync, readFileSync } from 'node:fs';
import * as z from 'zod';
import type { Helper } from '../failover/helper.js';
import type { Node } from '../failover/node.js';
import { NATS_OPS_PORT, OPS_PORT, type System } from '../failover/system.js';
import { cpuTicks, promValue, type Series, type SeriesBook } from './series.js';

const MIB = 1024 ** 2;
export const MACHINE = 'machine';
export const ALL_NATS = 'NATS, all servers';
const Varz = z.object({ connections: z.int(), slow_consumers: z.int(), mem: z.number() });
const Connz = z.object({ connections: z.array(z.object({ subscriptions: z.int() })) });
const Jsz = z.object({ consumers: z.int(), messages: z.int(), storage: z.number() });

interface NatsState {
  readonly connections: number;
  readonly subscriptions: number;
  readonly consumers: number;
  readonly slowConsumers: number;
  readonly messages: number;
  readonly storage: number;
}

export interface LoadMemory {
  readonly name: string;
  readonly pid: number | undefined;
  readonly heapBytes: number;
}

export class Sampler {
  readonly #system: System;
  readonly #scraper: Helper;
  readonly #book: SeriesBook;
  /** The processes that were there when the run began. */
  readonly #firstPids: ReadonlyMap<Node, number>;
  /** When the last look was taken. */
  lastAtMs = 0;
  #ticks = cpuTicks(readFileSync('/proc/stat', 'utf8'));

  constructor(system: System, scraper: Helper, book: SeriesBook) {
    this.#system = system;
    this.#scraper = scraper;
    this.#book = book;
    this.#firstPids = new Map(
      this.#nodes().flatMap((node) => (node.pid === undefined ? [] : [[node, node.pid] as const])),
    );
  }

  series(): readonly Series[] {
    return this.#book.all();
  }

  #nodes(): Node[] {
    const { frontEnds, workers, nats, balancer } = this.#system;
    return [...frontEnds, ...workers, ...nats, balancer];
  }

  /** Those of `nodes` that were not ended in between. */
  livedThrough(node: Node): boolean {
    return node.pid !== undefined && this.#firstPids.get(node) === node.pid;
  }

  async sample(atMs: number, load: readonly LoadMemory[]): Promise<void> {
    this.lastAtMs = atMs;
    this.#machine(atMs);
    for (const { name, pid, heapBytes } of load) {
      this.#process(name, pid, atMs);
      this.#book.add(name, 'heap', atMs, heapBytes / MIB);
    }
    for (const node of this.#nodes()) if (this.livedThrough(node)) this.#process(node.name, node.pid, atMs);
    await Promise.all([this.#services(atMs), this.#nats(atMs)]);
  }

  #machine(atMs: number): void {
    const now = cpuTicks(readFileSync('/proc/stat', 'utf8'));
    const all = now.all - this.#ticks.all;
    if (all > 0) this.#book.add(MACHINE, 'cpu', atMs, (100 * (now.busy - this.#ticks.busy)) / all);
    this.#ticks = now;
  }

  #process(name: string, pid: number | undefined, atMs: number): void {
    if (pid === undefined) return;
    try {
      const status = readFileSync(`/proc/${pid}/status`, 'utf8');
      const field = (key: string): number => Number(new RegExp(`^${key}:\\s+(\\d+)`, 'm').exec(status)?.[1]);
      this.#book.add(name, 'rss', atMs, field('VmRSS') / 1024);
      this.#book.add(name, 'threads', atMs, field('Threads'));
      this.#book.add(name, 'fds', atMs, readdirSync(`/proc/${pid}/fd`).length);
    } catch {
      // It has ended since: the fault's doing.
    }
  }

  async #services(atMs: number): Promise<void> {
    const nodes = [...this.#system.frontEnds, ...this.#system.workers].filter((node) => this.livedThrough(node));
    const texts = await this.#fetch(nodes.map((node) => `http://${node.host.address}:${OPS_PORT}/metrics`));
    nodes.forEach((node, i) => {
      const text = texts[i];
      if (text === undefined || text === null) return;
      const add = (measure: Parameters<SeriesBook['add']>[1], metric: string, unit = 1): void => {
        const value = promValue(text, metric);
        this.#book.add(node.name, measure, atMs, value === undefined ? undefined : value / unit);
      };
      add('heap', 'nodejs_heap_size_used_bytes', MIB);
      add('openStreams', 'taskstream_open_streams');
      add('followedTasks', 'taskstream_followed_tasks');
      add('runningAttempts', 'taskstream_running_attempts');
    });
  }

  async #nats(atMs: number): Promise<void> {
    const { nats } = this.#system;
    const paths = ['varz', 'connz?limit=10000', 'jsz'];
    const answers = await this.#fetch(
      nats.flatMap((node) => paths.map((path) => `http://${node.host.address}:${NATS_OPS_PORT}/${path}`)),
    );
    const states = nats.map((_, i) => stateOf(answers.slice(i * paths.length, (i + 1) * paths.length)));
    // One that does not answer leaves a hole in a sum.
    if (states.some((state) => state === undefined)) return;
    const all = states.filter((state) => state !== undefined);
    const keys = ['connections', 'subscriptions', 'consumers', 'slowConsumers', 'messages', 'storage'] as const;
    for (const key of keys) {
      const sum = all.reduce((total, state) => total + state[key], 0);
      this.#book.add(ALL_NATS, key, atMs, sum);
    }
  }

  #fetch(urls: readonly string[]): Promise<Array<string | null>> {
    return this.#scraper.ask(z.array(z.string().nullable()), { urls });
  }
}

function stateOf([varz, connz, jsz]: ReadonlyArray<string | null>): NatsState | undefined {
  if (typeof varz !== 'string' || typeof connz !== 'string' || typeof jsz !== 'string') return undefined;
  const server = Varz.parse(JSON.parse(varz));
  const stored = Jsz.parse(JSON.parse(jsz));
  return {
    connections: server.connections,
    subscriptions: Connz.parse(JSON.parse(connz)).connections.reduce((sum, one) => sum + one.subscriptions, 0),
    consumers: stored.consumers,
    slowConsumers: server.slow_consumers,
    messages: stored.messages,
    storage: stored.storage / MIB,
  };
}
