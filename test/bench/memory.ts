/**
 * Memory of idle streams: a front end process before and after it holds them, each time after a full collection. Bare:
 * a node:http server that does nothing but hold the responses open.
 *
 * What the kernel keeps for their sockets is not in it.
 */
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import * as z from 'zod';
import type { Scale } from './scale.js';
import { layGround } from './ground.js';
import type { Values } from './report.js';
import { openSse, type SseSocket } from './sse-socket.js';
import { startTasks } from './tasks.js';

const PROBE = new URL('./memory-probe.mjs', import.meta.url).href;
const BARE_SERVER = fileURLToPath(new URL('./bare-sse-server.mjs', import.meta.url));
const OPENINGS_AT_A_TIME = 50;
/** Streams that were opened and closed before the first look. */
const WARM_UP_STREAMS = 50;

const Usage = z.object({ type: z.literal('bench:memory'), rss: z.number(), inUse: z.number() });
const Listening = z.object({ endpoint: z.url() });

/** A process that has the probe loaded and answers POSTs with streams. */
interface Server {
  readonly endpoint: string;
  readonly child: ChildProcess;
}

export async function measureMemory(scale: Scale, nodes: 1 | 3): Promise<Values> {
  const values: Record<string, number> = {};
  await using ground = await layGround(nodes);
  for (const layout of ['one', 'spread'] as const) {
    const frontEnd = await ground.frontEnd({ NODE_OPTIONS: `--import=${PROBE}` });
    const tasks = await startTasks(ground, layout === 'one' ? 1 : scale.idleStreams + scale.moreIdleStreams);
    const taskOf = (i: number) => (tasks[i % tasks.length] as (typeof tasks)[number]).taskId;
    Object.assign(values, await idleStreams(`memory.${layout}`, frontEnd, taskOf, scale));
  }
  const child = fork(BARE_SERVER, { execArgv: [`--import=${PROBE}`] });
  try {
    const { endpoint } = Listening.parse((await once(child, 'message'))[0]);
    return { ...values, ...(await idleStreams('memory.bare', { endpoint, child }, () => 'no-task', scale)) };
  } finally {
    child.kill();
  }
}

async function idleStreams(id: string, server: Server, taskOf: (i: number) => string, scale: Scale): Promise<Values> {
  const { idleStreams: few, moreIdleStreams: more } = scale;
  for (const socket of await openMany(server, WARM_UP_STREAMS, taskOf)) socket.destroy();
  const atFirst = await settledUsage(server, scale);
  const first = await openMany(server, few, taskOf);
  const withFew = await settledUsage(server, scale);
  const next = await openMany(server, more, (i) => taskOf(few + i));
  const withMany = await settledUsage(server, scale);
  for (const socket of [...first, ...next]) socket.destroy();
  return {
    [`${id}.first`]: (withFew.rss - atFirst.rss) / 1_024 / few,
    [`${id}.rss`]: (withMany.rss - withFew.rss) / 1_024 / more,
    [`${id}.heap`]: (withMany.inUse - withFew.inUse) / 1_024 / more,
  };
}

async function openMany(server: Server, count: number, taskOf: (i: number) => string): Promise<SseSocket[]> {
  const sockets: SseSocket[] = [];
  while (sockets.length < count) {
    const opening = Array.from({ length: Math.min(OPENINGS_AT_A_TIME, count - sockets.length) }, (_, k) =>
      openSse(server.endpoint, taskOf(sockets.length + k), undefined, () => undefined),
    );
    sockets.push(...(await Promise.all(opening)));
  }
  return sockets;
}

/** Bytes, when nothing moves any more and after a full collection. */
async function settledUsage(server: Server, scale: Scale): Promise<{ rss: number; inUse: number }> {
  await delay(scale.settleMs);
  const answer = once(server.child, 'message', { signal: AbortSignal.timeout(10_000) });
  server.child.send({ type: 'bench:memory' });
  return Usage.parse((await answer)[0]);
}
