/**
 * The clients of a soak, as a program on a host of its own: keeps a number of tasks running, each followed by several
 * readers over the load balancer, and checks every task at its end.
 *
 * Invariants: the readers are given one URL and nothing else; nothing is kept of a task that has ended.
 */
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { TaskClient } from '@taskstream/client';
import * as z from 'zod';
import { serve } from '../failover/helper.js';
import { loadClient } from '../failover/load-client.js';
import { ReaderWatch, reportOf } from '../failover/watch.js';
import { Random } from '../simulation/client/random.js';

const Start = z.object({
  url: z.string(),
  token: z.string(),
  tasks: z.int().positive(),
  readersPerTask: z.int().positive(),
  everyMs: z.int().positive(),
  taskMsMin: z.int().positive(),
  taskMsMax: z.int().positive(),
  silenceMs: z.int().positive(),
  /** Where the tool keeps what it was told is durable. */
  acksDir: z.string(),
  seed: z.int(),
});
type Start = z.infer<typeof Start>;
const Ask = z.discriminatedUnion('type', [
  z.object({ type: z.literal('start'), start: Start }),
  /** What happened since the last report. */
  z.object({ type: z.literal('report') }),
  /** No new tasks; answers at once. */
  z.object({ type: z.literal('stop') }),
]);

const Tick = z.object({ i: z.int(), attempt: z.int() });
const Result = z.object({ attempt: z.int(), count: z.int() });
/** Tasks are started over this time, so that they do not all end together. */
const RAMP_MS = 30_000;
const FAULTS_KEPT_MAX = 20;

class Load {
  readonly #start: Start;
  readonly #starter: TaskClient;
  #stopping = false;
  #readers = new Set<ReaderWatch>();
  /** Ended since the last report. */
  #past: ReaderWatch[] = [];
  #running = 0;
  #tasksEnded = 0;
  #acknowledgedLost = 0;
  #wrongResults = 0;
  #failures = 0;
  readonly #said: string[] = [];
  readonly #endings: Record<string, number> = {};

  constructor(start: Start) {
    this.#start = start;
    this.#starter = loadClient(this.#start, () => undefined);
    for (let slot = 0; slot < start.tasks; slot++) void this.#slot(slot);
  }

  stop(): void {
    this.#stopping = true;
  }

  /** One task after the other. */
  async #slot(slot: number): Promise<void> {
    const { tasks, taskMsMin, taskMsMax, seed } = this.#start;
    const random = new Random(seed * 100_003 + slot);
    await delay((slot / tasks) * RAMP_MS);
    let first = true;
    for (let n = 0; !this.#stopping; n++) {
      const lengthMs = random.int(first ? 1_000 : taskMsMin, taskMsMax);
      first = false;
      this.#running++;
      try {
        await this.#task(`soak-${process.pid}-${slot}-${n}`, lengthMs);
        this.#tasksEnded++;
      } catch (error) {
        this.#failures++;
        this.#note(`a task could not be started or checked: ${String(error)}`);
        await delay(1_000);
      } finally {
        this.#running--;
      }
    }
  }

  async #task(idempotencyKey: string, lengthMs: number): Promise<void> {
    const { everyMs, readersPerTask } = this.#start;
    const args = { everyMs, untilMs: Date.now() + lengthMs };
    const { taskId } = await this.#starter.callTool('clock', args, { idempotencyKey });
    if (taskId === undefined) throw new Error('clock answered without a task');
    const watches = await Promise.all(Array.from({ length: readersPerTask }, () => this.#read(taskId)));
    this.#checkAcks(taskId, watches);
  }

  async #read(taskId: string): Promise<ReaderWatch> {
    const watch = new ReaderWatch(0, performance.now());
    this.#readers.add(watch);
    const client = loadClient(this.#start, (notice) => {
      if (notice.type === 'reconnecting') watch.reconnected();
    });
    try {
      const follow = client.followTask(taskId);
      for await (const item of follow) {
        if (item.type !== 'event') throw new Error('a gap in the log');
        const tick = item.event.type === 'com.example.tick' ? Tick.parse(item.event.payload) : undefined;
        watch.saw({ seq: item.event.seq, tick }, performance.now());
      }
      const outcome = await follow.outcome;
      this.#ended(outcome.status);
      if (outcome.status === 'completed') this.#checkResult(taskId, watch, outcome.result.structuredContent);
      else this.#note(`${taskId} ended as ${outcome.status}`);
    } catch (error) {
      this.#ended('error');
      this.#note(`a reader of ${taskId}: ${String(error)}`);
    } finally {
      this.#readers.delete(watch);
      this.#past.push(watch);
    }
    return watch;
  }

  #ended(how: string): void {
    this.#endings[how] = (this.#endings[how] ?? 0) + 1;
  }

  /** What the tool says that it has emitted is what the reader was given. */
  #checkResult(taskId: string, watch: ReaderWatch, content: unknown): void {
    const result = Result.safeParse(content);
    const seen = result.success ? (watch.reached.get(result.data.attempt) ?? -1) + 1 : -1;
    if (result.success && seen === result.data.count) return;
    this.#wrongResults++;
    this.#note(`${taskId}: result ${JSON.stringify(content)}, but ${seen} events were seen`);
  }

  /** What the tool was told is durable, in each attempt, has come to every reader. */
  #checkAcks(taskId: string, watches: readonly ReaderWatch[]): void {
    const { acksDir } = this.#start;
    for (const file of readdirSync(acksDir).filter((name) => name.startsWith(`${taskId}.`))) {
      const text = readFileSync(join(acksDir, file), 'utf8').trim();
      rmSync(join(acksDir, file));
      if (text === '') continue;
      const attempt = Number(file.slice(file.lastIndexOf('.') + 1));
      const seen = Math.min(...watches.map((watch) => watch.reached.get(attempt) ?? -1));
      const lost = Math.max(0, Number(text) - seen);
      this.#acknowledgedLost += lost;
      if (lost > 0) this.#note(`${taskId}: attempt ${attempt} was told of event ${text}, a reader got to ${seen}`);
    }
  }

  #note(text: string): void {
    if (this.#said.length < FAULTS_KEPT_MAX) this.#said.push(text);
  }

  report(): unknown {
    const readers = [...this.#readers, ...this.#past];
    this.#past = [];
    const { lost, duplicates, events, reconnected, silenceMs } = reportOf(readers, performance.now());
    return {
      streams: this.#readers.size,
      tasks: this.#running,
      lost,
      duplicates,
      events,
      reconnected,
      silenceMsMax: Math.round(Math.max(0, ...silenceMs)),
      tasksEnded: this.#tasksEnded,
      endings: this.#endings,
      wrongResults: this.#wrongResults,
      acknowledgedLost: this.#acknowledgedLost,
      failures: this.#failures,
      notes: this.#said.splice(0),
      heapBytes: process.memoryUsage().heapUsed,
    };
  }
}

let load: Load | undefined;

serve((message) => {
  const ask = Ask.parse(message);
  if (ask.type === 'start') {
    load = new Load(ask.start);
    return Promise.resolve({});
  }
  if (load === undefined) throw new Error('not started');
  if (ask.type === 'stop') {
    load.stop();
    return Promise.resolve({});
  }
  return Promise.resolve(load.report());
});
