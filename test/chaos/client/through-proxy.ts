/**
 * Part (b): real front ends, workers and clients, with a network between them that breaks at random.
 *
 * Invariant: the truth is what a plain reader gets from a front end directly, after the tasks have ended.
 */
import { isDeepStrictEqual } from 'node:util';
import { setTimeout as delay } from 'node:timers/promises';
import { Random } from '../../simulation/client/random.js';
import { PROXY_FAULTS, Recoveries, startFaultyProxy, type FaultyProxy } from '../../support/faulty-proxy.js';
import { startNats } from '../../support/nats.js';
import { callTask, readStream } from '../../support/rpc.js';
import { startFrontEnd, startWorker, stopAll } from '../../support/system.js';
import { startClient, type ClientName, type Era, type Followed } from './clients.js';

export interface ProxyRunOptions {
  readonly client: ClientName;
  readonly era?: Era;
  readonly seed: number;
  /** How long the network is broken; the tasks emit for as long. */
  readonly seconds: number;
  readonly tasks: number;
  /** Between two events of a task. */
  readonly everyMs: number;
}

export interface ProxyRun {
  readonly client: ClientName;
  readonly events: number;
  readonly lost: number;
  readonly duplicated: number;
  readonly differing: number;
  /** Tasks without an outcome when time was up. */
  readonly hung: number;
  readonly faults: Readonly<Record<string, number>>;
  readonly reconnects: number;
  readonly recoveriesMs: readonly number[];
  /** What the clients blamed the server for: nothing, because the network was at fault. */
  readonly blamed: Readonly<Record<string, number>>;
  readonly complaints: readonly string[];
}

/** Until every client has read its first event. */
const BEGIN_MS_MAX = 60_000;
/** After the network has calmed down. */
const END_MS_MAX = 90_000;
const NOISE = { bytesMin: 500, bytesMax: 30_000, stallMsMin: 500, stallMsMax: 4_000, delayMsMax: 60 };
const SESSION_KEY = 'a-key-of-thirty-two-characters-at-least';

export async function runThroughProxy(options: ProxyRunOptions): Promise<ProxyRun> {
  const { client, seed, seconds, tasks, everyMs } = options;
  await using nats = await startNats();
  const env = { TASKSTREAM_SESSION_KEY: SESSION_KEY, TASKSTREAM_HEARTBEAT_MS: '300' };
  const worker = await startWorker(nats.url, { TASKSTREAM_SLOTS: String(tasks), TASKSTREAM_LEASE_MS: '30000' });
  const frontEnds = [await startFrontEnd(nats.url, env), await startFrontEnd(nats.url, env)];
  const random = new Random(seed);
  const recoveries = new Recoveries();
  const proxies: FaultyProxy[] = [];
  try {
    const [direct = ''] = frontEnds.map(({ endpoint }) => endpoint);
    for (const { endpoint } of frontEnds) {
      proxies.push(await startFaultyProxy(new URL(endpoint), { ...NOISE, random: () => random.next() }, recoveries));
    }
    const n = Math.ceil((seconds * 1_000) / everyMs);
    const taskIds: string[] = [];
    for (let i = 0; i < tasks; i++) taskIds.push(await callTask(direct, 'count', { n, everyMs }));
    const urls = proxies.map(({ port }) => `http://127.0.0.1:${port}/mcp`);
    const run = startClient(client, taskIds, urls, options.era);
    // The time counts from when all of them read: some commands take long to start.
    const begun = () => [...run.followed.values()].every(({ seqs }) => seqs.length > 0);
    for (const until = performance.now() + BEGIN_MS_MAX; !begun() && performance.now() < until;) await delay(20);
    await Promise.race([delay(seconds * 1_000), run.ended]);
    for (const proxy of proxies) proxy.calm();
    await Promise.race([run.ended, delay(END_MS_MAX)]);
    run.kill();
    await run.ended;
    const sums = { events: 0, lost: 0, duplicated: 0, differing: 0, hung: 0 };
    for (const [taskId, followed] of run.followed) {
      const { params } = await readStream(direct, taskId);
      const judged = judge(params, followed);
      for (const key of Object.keys(sums) as (keyof typeof sums)[]) sums[key] += judged[key];
    }
    const faults = Object.fromEntries(
      PROXY_FAULTS.map((fault) => [fault, proxies.reduce((sum, proxy) => sum + proxy.faults[fault], 0)]),
    );
    return {
      client,
      ...sums,
      faults,
      reconnects: run.reconnects,
      recoveriesMs: recoveries.times,
      blamed: Object.fromEntries(run.faults),
      complaints: run.complaints,
    };
  } finally {
    for (const proxy of proxies) await proxy[Symbol.asyncDispose]();
    await stopAll([worker, ...frontEnds], 'SIGKILL');
  }
}

/** What a client made of the events of one task. */
function judge(
  params: readonly string[],
  { lines, seqs, outcome }: Followed,
): { events: number; lost: number; duplicated: number; differing: number; hung: number } {
  const got = new Map(seqs.map((seq, i) => [seq, lines[i] ?? '']));
  const differs = (text: string, seq: number): boolean => {
    const line = got.get(seq);
    return line !== undefined && !isDeepStrictEqual(JSON.parse(line), JSON.parse(text));
  };
  const disordered = seqs.filter((seq, i) => i > 0 && seq < (seqs[i - 1] ?? 0)).length;
  return {
    events: params.length,
    lost: params.filter((_text, seq) => !got.has(seq)).length,
    duplicated: seqs.length - got.size,
    differing: params.filter((text, seq) => differs(text, seq)).length + disordered,
    hung: outcome === undefined ? 1 : 0,
  };
}

/** Whether nothing was lost, repeated, changed, or left hanging, and something was tried at all. */
export function isClean(run: ProxyRun): boolean {
  const wrong = run.lost + run.duplicated + run.differing + run.hung + run.complaints.length;
  return wrong === 0 && run.events > 0 && Object.keys(run.blamed).length === 0;
}
