/**
 * Tasks as their owners may see them, and how often an owner may ask for what there is not or open streams.
 *
 * Invariants: unknown, expired and foreign tasks look alike, whatever is asked of them; who asked for too many of them
 * is refused before anything is read; every look-up by a client goes through here.
 */
import {
  isExpired,
  isTaskstreamError,
  TASK_ID_LENGTH_MAX,
  TaskstreamError,
  type TaskSnapshot,
  type TaskSpec,
  type TaskStore,
} from '@taskstream/core';
import type { FrontEndLimits } from './config.js';
import { RateLimit } from './rate-limit.js';

/** Told of what looks like guessing, for metrics and logs. */
export interface AttemptObserver {
  unknownTask(owner: string): void;
  refused(limit: AttemptLimit, owner: string): void;
  /** An owner was forgotten because more are counted than `countedOwnersMax`: what it asked before counts no more. */
  forgotten(): void;
}

export type AttemptLimit = 'unknownTasksPerMinuteMax' | 'streamOpensPerMinuteMax';

const NOTHING_TOLD: Readonly<Record<AttemptLimit, string>> = {
  unknownTasksPerMinuteMax: 'Too many requests for tasks that do not exist',
  streamOpensPerMinuteMax: 'Too many streams were opened or resumed',
};

export class OwnedTasks {
  readonly #tasks: TaskStore;
  readonly #limits: Readonly<Record<AttemptLimit, RateLimit>>;
  readonly #observer: AttemptObserver;

  constructor(tasks: TaskStore, limits: FrontEndLimits, observer: AttemptObserver) {
    this.#tasks = tasks;
    const perMinute = (max: number) => new RateLimit(max, limits.countedOwnersMax, () => observer.forgotten());
    this.#limits = {
      unknownTasksPerMinuteMax: perMinute(limits.unknownTasksPerMinuteMax),
      streamOpensPerMinuteMax: perMinute(limits.streamOpensPerMinuteMax),
    };
    this.#observer = observer;
  }

  /** Undefined for unknown, expired and foreign tasks. @throws TaskstreamError limit_reached, log_unavailable */
  read(taskId: string, owner: string): Promise<TaskSnapshot | undefined> {
    return this.#lookUp(
      taskId,
      owner,
      () => this.#tasks.read(taskId),
      ({ spec }) => spec,
    );
  }

  /** The spec alone, which costs no read of the log. @throws TaskstreamError limit_reached, log_unavailable */
  readSpec(taskId: string, owner: string): Promise<TaskSpec | undefined> {
    return this.#lookUp(
      taskId,
      owner,
      () => this.#tasks.readSpec(taskId),
      (spec) => spec,
    );
  }

  /** Counts the opening of a stream. @throws TaskstreamError limit_reached */
  opensStream(owner: string): void {
    this.#admit('streamOpensPerMinuteMax', owner);
    this.#limits.streamOpensPerMinuteMax.count(owner, performance.now());
  }

  async #lookUp<Found>(
    taskId: string,
    owner: string,
    read: () => Promise<Found | undefined>,
    specOf: (found: Found) => TaskSpec,
  ): Promise<Found | undefined> {
    this.#admit('unknownTasksPerMinuteMax', owner);
    const found = taskId.length > TASK_ID_LENGTH_MAX ? undefined : await known(read);
    const spec = found === undefined ? undefined : specOf(found);
    if (spec?.owner === owner && !isExpired(Date.parse(spec.createdAt), spec.ttlMs, Date.now())) return found;
    this.#limits.unknownTasksPerMinuteMax.count(owner, performance.now());
    this.#observer.unknownTask(owner);
    return undefined;
  }

  #admit(limit: AttemptLimit, owner: string): void {
    const retryAfterMs = this.#limits[limit].waitMs(owner, performance.now());
    if (retryAfterMs === 0) return;
    this.#observer.refused(limit, owner);
    throw new TaskstreamError('limit_reached', NOTHING_TOLD[limit], { details: { limit, retryAfterMs } });
  }
}

async function known<Found>(read: () => Promise<Found | undefined>): Promise<Found | undefined> {
  try {
    return await read();
  } catch (error) {
    if (isTaskstreamError(error, 'unknown_task')) return undefined;
    throw error;
  }
}
