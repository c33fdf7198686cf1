/**
 * Memory of idle streams: a front end process before and after it holds them, each time after a full collection.
 *
 * What the kernel keeps for their sockets is not in it.
 */
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath, pathToFileURL } from 'node:url';
import * as z from 'zod';
import type { FrontEnd } from '../support/system.js';
import type { Scale } from './figures.js';
import { layGround } from './ground.js';
import type { Values } from './report.js';
import { openSse, type SseSocket } from './sse-socket.js';
import { startTasks } from './tasks.js';

const PROBE = pathToFileURL(fileURLToPath(new URL('./memory-probe.mjs', import.meta.url))).href;
const OPENINGS_AT_A_TIME = 50;
/** Streams that were opened and closed before the first look. */
const WARM_UP_STREAMS = 50;

const Usage = z.object({ type: z.literal('bench:memory'), rss: z.number(), inUse: z.number() });

export async function measureMemory(scale: Scale, nodes: 1 | 3): Promise<Values> {
  const values: Record<string, number> = {};
  await using ground = await layGround(nodes);
  for (const layout of ['one', 'spread'] as const) {
    const frontEnd = await ground.frontEnd({ NODE_OPTIONS: `--import=${PROBE}` });
    const { idleStreams, moreIdleStreams } = scale;
    const tasks = await startTasks(ground, layout === 'one' ? 1 : idleStreams + moreIdleStreams);
    const taskOf = (i: number) => (tasks[i % tasks.length] as (typeof tasks)[number]).taskId;
    for (const socket of await openMany(frontEnd, WARM_UP_STREAMS, taskOf)) socket.destroy();
    const none = await settledUsage(frontEnd, scale);
    const first = await openMany(frontEnd, idleStreams, taskOf);
    const few = await settledUsage(frontEnd, scale);
    const more = await openMany(frontEnd, moreIdleStreams, (i) => taskOf(idleStreams + i));
    const many = await settledUsage(frontEnd, scale);
    for (const socket of [...first, ...more]) socket.destroy();
    values[`memory.${layout}.first`] = (few.rss - none.rss) / 1_024 / idleStreams;
    values[`memory.${layout}.rss`] = (many.rss - few.rss) / 1_024 / moreIdleStreams;
    values[`memory.${layout}.heap`] = (many.inUse - few.inUse) / 1_024 / moreIdleStreams;
  }
  return values;
}

async function openMany(frontEnd: FrontEnd, count: number, taskOf: (i: number) => string): Promise<SseSocket[]> {
  const sockets: SseSocket[] = [];
  while (sockets.length < count) {
    const opening = Array.from({ length: Math.min(OPENINGS_AT_A_TIME, count - sockets.length) }, (_, k) =>
      openSse(frontEnd.endpoint, taskOf(sockets.length + k), undefined, () => undefined),
    );
    sockets.push(...(await Promise.all(opening)));
  }
  return sockets;
}

/** Bytes, when nothing moves any more and after a full collection in the front end. */
async function settledUsage(frontEnd: FrontEnd, scale: Scale): Promise<{ rss: number; inUse: number }> {
  await delay(scale.settleMs);
  const answer = once(frontEnd.child, 'message', { signal: AbortSignal.timeout(10_000) });
  frontEnd.child.send({ type: 'bench:memory' });
  return Usage.parse((await answer)[0]);
}
