/**
 * One soak: the system, the load, a fault every so often, and a look at every process every ten seconds.
 *
 * Invariants: never two faults at once; nothing stays behind; a run that is told to stop ends like one whose time is up.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { tmpdir } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import * as z from 'zod';
import { Helper } from '../failover/helper.js';
import { makeNetwork } from '../failover/hosts.js';
import { ACKS, CLIENT, HOSTS, startSystem, TOKEN, type System } from '../failover/system.js';
import { inflict, survivorOf } from './faults.js';
import { nameOf, ROLES, rotation } from './rotation.js';
import { ALL_NATS, MACHINE, Sampler } from './sampler.js';
import { SeriesBook, type MeasureKey, type Series } from './series.js';

const LOAD = fileURLToPath(new URL('load.ts', import.meta.url));
const SCRAPE = fileURLToPath(new URL('scrape.ts', import.meta.url));
const LOADS = 2;
const PREFIX = 'tssoak-';
const SAMPLE_EVERY_MS = 10_000;
/** Between two faults, however long the first took: the system is whole for a while. */
const WHOLE_MS = 5_000;
const PROGRESS_EVERY_MS = 60_000;
/** What a task that has run for its time may still need: faults hold it up. */
const ENDING_MS_MAX = 90_000;
/** Above the interval of events, so that nothing but events is sent while all is well. */
const HEARTBEAT_SHARE = 1.25;

export interface SoakOptions {
  readonly minutes: number;
  readonly tasks: number;
  readonly streams: number;
  readonly faultEveryMs: number;
  readonly everyMs: number;
  readonly taskMsMin: number;
  readonly taskMsMax: number;
  readonly ttlMs: number;
  readonly seed: number;
  readonly say: (text: string) => void;
  readonly stop: AbortSignal;
  readonly keepDir?: string;
}

const Report = z.object({
  streams: z.int(),
  tasks: z.int(),
  lost: z.int(),
  duplicates: z.int(),
  events: z.int(),
  reconnected: z.int(),
  silenceMsMax: z.number(),
  tasksEnded: z.int(),
  endings: z.record(z.string(), z.int()),
  wrongResults: z.int(),
  acknowledgedLost: z.int(),
  failures: z.int(),
  notes: z.array(z.string()),
  heapBytes: z.number(),
});
type Report = z.infer<typeof Report>;

export interface SoakResult {
  readonly ranMs: number;
  readonly fromMs: number;
  readonly untilMs: number;
  readonly series: readonly Series[];
  readonly faults: ReadonlyMap<string, number>;
  readonly lost: number;
  readonly duplicates: number;
  readonly events: number;
  readonly reconnects: number;
  readonly silenceMsMax: number;
  readonly streams: { readonly least: number; readonly most: number };
  readonly tasksEnded: number;
  readonly endings: Readonly<Record<string, number>>;
  readonly wrongResults: number;
  readonly acknowledgedLost: number;
  readonly failures: number;
  /** Readers that had not ended long after their task's time. */
  readonly unended: number;
  /** Nodes that should have lived through the run and did not. */
  readonly died: readonly string[];
  /** What has to be in the table: without it nothing was watched. */
  readonly expected: ReadonlyArray<readonly [of: string, measure: MeasureKey]>;
  readonly notes: readonly string[];
}

class Loads {
  readonly #helpers: readonly Helper[];
  #last: readonly Report[] = [];
  #lost = 0;
  #duplicates = 0;
  #events = 0;
  #reconnects = 0;
  #silenceMsMax = 0;
  #least = Number.POSITIVE_INFINITY;
  #most = 0;
  readonly notes: string[] = [];

  constructor(helpers: readonly Helper[]) {
    this.#helpers = helpers;
  }

  async start(start: Readonly<Record<string, unknown>>, tasks: number, seed: number): Promise<void> {
    await Promise.all(this.#helpers.map((helper) => helper.ready()));
    const share = Math.ceil(tasks / LOADS);
    for (const [i, helper] of this.#helpers.entries()) {
      const mine = Math.min(share, tasks - i * share);
      await helper.ask(z.unknown(), { type: 'start', start: { ...start, tasks: mine, seed: seed + i } });
    }
  }

  async stop(): Promise<void> {
    for (const helper of this.#helpers) await helper.ask(z.unknown(), { type: 'stop' });
  }

  /** Asks all of them, and adds up. */
  async report(full: boolean): Promise<{ readonly streams: number; readonly tasks: number; readonly events: number }> {
    this.#last = await Promise.all(this.#helpers.map((helper) => helper.ask(Report, { type: 'report' })));
    const sum = (of: (report: Report) => number): number => this.#last.reduce((total, one) => total + of(one), 0);
    this.#lost += sum((one) => one.lost);
    this.#duplicates += sum((one) => one.duplicates);
    const events = sum((one) => one.events);
    this.#events += events;
    this.#reconnects += sum((one) => one.reconnected);
    this.#silenceMsMax = Math.max(this.#silenceMsMax, ...this.#last.map((one) => one.silenceMsMax));
    this.notes.push(...this.#last.flatMap((one) => one.notes));
    const streams = sum((one) => one.streams);
    if (full) {
      this.#least = Math.min(this.#least, streams);
      this.#most = Math.max(this.#most, streams);
    }
    return { streams, tasks: sum((one) => one.tasks), events };
  }

  memory(): Array<{ name: string; pid: number | undefined; heapBytes: number }> {
    return this.#helpers.map((helper, i) => ({
      name: `load-${i + 1}`,
      pid: helper.pid,
      heapBytes: this.#last[i]?.heapBytes ?? Number.NaN,
    }));
  }

  totals() {
    const sum = (of: (report: Report) => number): number => this.#last.reduce((total, one) => total + of(one), 0);
    const endings: Record<string, number> = {};
    for (const report of this.#last)
      for (const [how, count] of Object.entries(report.endings)) endings[how] = (endings[how] ?? 0) + count;
    return {
      lost: this.#lost,
      duplicates: this.#duplicates,
      events: this.#events,
      reconnects: this.#reconnects,
      silenceMsMax: this.#silenceMsMax,
      streams: { least: this.#least, most: this.#most },
      tasksEnded: sum((one) => one.tasksEnded),
      endings,
      wrongResults: sum((one) => one.wrongResults),
      acknowledgedLost: sum((one) => one.acknowledgedLost),
      failures: sum((one) => one.failures),
      unended: sum((one) => one.streams),
    };
  }
}

/** Waits, and no longer than until it is told to stop. */
async function pause(ms: number, stop: AbortSignal): Promise<void> {
  await delay(Math.max(0, ms), undefined, { signal: stop }).catch(() => undefined);
}

/** What the environment of the services has to say: a short ttl, so that the logs reach a steady size within the run. */
function settings(options: SoakOptions) {
  const store = {
    TASKSTREAM_RETENTION_CLASSES: `s:${options.ttlMs}`,
    TASKSTREAM_RETENTION_SLACK_MS: '30000',
    TASKSTREAM_LOG_LEVEL: 'warn',
    // Shorter than a node is away, so that its tasks are taken over.
    TASKSTREAM_LEASE_MS: '5000',
  };
  return {
    frontEnd: {
      ...store,
      TASKSTREAM_HEARTBEAT_MS: String(Math.round(options.everyMs * HEARTBEAT_SHARE)),
      // All streams are of one owner here.
      TASKSTREAM_STREAMS_PER_OWNER_MAX: '10000',
      TASKSTREAM_STREAM_OPENS_PER_MINUTE_MAX: '1000000',
    },
    worker: {
      ...store,
      // Three of four carry all.
      TASKSTREAM_SLOTS: String(Math.ceil(options.tasks / 2)),
      TASKSTREAM_TOOLS: fileURLToPath(new URL('tools.mjs', import.meta.url)),
    },
  };
}

function expectedOf(system: System, loads: Loads): Array<readonly [string, MeasureKey]> {
  const services = [survivorOf(system, 'front end'), survivorOf(system, 'worker')].map(({ name }) => name);
  const programs = [...services, ...loads.memory().map(({ name }) => name)];
  const processes = [...programs, survivorOf(system, 'NATS').name, system.balancer.name];
  return [
    ...processes.flatMap((name) => [[name, 'rss'] as const, [name, 'fds'] as const]),
    ...programs.map((name) => [name, 'heap'] as const),
    [ALL_NATS, 'messages'],
    [ALL_NATS, 'consumers'],
    [MACHINE, 'cpu'],
  ];
}

async function inflictAll(
  system: System,
  options: SoakOptions,
  stop: AbortSignal,
  done: (name: string, tookMs: number) => void,
): Promise<void> {
  const plan = rotation(options.seed);
  while (!stop.aborted) {
    const nextAtMs = performance.now() + options.faultEveryMs;
    const planned = plan.next().value;
    const beganAtMs = performance.now();
    await inflict(system, planned);
    done(nameOf(planned), performance.now() - beganAtMs);
    await pause(Math.max(WHOLE_MS, nextAtMs - performance.now()), stop);
  }
}

async function sampleAll(sampler: Sampler, loads: Loads, options: SoakOptions, stop: AbortSignal): Promise<void> {
  let saidAtMs = performance.now();
  let events = 0;
  const beganAtMs = saidAtMs;
  while (!stop.aborted) {
    const nextAtMs = performance.now() + SAMPLE_EVERY_MS;
    const now = await loads.report(true);
    events += now.events;
    await sampler.sample(performance.now(), loads.memory());
    if (performance.now() - saidAtMs >= PROGRESS_EVERY_MS) {
      const { lost, duplicates, tasksEnded } = loads.totals();
      const minutes = Math.round((performance.now() - beganAtMs) / 60_000);
      options.say(
        `${minutes} min: ${now.streams} streams, ${now.tasks} tasks, ${tasksEnded} ended, ${events} events in ` +
          `this minute, ${lost} lost, ${duplicates} duplicates`,
      );
      for (const note of loads.notes.splice(0)) options.say(`  ${note}`);
      saidAtMs = performance.now();
      events = 0;
    }
    await pause(nextAtMs - performance.now(), stop);
  }
}

export async function soak(options: SoakOptions): Promise<SoakResult> {
  const { say } = options;
  using network = makeNetwork(HOSTS, { prefix: PREFIX, detached: true });
  const dir = options.keepDir ?? (await mkdtemp(join(tmpdir(), 'taskstream-soak-')));
  let system: System | undefined;
  const helpers: Helper[] = [];
  const helper = (file: string, args: readonly string[] = []): Helper => {
    const made = new Helper(network.host(CLIENT), file, args);
    helpers.push(made);
    return made;
  };
  try {
    system = await startSystem(network, 'haproxy', dir, settings(options));
    const loads = new Loads(Array.from({ length: LOADS }, () => helper(LOAD)));
    const scraper = helper(SCRAPE);
    await scraper.ready();
    const { everyMs, taskMsMin, taskMsMax, tasks, streams, seed } = options;
    const readersPerTask = Math.max(1, Math.round(streams / tasks));
    // A silence of three heartbeats is one that nobody ends.
    const silenceMs = Math.round(everyMs * HEARTBEAT_SHARE * 3);
    const acksDir = join(dir, ACKS);
    await loads.start(
      { url: system.url, token: TOKEN, readersPerTask, everyMs, taskMsMin, taskMsMax, silenceMs, acksDir },
      tasks,
      seed,
    );
    say(`started: ${tasks} tasks with ${readersPerTask} readers each`);
    // Until all tasks have been started.
    await pause(35_000, options.stop);
    await loads.report(false);
    const fromMs = performance.now();
    const sampler = new Sampler(system, scraper, new SeriesBook());
    const faults = new Map<string, number>();
    // A timer, not AbortSignal.timeout: AbortSignal.any does not keep that from being collected, and it never fires.
    const over = new AbortController();
    const timer = setTimeout(() => over.abort(), options.minutes * 60_000);
    const end = (): void => over.abort();
    options.stop.addEventListener('abort', end);
    if (options.stop.aborted) end();
    let broken: Error | undefined;
    const both = [
      inflictAll(system, options, over.signal, (name, tookMs) => {
        faults.set(name, (faults.get(name) ?? 0) + 1);
        say(`  ${name}, ${(tookMs / 1000).toFixed(1)} s`);
      }),
      sampleAll(sampler, loads, options, over.signal),
    ];
    // What fails ends the other, too.
    const failed = (error: unknown): void => {
      broken ??= error instanceof Error ? error : new Error(String(error));
      over.abort();
    };
    await Promise.all(both.map((one) => one.catch(failed)));
    clearTimeout(timer);
    if (broken !== undefined) throw broken;
    const untilMs = sampler.lastAtMs;
    say('no more faults and tasks; waiting for those that run to end');
    await loads.stop();
    const deadlineMs = performance.now() + taskMsMax + ENDING_MS_MAX;
    while ((await loads.report(false)).tasks > 0 && performance.now() < deadlineMs) await delay(1_000);
    const died = ROLES.map((role) => survivorOf(system as System, role)).filter((node) => !sampler.livedThrough(node));
    return {
      ...loads.totals(),
      ranMs: untilMs - fromMs,
      fromMs,
      untilMs,
      series: sampler.series(),
      faults,
      died: died.map((node) => node.name),
      expected: expectedOf(system, loads),
      notes: loads.notes,
    };
  } finally {
    await Promise.all(helpers.map((one) => one.end()));
    await system?.end();
    if (options.keepDir === undefined) await rm(dir, { recursive: true, force: true });
  }
}
