/**
 * Live delivery: from the append in this process to the bytes of the event on each SSE socket of this process, over
 * a nats-server and a front end in processes of their own. Bare: from a core publish to the callbacks of as many
 * subscriptions of this process, each on a connection of its own, over the same nats-server.
 *
 * Both ends read one clock. Readers are strangers to each other: each has a socket on either side, and what serving
 * and reading so many sockets costs is part of the figure on either side.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Broker } from '@taskstream/jetstream';
import { LIVE_LAYOUTS, type LiveLayout } from './figures-log.js';
import type { Scale } from './scale.js';
import { layGround, type Ground } from './ground.js';
import type { Values } from './report.js';
import { NumberScanner, openSse, SENT_AT_MARK, type SseSocket } from './sse-socket.js';
import { percentile } from './statistics.js';
import { benchEvent, nowUs, startTasks } from './tasks.js';

/** Events before the measured ones. */
const WARM_UP_EVENTS = 20;
const ARRIVAL_MS_MAX = 10_000;
const OPENINGS_AT_A_TIME = 50;

export async function measureLive(scale: Scale, nodes: 1 | 3): Promise<Values> {
  const values: Record<string, number> = {};
  await using ground = await layGround(nodes);
  const { endpoint } = await ground.frontEnd();
  Object.assign(values, summary('live.bare.stored', await republishedDelivery(ground, scale)));
  for (const layout of LIVE_LAYOUTS) {
    Object.assign(values, summary(`live.bare.${layout.id}`, await bareDelivery(ground, layout, scale)));
    Object.assign(values, summary(`live.${layout.id}`, await streamDelivery(ground, endpoint, layout, scale)));
  }
  return values;
}

function summary(id: string, samplesMs: ReadonlyArray<number>): Values {
  return { [`${id}.p50`]: percentile(samplesMs, 0.5), [`${id}.p99`]: percentile(samplesMs, 0.99) };
}

async function streamDelivery(ground: Ground, endpoint: string, layout: LiveLayout, scale: Scale): Promise<number[]> {
  const streams = layout.streams(scale);
  const tasks = await startTasks(ground, layout.spread ? streams : 1);
  const arrivals = new Arrivals();
  const sockets: SseSocket[] = [];
  for (let i = 0; i < streams; i += OPENINGS_AT_A_TIME) {
    const opening = Array.from({ length: Math.min(OPENINGS_AT_A_TIME, streams - i) }, (_, k) => {
      const { taskId } = tasks[(i + k) % tasks.length] as (typeof tasks)[number];
      return openSse(endpoint, taskId, undefined, arrivals.reader());
    });
    sockets.push(...(await Promise.all(opening)));
  }
  // All are live: the first events have been replayed to everyone.
  await delay(300);
  try {
    return await paced(layout, scale, arrivals, layout.spread ? 1 : streams, async (i) => {
      const { log } = tasks[i % tasks.length] as (typeof tasks)[number];
      await log.append([benchEvent(i, nowUs())]);
    });
  } finally {
    for (const socket of sockets) socket.destroy();
  }
}

async function bareDelivery(ground: Ground, layout: LiveLayout, scale: Scale): Promise<number[]> {
  const readers = layout.streams(scale);
  const subjects = layout.spread ? readers : 1;
  const arrivals = new Arrivals();
  const connections: Broker[] = [];
  try {
    while (connections.length < readers) {
      const opening = Math.min(OPENINGS_AT_A_TIME, readers - connections.length);
      connections.push(...(await Promise.all(Array.from({ length: opening }, () => ground.connect()))));
    }
    connections.forEach(({ nc }, i) => {
      const read = arrivals.reader();
      nc.subscribe(`core.${i % subjects}`, { callback: (_error, { data }) => read(data) });
    });
    await Promise.all(connections.map(({ nc }) => nc.flush()));
    return await paced(layout, scale, arrivals, readers / subjects, async (i) => {
      const payload = Buffer.from(JSON.stringify(benchEvent(i, nowUs())));
      ground.bare.nc.publish(`core.${i % subjects}`, payload);
    });
  } finally {
    await Promise.all(connections.map((connection) => connection.close()));
  }
}

/** What of a live delivery is JetStream's: store, then republish. The subject is that of a task that does not exist. */
async function republishedDelivery(ground: Ground, scale: Scale): Promise<number[]> {
  const subject = 'evt.d.0.bare';
  const arrivals = new Arrivals();
  const reader = await ground.connect();
  try {
    const read = arrivals.reader();
    reader.nc.subscribe(`live.${subject}`, { callback: (_error, { data }) => read(data) });
    await reader.nc.flush();
    const layout = LIVE_LAYOUTS[0] as LiveLayout;
    return await paced(layout, scale, arrivals, 1, async (i) => {
      await ground.bare.js.publish(subject, Buffer.from(JSON.stringify(benchEvent(i, nowUs()))));
    });
  } finally {
    await reader.close();
  }
}

class Arrivals {
  readonly samplesMs: number[] = [];

  /** Takes the bytes of one reader. */
  reader(): (chunk: Uint8Array) => void {
    const scanner = new NumberScanner(SENT_AT_MARK, (sentAtUs) => this.samplesMs.push((nowUs() - sentAtUs) / 1_000));
    return (chunk) => scanner.feed(chunk);
  }
}

/** Sends events at the layout's pace and waits until each has reached its readers. */
async function paced(
  layout: LiveLayout,
  scale: Scale,
  arrivals: Arrivals,
  readersOfEach: number,
  send: (i: number) => Promise<void>,
): Promise<number[]> {
  const everyMs = 1_000 / layout.eventsPerSecond;
  const sending: Array<Promise<void>> = [];
  let sent = 0;
  const run = async (events: number) => {
    const startedAt = performance.now();
    for (let k = 0; k < events; k++) {
      const waitMs = startedAt + k * everyMs - performance.now();
      if (waitMs > 0) await delay(waitMs);
      sending.push(send(sent++));
    }
    await Promise.all(sending.splice(0));
    const deadline = performance.now() + ARRIVAL_MS_MAX;
    while (arrivals.samplesMs.length < sent * readersOfEach) {
      if (performance.now() > deadline) {
        throw new Error(`${arrivals.samplesMs.length} of ${sent * readersOfEach} deliveries came`);
      }
      await delay(5);
    }
  };
  await run(WARM_UP_EVENTS);
  arrivals.samplesMs.length = 0;
  sent = 0;
  await run(Math.max(1, Math.round((scale.liveMs / 1_000) * layout.eventsPerSecond)));
  return [...arrivals.samplesMs];
}
