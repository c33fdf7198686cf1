/**
 * The series of a run: which figure of which process, with its unit and its slack.
 *
 * Invariant: a series is of one process, or a sum over all nats-servers of moments when all of them answered.
 */
import type { Sample } from './flat.js';

export interface Measure {
  readonly name: string;
  readonly unit: 'MiB' | '%' | '';
  /** How much more than a tenth the last quarter may have. Null: shown, and not judged. */
  readonly slack: number | null;
}

const MIB = 'MiB' as const;

export const MEASURES = {
  rss: { name: 'memory, resident', unit: MIB, slack: 16 },
  heap: { name: 'heap used', unit: MIB, slack: 8 },
  fds: { name: 'file descriptors', unit: '', slack: 20 },
  threads: { name: 'threads', unit: '', slack: 4 },
  /** Streams and feeds move between front ends with each fault: they explain the rest, and are no leak. */
  openStreams: { name: 'open streams', unit: '', slack: null },
  followedTasks: { name: 'followed tasks', unit: '', slack: 20 },
  runningAttempts: { name: 'running attempts', unit: '', slack: null },
  connections: { name: 'connections', unit: '', slack: 4 },
  subscriptions: { name: 'subscriptions of clients', unit: '', slack: 50 },
  consumers: { name: 'consumers, replicas counted', unit: '', slack: 3 },
  /** A counter that only rises: connections that nats-server gave up on, as those of stopped nodes. */
  slowConsumers: { name: 'slow consumers so far', unit: '', slack: null },
  messages: { name: 'messages in streams, replicas counted', unit: '', slack: 1_000 },
  /** Other work of the machine is in it. */
  cpu: { name: 'CPU of all cores', unit: '%', slack: null },
  storage: { name: 'bytes of streams, replicas counted', unit: MIB, slack: 8 },
} as const satisfies Record<string, Measure>;
export type MeasureKey = keyof typeof MEASURES;

export interface Series {
  readonly of: string;
  readonly measure: MeasureKey;
  readonly samples: readonly Sample[];
}

export class SeriesBook {
  readonly #series = new Map<string, { of: string; measure: MeasureKey; samples: Sample[] }>();

  /** Undefined: it did not answer. */
  add(of: string, measure: MeasureKey, atMs: number, value: number | undefined): void {
    if (value === undefined || Number.isNaN(value)) return;
    const key = `${of} ${measure}`;
    const series = this.#series.get(key) ?? { of, measure, samples: [] };
    this.#series.set(key, series);
    series.samples.push({ atMs, value });
  }

  all(): Series[] {
    return [...this.#series.values()];
  }
}

export interface CpuTicks {
  readonly busy: number;
  readonly all: number;
}

/** The first line of /proc/stat: user, nice, system, idle, iowait, irq, softirq, steal. */
export function cpuTicks(stat: string): CpuTicks {
  const [, ...ticks] = stat.slice(0, stat.indexOf('\n')).split(/\s+/).slice(0, 9).map(Number);
  const all = ticks.reduce((sum, one) => sum + one, 0);
  const idle = (ticks[3] ?? 0) + (ticks[4] ?? 0);
  return { busy: all - idle, all };
}

/** A sample of Prometheus' text, without labels but `service`; undefined when it is not there. */
export function promValue(text: string, metric: string): number | undefined {
  const line = text.split('\n').find((one) => one.startsWith(`${metric} `) || one.startsWith(`${metric}{`));
  const value = line?.slice(line.lastIndexOf(' ') + 1);
  return value === undefined ? undefined : Number(value);
}
