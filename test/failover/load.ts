/**
 * The clients, as a program on a host of its own: starts tasks, follows each with several readers over the load balancer
 * by the public client, and answers over IPC what they saw.
 *
 * Invariant: the readers are given one URL and nothing else.
 */
import * as z from 'zod';
import { serve } from './helper.js';
import { loadClient } from './load-client.js';
import { ReaderWatch, reportOf } from './watch.js';

const Start = z.object({
  url: z.string(),
  token: z.string(),
  tasks: z.int().positive(),
  readersPerTask: z.int().positive(),
  everyMs: z.int().positive(),
  silenceMs: z.int().positive(),
});
type Start = z.infer<typeof Start>;
const Ask = z.discriminatedUnion('type', [
  z.object({ type: z.literal('start'), start: Start }),
  /** What happened since the last report. */
  z.object({ type: z.literal('report') }),
  /** How long ago the reader that waits longest had its last event. */
  z.object({ type: z.literal('quietest') }),
  z.object({ type: z.literal('finish') }),
]);

const Tick = z.object({ i: z.int(), attempt: z.int() });

export interface Finish {
  readonly endings: Readonly<Record<string, number>>;
  /** By `taskId.attempt`. */
  readonly reached: Readonly<Record<string, number>>;
}

class Load {
  readonly #start: Start;
  readonly #readers: ReaderWatch[] = [];
  readonly #readersOf = new Map<string, ReaderWatch>();
  readonly #taskIds: string[] = [];
  readonly #ended: Promise<string>[] = [];

  constructor(start: Start) {
    this.#start = start;
  }

  async begin(): Promise<void> {
    const { tasks, readersPerTask, everyMs } = this.#start;
    const client = loadClient(this.#start, () => undefined);
    for (let i = 0; i < tasks; i++) {
      const { taskId } = await client.callTool(
        'ticker',
        { everyMs },
        { idempotencyKey: `failover-${process.pid}-${i}` },
      );
      if (taskId === undefined) throw new Error('ticker answered without a task');
      this.#taskIds.push(taskId);
      for (let r = 0; r < readersPerTask; r++) this.#ended.push(this.#read(taskId));
    }
  }

  async #read(taskId: string): Promise<string> {
    const watch = new ReaderWatch(this.#readers.length, performance.now());
    this.#readers.push(watch);
    this.#readersOf.set(taskId, watch);
    const client = loadClient(this.#start, (notice) => {
      if (notice.type === 'reconnecting') watch.reconnected();
    });
    try {
      const follow = client.followTask(taskId);
      for await (const item of follow) {
        if (item.type !== 'event') return 'gap';
        const tick = item.event.type === 'com.example.tick' ? Tick.parse(item.event.payload) : undefined;
        watch.saw({ seq: item.event.seq, tick }, performance.now());
      }
      return (await follow.outcome).status;
    } catch (error) {
      return String(error);
    }
  }

  report(): unknown {
    return reportOf(this.#readers, performance.now());
  }

  quietest(): number {
    return Math.max(...this.#readers.map((reader) => performance.now() - reader.lastAtMs));
  }

  /** Cancels every task. How often readers ended how, and how far each attempt of each task came. */
  async finish(): Promise<Finish> {
    const client = loadClient(this.#start, () => undefined);
    for (const taskId of this.#taskIds) await client.cancelTask(taskId);
    const endings: Record<string, number> = {};
    for (const status of await Promise.all(this.#ended)) endings[status] = (endings[status] ?? 0) + 1;
    const reached: Record<string, number> = {};
    for (const [taskId, watch] of this.#readersOf) {
      for (const [attempt, i] of watch.reached) reached[`${taskId}.${attempt}`] = i;
    }
    return { endings, reached };
  }
}

let load: Load | undefined;

async function answer(message: unknown): Promise<unknown> {
  const ask = Ask.parse(message);
  if (ask.type === 'start') {
    load = new Load(ask.start);
    await load.begin();
    return {};
  }
  if (load === undefined) throw new Error('not started');
  if (ask.type === 'report') return load.report();
  return ask.type === 'quietest' ? load.quietest() : load.finish();
}

serve(answer);
