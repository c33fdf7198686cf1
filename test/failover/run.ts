/**
 * One run: the system, the load, the faults one after the other, and what the readers saw of each.
 *
 * Invariants: a window of the report holds one fault and the time until every reader had an event again; nothing stays
 * behind.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import * as z from 'zod';
import type { Fault } from './faults.js';
import { HOSTS, CLIENT, ACKS, SETTINGS, startSystem, TOKEN, type Balancer } from './system.js';
import { Helper } from './helper.js';
import { makeNetwork } from './hosts.js';
import type { WindowReport } from './watch.js';

const LOAD = fileURLToPath(new URL('load.ts', import.meta.url));
/** A reader that had an event this recently is served again. */
const FRESH_MS = 1_000;
const RECOVERY_MS_MAX = 90_000;
/** Longer than any heartbeat, so that only a node that is gone is left. */
const SILENCE_MS = 4 * SETTINGS.heartbeatMs;

export interface RunOptions {
  readonly balancer: Balancer;
  readonly tasks: number;
  readonly readersPerTask: number;
  readonly everyMs: number;
  readonly faults: readonly Fault[];
  /** As deployed when it is not set. */
  readonly drainSpreadMs?: number | undefined;
  readonly say: (text: string) => void;
  /** Keeps logs and data there when it is set. */
  readonly keepDir?: string;
}

export interface RunResult {
  readonly windows: ReadonlyArray<{ readonly fault: string; readonly report: WindowReport }>;
  /** How often readers ended how; all are to be `cancelled`. */
  readonly endings: Readonly<Record<string, number>>;
  /** Events of which a tool was told that they are durable, and that are not in the log. */
  readonly acknowledgedLost: number;
}

const Report = z.object({
  streams: z.int(),
  events: z.int(),
  lost: z.int(),
  duplicates: z.int(),
  reconnected: z.int(),
  reconnectsMax: z.int(),
  silenceMs: z.array(z.number()),
});
const Finish = z.object({ endings: z.record(z.string(), z.int()), reached: z.record(z.string(), z.int()) });
export async function run(options: RunOptions): Promise<RunResult> {
  const { balancer, tasks, readersPerTask, everyMs, faults, drainSpreadMs, say } = options;
  using network = makeNetwork(HOSTS);
  const dir = options.keepDir ?? (await mkdtemp(join(tmpdir(), 'taskstream-failover-')));
  const frontEnd = drainSpreadMs === undefined ? {} : { TASKSTREAM_DRAIN_SPREAD_MS: String(drainSpreadMs) };
  const system = await startSystem(network, balancer, dir, { frontEnd });
  const load = new Helper(network.host(CLIENT), LOAD);
  try {
    await load.ready();
    const start = { url: system.url, token: TOKEN, tasks, readersPerTask, everyMs, silenceMs: SILENCE_MS };
    await load.ask(z.unknown(), { type: 'start', start });
    const settle = async (): Promise<void> => {
      const deadline = performance.now() + RECOVERY_MS_MAX;
      await delay(FRESH_MS);
      while ((await load.ask(z.number(), { type: 'quietest' })) > FRESH_MS && performance.now() < deadline)
        await delay(200);
    };
    await settle();
    await load.ask(Report, { type: 'report' });
    const windows: Array<{ fault: string; report: WindowReport }> = [];
    const quiet: Fault = { name: 'nothing, for 5 s', inflict: () => delay(5_000) };
    for (const fault of [quiet, ...faults]) {
      say(`${balancer}: ${fault.name} …`);
      await fault.inflict(system, settle);
      await settle();
      windows.push({ fault: fault.name, report: await load.ask(Report, { type: 'report' }) });
    }
    const { endings, reached } = await load.ask(Finish, { type: 'finish' });
    return { windows, endings, acknowledgedLost: acknowledgedLost(join(dir, ACKS), reached) };
  } finally {
    await load.end();
    await system.end();
    if (options.keepDir === undefined) await rm(dir, { recursive: true, force: true });
  }
}

/** What the tool was told is durable, held against what the readers were given. */
function acknowledgedLost(dir: string, reached: Readonly<Record<string, number>>): number {
  let lost = 0;
  const attempts = readdirSync(dir);
  if (attempts.length === 0) throw new Error('no attempt has written down what it was told');
  for (const attempt of attempts) {
    const text = readFileSync(join(dir, attempt), 'utf8').trim();
    // One that began and was told nothing.
    if (text !== '') lost += Math.max(0, Number(text) - (reached[attempt] ?? -1));
  }
  return lost;
}
