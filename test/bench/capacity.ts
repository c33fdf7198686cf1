/**
 * What the capacity formula of docs/capacity.md takes in: processor time of a front end and of the nats-servers for
 * streams that are silent, for events that are delivered, and for packs that are stored; and NATS' memory for tasks.
 *
 * Processor time is the kernel's own count of each process, read before and after, so that other work on the machine
 * changes it little.
 */
import { readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import type { Scale } from './scale.js';
import { layGround, type Ground } from './ground.js';
import { processorMs } from './processor-time.js';
import type { Values } from './report.js';
import { NumberScanner, openSse, SEQ_MARK, type SseSocket } from './sse-socket.js';
import { benchEvent, startTasks, type WrittenTask } from './tasks.js';

const OPENINGS_AT_A_TIME = 50;
const PAGE_KIB = 4;

export async function measureCapacity(scale: Scale, nodes: 1 | 3): Promise<Values> {
  return {
    ...(await costs(scale, nodes)),
    'capacity.shard': await packsPerSecond(scale, nodes, undefined),
    'capacity.shard.synced': await packsPerSecond(scale, nodes, 'always'),
  };
}

/** What one stream takes: many tasks of one shard, each with one pack of one event in flight. */
async function packsPerSecond(scale: Scale, nodes: 1 | 3, syncInterval: string | undefined): Promise<number> {
  await using ground = await layGround(nodes, { lingerMsMax: 0 }, syncInterval);
  const tasks = await startTasks(ground, scale.tasks);
  const packsBefore = ground.appended.packs;
  const startedAt = performance.now();
  await Promise.all(
    tasks.map(async ({ log }, i) => {
      while (performance.now() - startedAt < scale.liveMs) await log.append([benchEvent(i)]);
    }),
  );
  return ((ground.appended.packs - packsBefore) * 1_000) / (performance.now() - startedAt);
}

async function costs(scale: Scale, nodes: 1 | 3): Promise<Values> {
  await using ground = await layGround(nodes);
  const frontEnd = await ground.frontEnd();
  const pids = { frontEnd: frontEnd.pid, nats: ground.natsPids };

  const before = await memoryKiB(pids.nats);
  const tasks = await startTasks(ground, scale.idleStreams);
  const natsMemory = (await memoryKiB(pids.nats)) - before;

  const sockets = await open(frontEnd.endpoint, tasks, scale.idleStreams);
  await delay(scale.settleMs);
  const idle = await processorTime(pids, () => delay(scale.idleMs));
  for (const socket of sockets) socket.destroy();

  const spreadTasks = tasks.slice(0, scale.streamsMany);
  const spread = await delivery(ground, frontEnd.endpoint, pids, spreadTasks, spreadTasks.length, scale);
  const one = await delivery(ground, frontEnd.endpoint, pids, tasks.slice(0, 1), scale.streamsMany, scale);
  const thousands = scale.idleStreams / 1_000;
  return {
    'capacity.idle.front': idle.frontEndMs / (idle.ms / 1_000) / thousands,
    'capacity.idle.nats': idle.natsMs / (idle.ms / 1_000) / thousands,
    'capacity.nats.memory': natsMemory / nodes / tasks.length,
    'capacity.spread.front': (spread.frontEndMs * 1_000) / spread.delivered,
    'capacity.spread.nats': (spread.natsMs * 1_000) / spread.packs,
    'capacity.one.front': (one.frontEndMs * 1_000) / one.delivered,
  };
}

interface Pids {
  readonly frontEnd: number;
  readonly nats: readonly number[];
}

/** One event a second for each task, each in a pack of its own, to `streams` readers. */
async function delivery(
  ground: Ground,
  endpoint: string,
  pids: Pids,
  tasks: readonly WrittenTask[],
  streams: number,
  scale: Scale,
) {
  let delivered = 0;
  const count = (): void => void delivered++;
  const sockets = await open(endpoint, tasks, streams, count);
  await delay(scale.settleMs);
  delivered = 0;
  const packsBefore = ground.appended.packs;
  const rounds = Math.max(1, Math.round(scale.liveMs / 1_000)) * (tasks.length === 1 ? 10 : 1);
  const roundMs = tasks.length === 1 ? 100 : 1_000;
  const expected = rounds * streams;
  const used = await processorTime(pids, async () => {
    for (let round = 0; round < rounds; round++) {
      const next = delay(roundMs);
      await Promise.all(
        tasks.map(async ({ log }, i) => {
          // Spread over the round, as tasks that know nothing of each other are.
          await delay((i / tasks.length) * roundMs);
          await log.append([benchEvent(round)]);
        }),
      );
      await next;
    }
    for (const deadline = performance.now() + 10_000; delivered < expected && performance.now() < deadline;)
      await delay(10);
  });
  for (const socket of sockets) socket.destroy();
  if (delivered < expected) throw new Error(`${expected - delivered} of ${expected} events did not arrive`);
  return { ...used, delivered, packs: ground.appended.packs - packsBefore };
}

async function open(
  endpoint: string,
  tasks: readonly WrittenTask[],
  count: number,
  onEvent: () => void = () => undefined,
): Promise<SseSocket[]> {
  const sockets: SseSocket[] = [];
  while (sockets.length < count) {
    const opening = Array.from({ length: Math.min(OPENINGS_AT_A_TIME, count - sockets.length) }, (_, k) => {
      const { taskId } = tasks[(sockets.length + k) % tasks.length] as WrittenTask;
      const scanner = new NumberScanner(SEQ_MARK, onEvent);
      return openSse(endpoint, taskId, undefined, (chunk) => scanner.feed(chunk));
    });
    sockets.push(...(await Promise.all(opening)));
  }
  return sockets;
}

async function processorTime(pids: Pids, work: () => Promise<void>) {
  const startedAt = performance.now();
  const [frontEnd, nats] = [await processorMs([pids.frontEnd]), await processorMs(pids.nats)];
  await work();
  return {
    ms: performance.now() - startedAt,
    frontEndMs: (await processorMs([pids.frontEnd])) - frontEnd,
    natsMs: (await processorMs(pids.nats)) - nats,
  };
}

async function memoryKiB(pids: readonly number[]): Promise<number> {
  let pages = 0;
  for (const pid of pids) pages += Number((await readFile(`/proc/${pid}/statm`, 'utf8')).split(' ')[1]);
  return pages * PAGE_KIB;
}
