/**
 * A follow, watched: told of its begin, its events and its end.
 *
 * Invariant: the end is told once for each begin, however the follow ends.
 */
import type { Follow, FollowItem, TaskEvent, TaskOutcome } from './api.js';

export interface FollowWatcher {
  /** The first item is asked for. */
  readonly onBegin: () => void;
  readonly onEvent: (event: TaskEvent) => void;
  readonly onEnd: () => void;
}

export class WatchedFollow implements Follow {
  readonly taskId: string;
  readonly outcome: Promise<TaskOutcome>;
  readonly #follow: Follow;
  readonly #watcher: FollowWatcher;
  #stage: 'idle' | 'begun' | 'ended' = 'idle';

  constructor(follow: Follow, watcher: FollowWatcher) {
    this.taskId = follow.taskId;
    this.outcome = follow.outcome;
    this.#follow = follow;
    this.#watcher = watcher;
  }

  get lastSeq(): number | undefined {
    return this.#follow.lastSeq;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<IteratorResult<FollowItem, undefined>> {
    if (this.#stage === 'idle') {
      this.#stage = 'begun';
      this.#watcher.onBegin();
    }
    const next = await this.#untilEnd(() => this.#follow.next());
    if (next.done === true) this.#end();
    else if (next.value.type === 'event') this.#watcher.onEvent(next.value.event);
    return next;
  }

  async return(): Promise<IteratorReturnResult<undefined>> {
    const end = await this.#untilEnd(() => this.#follow.return());
    this.#end();
    return end;
  }

  async #untilEnd<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      this.#end();
      throw error;
    }
  }

  #end(): void {
    if (this.#stage === 'begun') this.#watcher.onEnd();
    this.#stage = 'ended';
  }
}
