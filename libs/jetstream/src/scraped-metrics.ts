/**
 * Metrics of what NATS holds and how the connection to it is, read when they are scraped.
 *
 * Invariants: a scrape waits for NATS no longer than `SCRAPE_MS_MAX`, and not at all while it is disconnected; scrapes
 * that come together share one reading; what could not be read is left out, never shown as it was.
 */
import type { Broker } from './broker.js';
import { lineConsumer, LINES, lineSubjects, WORK_STREAM } from './names.js';
import { isNatsFault } from './nats-errors.js';

/** One reading of everything takes no longer; a scrape that waits for it neither. */
const SCRAPE_MS_MAX = 2_000;
/** A reading serves all scrapes of this time. */
const READING_MS = 1_000;
/** More queues than this are not shown; labels must stay few. */
const QUEUES_MAX = 100;
const OUR_STREAM = /^(?:TASKS_|WORK$)/;

interface Gauge {
  reset(): void;
  set(labels: Readonly<Record<string, string>>, value: number): void;
}

export interface GaugeFactory {
  counter(options: { name: string; unit: 'none'; help: string }): {
    inc(labels: Readonly<Record<string, string>>): void;
  };
  gauge(options: {
    name: string;
    unit: 'seconds' | 'ratio' | 'none';
    help: string;
    labels?: readonly string[];
    collect?: (gauge: Gauge) => void | Promise<void>;
  }): Gauge;
}

/** Whether this process is connected, and how far away NATS is. */
export function observeConnection(metrics: GaugeFactory, broker: Broker): void {
  metrics.gauge({
    name: 'nats_connected',
    unit: 'none',
    help: '1 while this process is connected to NATS, else 0',
    collect: (gauge) => gauge.set({}, broker.connected ? 1 : 0),
  });
  const reconnects = metrics.counter({
    name: 'nats_reconnects',
    unit: 'none',
    help: 'Times that this process connected to NATS again',
  });
  broker.onDisturbance((what) => {
    if (what === 'reconnect') reconnects.inc({});
  });
  const rtt = shared(broker, () => broker.nc.rtt());
  metrics.gauge({
    name: 'nats_rtt',
    unit: 'seconds',
    help: 'Round trip of a ping to the NATS server, measured at the scrape; NaN when it could not be measured',
    collect: async (gauge) => {
      gauge.set({}, ((await rtt()) ?? Number.NaN) / 1_000);
    },
  });
}

interface QueueReading {
  readonly queue: string;
  readonly waiting: number;
  readonly running: number;
  readonly oldestWaitMs: number;
}

/** The queues that `queues` names. */
export function observeQueues(metrics: GaugeFactory, broker: Broker, queues: () => ReadonlyArray<string>): void {
  const read = shared(broker, () =>
    Promise.all([...new Set(queues())].slice(0, QUEUES_MAX).map((queue) => readQueue(broker, queue))),
  );
  const show = (of: (reading: QueueReading) => number) => async (gauge: Gauge) => {
    const readings = await read();
    gauge.reset();
    for (const reading of readings ?? []) {
      if (!Number.isNaN(of(reading))) gauge.set({ queue: reading.queue }, of(reading));
    }
  };
  const labels = ['queue'] as const;
  metrics.gauge({
    name: 'queue_waiting_tasks',
    unit: 'none',
    help: 'Tasks that wait in a queue for a worker, over its four lines; the same on every front end; absent for a queue that no worker has ever served',
    labels,
    collect: show(({ waiting }) => waiting),
  });
  metrics.gauge({
    name: 'queue_running_tasks',
    unit: 'none',
    help: 'Tasks of a queue that are claimed by workers or wait for a retry; the same on every front end',
    labels,
    collect: show(({ running }) => running),
  });
  metrics.gauge({
    name: 'queue_oldest_wait',
    unit: 'seconds',
    help: 'How long the oldest task that no worker has claimed yet has been in its queue; 0 when none waits',
    labels,
    collect: show(({ oldestWaitMs }) => oldestWaitMs / 1_000),
  });
}

/** How full our streams are, as the server has it. */
export function observeStreamFill(metrics: GaugeFactory, broker: Broker): void {
  const read = shared(broker, () => broker.jsm.streams.list().next());
  metrics.gauge({
    name: 'stream_fill',
    unit: 'ratio',
    help: 'Share of max_bytes that a stream holds; creations are refused near 0.8, ordinary events near 0.95',
    labels: ['stream'],
    collect: async (gauge) => {
      const streams = await read();
      gauge.reset();
      for (const { config, state } of streams ?? []) {
        if (OUR_STREAM.test(config.name) && config.max_bytes > 0) {
          gauge.set({ stream: config.name }, state.bytes / config.max_bytes);
        }
      }
    },
  });
}

async function readQueue(broker: Broker, queue: string): Promise<QueueReading> {
  const lines = await Promise.all(
    LINES.map(async (line) => {
      const state = await readLine(broker, lineConsumer(queue, line));
      const oldest = (subject: string) => firstAt(broker, subject, state.above);
      const since = state.waiting === 0 ? [] : await Promise.all(lineSubjects(queue, line).map(oldest));
      return { ...state, since: since.filter((at) => at !== undefined) };
    }),
  );
  const oldest = Math.min(...lines.flatMap(({ since }) => since));
  return {
    queue,
    waiting: lines.reduce((sum, { waiting }) => sum + waiting, 0),
    running: lines.reduce((sum, { running }) => sum + running, 0),
    oldestWaitMs: Number.isFinite(oldest) ? Math.max(0, Date.now() - oldest) : 0,
  };
}

/** Of a line that no worker has ever served nobody knows how many wait; the oldest is found all the same. */
async function readLine(
  broker: Broker,
  consumer: string,
): Promise<{ waiting: number; running: number; above: number }> {
  try {
    const info = await broker.jsm.consumers.info(WORK_STREAM, consumer);
    return { waiting: info.num_pending, running: info.num_ack_pending, above: info.delivered.stream_seq + 1 };
  } catch (error) {
    if (isNatsFault(error, 'not_found')) return { waiting: Number.NaN, running: 0, above: 1 };
    throw error;
  }
}

/** When the first item at or above a stream sequence was queued, epoch milliseconds. */
async function firstAt(broker: Broker, subject: string, streamSeq: number): Promise<number | undefined> {
  try {
    const message = await broker.jsm.direct.getMessage(WORK_STREAM, { seq: streamSeq, next_by_subj: subject });
    return message?.time.getTime();
  } catch (error) {
    if (isNatsFault(error, 'not_found')) return undefined;
    throw error;
  }
}

/** One reading for all who ask within `READING_MS`; undefined when there was none in time. */
function shared<Reading>(broker: Broker, read: () => Promise<Reading>): () => Promise<Reading | undefined> {
  let current: Promise<Reading | undefined> | undefined;
  let startedAt = 0;
  return () => {
    if (!broker.connected) return Promise.resolve(undefined);
    if (current === undefined || performance.now() - startedAt > READING_MS) {
      startedAt = performance.now();
      current = within(read());
    }
    return current;
  };
}

/** The next scrape tries again; what stands behind a failure is told by the log of the connection. */
async function within<Reading>(reading: Promise<Reading>): Promise<Reading | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), SCRAPE_MS_MAX);
  });
  try {
    return await Promise.race([reading, late]);
  } catch {
    return undefined;
  } finally {
    clearTimeout(timer);
  }
}
