/**
 * Keeps the slots of a worker filled from its queues, and empties them at shutdown.
 *
 * Invariants: no more items are asked for than there are free slots; a drain stops asking first, then waits, then
 * hands over what is left.
 */
import type { AttemptStore, ClaimedItem, WorkQueue } from '@taskstream/core';
import { setTimeout as delay } from 'node:timers/promises';
import { AttemptRun } from './attempt-run.js';
import type { ChildPorts } from './children.js';
import type { Tool } from './define-tool.js';
import type { WorkerObserver, WorkerOptions } from './worker-options.js';

export interface WorkerParts {
  readonly tools: ReadonlyArray<Tool>;
  readonly attempts: AttemptStore;
  readonly work: WorkQueue;
  /** Absent: the tools of this worker cannot spawn tasks. */
  readonly children?: ChildPorts;
  readonly options: WorkerOptions;
  readonly observer: WorkerObserver;
}

export class WorkerRuntime {
  readonly #parts: WorkerParts;
  readonly #tools: ReadonlyMap<string, Tool>;
  readonly #queues: string[];
  readonly #asked = new Map<string, number>();
  readonly #runs = new Map<AttemptRun, Promise<void>>();
  /** Their attempts are over, their tools are not: each still holds its slot. */
  readonly #abandoned = new Set<AttemptRun>();
  readonly #stopPulling = new AbortController();
  #pulls = new Set<Promise<void>>();
  /** Slots of attempts that wait for children. */
  #lent = 0;

  /** @throws TypeError when two tools have one name */
  constructor(parts: WorkerParts) {
    this.#parts = parts;
    const tools = new Map<string, Tool>();
    for (const tool of parts.tools) {
      if (tools.has(tool.definition.name)) throw new TypeError(`two tools are called ${tool.definition.name}`);
      tools.set(tool.definition.name, tool);
    }
    this.#tools = tools;
    this.#queues = [...new Set(parts.tools.map((t) => t.definition.queue))];
  }

  get running(): number {
    return this.#runs.size;
  }

  start(): void {
    this.#fill();
  }

  /** Resolves when no attempt of this worker is left, or when its time is over. */
  async drain(): Promise<void> {
    this.#stopPulling.abort();
    const { drainMsMax, stopGraceMs } = this.#parts.options;
    const finished = async () => {
      await Promise.all(this.#pulls);
      await Promise.all(this.#runs.values());
      return true;
    };
    if (await Promise.race([finished(), delay(drainMsMax, false, { ref: false })])) return;
    for (const run of this.#runs.keys()) run.handOver();
    await Promise.race([finished(), delay(stopGraceMs * 2, false, { ref: false })]);
  }

  /** Each queue may ask for its share of the slots, at least for one. With fewer slots than queues they take turns. */
  #fill(): void {
    const share = Math.max(1, Math.floor(this.#parts.options.slots / Math.max(1, this.#queues.length)));
    for (const queue of this.#queues.slice()) {
      const asked = this.#asked.get(queue) ?? 0;
      const free = Math.min(
        share - asked,
        this.#parts.options.slots + this.#lent - this.#runs.size - this.#abandoned.size - this.#askedInAll(),
      );
      if (free > 0 && !this.#stopPulling.signal.aborted) this.#pull(queue, free);
    }
  }

  #askedInAll(): number {
    let sum = 0;
    for (const n of this.#asked.values()) sum += n;
    return sum;
  }

  #pull(queue: string, count: number): void {
    let open = count;
    const settle = (n: number) => {
      open -= n;
      this.#asked.set(queue, (this.#asked.get(queue) ?? 0) - n);
    };
    this.#asked.set(queue, (this.#asked.get(queue) ?? 0) + count);
    this.#queues.splice(this.#queues.indexOf(queue), 1);
    this.#queues.push(queue);
    const pull = (async () => {
      try {
        await this.#parts.work.pull(
          queue,
          count,
          (item) => {
            settle(1);
            this.#run(item);
          },
          this.#stopPulling.signal,
        );
      } catch (error) {
        this.#parts.observer.pullFailed({ queue, error });
        await delay(this.#parts.options.pullRetryMs);
      } finally {
        settle(open);
      }
    })();
    this.#pulls.add(pull);
    void pull.finally(() => {
      this.#pulls.delete(pull);
      this.#fill();
    });
  }

  /** An attempt that waits for a child holds no slot, so that the child can have it. It takes it back when it goes on. */
  #lend(): () => void {
    const { childWaitsMax, limitHit } = this.#parts.options;
    if (this.#lent >= childWaitsMax) {
      limitHit?.('childWaitsMax', 'slowed');
      return () => undefined;
    }
    this.#lent++;
    this.#fill();
    return () => void this.#lent--;
  }

  #run(item: ClaimedItem): void {
    const { attempts, options, observer } = this.#parts;
    const { slots } = options;
    const run = new AttemptRun(item, attempts, this.#tools, options, observer, {
      ports: this.#parts.children,
      lend: () => this.#lend(),
    });
    const done = run
      .run()
      .catch((error: unknown) => observer.itemFailed({ taskId: item.taskId, error }))
      .finally(() => {
        this.#runs.delete(run);
        this.#abandoned.add(run);
        // At once, unless the tool goes on.
        void run.toolEnded.then(() => {
          this.#abandoned.delete(run);
          this.#fill();
        });
        if (this.#abandoned.size >= slots) setImmediate(() => this.#tellIfStuck());
      });
    this.#runs.set(run, done);
  }

  #tellIfStuck(): void {
    const { observer, options } = this.#parts;
    if (this.#abandoned.size >= options.slots) observer.stuck({ abandoned: this.#abandoned.size });
  }
}
