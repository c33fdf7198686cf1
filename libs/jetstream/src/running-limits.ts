/**
 * How many tasks of a scope (a tool, an owner) run at a time over all workers: each has a place, a message in the work
 * stream that no consumer is handed.
 *
 * Invariants: a place is taken by compare-and-set on the places of its scope, so that a limit is never exceeded; a place
 * belongs to the task, not to the worker: who takes the task over has it already; it is given up before the item is, so
 * that a death in between is made good by the item's next delivery.
 */
import type { RunningLimit } from '@taskstream/core';
import type { Broker } from './broker.js';
import { anyItemSubject, holdSubject, WORK_STREAM, workTaskId } from './names.js';
import { isNatsFault } from './nats-errors.js';
import type { StoreOptions } from './options.js';
import type { LogReads } from './log-reads.js';
import { whileUnavailable } from './waiting.js';

/** Compare-and-sets that others may win before a task is told to come again. */
const TRIES_MAX = 20;

export class RunningLimits {
  readonly #broker: Broker;
  readonly #reads: LogReads;
  readonly #options: StoreOptions;

  constructor(broker: Broker, reads: LogReads, options: StoreOptions) {
    this.#broker = broker;
    this.#reads = reads;
    this.#options = options;
  }

  /** Whether the task has a place in every scope now. Without it has none that it did not have before. */
  async enter(taskId: string, limits: ReadonlyArray<RunningLimit>): Promise<boolean> {
    const entered: RunningLimit[] = [];
    for (const limit of limits) {
      const how = await this.#enter(taskId, limit);
      if (how === 'full') {
        await this.leave(taskId, entered);
        return false;
      }
      if (how === 'entered') entered.push(limit);
    }
    return true;
  }

  /** Gives its places up; resolves also when it has none. */
  async leave(taskId: string, limits: ReadonlyArray<RunningLimit>): Promise<void> {
    await Promise.all(limits.map(({ scope }) => this.#remove(holdSubject(scope, taskId))));
  }

  async #enter(taskId: string, { scope, max }: RunningLimit): Promise<'entered' | 'was_in' | 'full'> {
    const places = holdSubject(scope, '*');
    for (let tries = 0; tries < TRIES_MAX; tries++) {
      // The position before the count: a place that is taken after it spoils the compare-and-set.
      const last = await this.#reads.lastOf(WORK_STREAM, places);
      const holders = last === null ? [] : await this.#holders(places);
      if (holders.includes(taskId)) return 'was_in';
      if (holders.length >= max) {
        await this.#dropIfLeft(scope, holders);
        return 'full';
      }
      try {
        await this.#put(holdSubject(scope, taskId), places, last?.seq ?? 0);
        return 'entered';
      } catch (error) {
        if (isNatsFault(error, 'subject_taken')) return 'was_in';
        if (!isNatsFault(error, 'wrong_last')) throw error;
      }
    }
    return 'full';
  }

  async #holders(places: string): Promise<string[]> {
    const info = await whileUnavailable('reading running tasks', this.#options.readRetryMsMax, () =>
      this.#broker.jsm.streams.info(WORK_STREAM, { subjects_filter: places }),
    );
    return Object.keys(info.state.subjects ?? {}).map(workTaskId);
  }

  #put(subject: string, places: string, expected: number): Promise<unknown> {
    return whileUnavailable('entering the running tasks', this.#options.publishRetryMsMax, () =>
      this.#broker.js.publish(subject, undefined, {
        timeout: this.#options.publishTimeoutMs,
        expect: { lastSubjectSequence: expected, lastSubjectSequenceSubject: places },
      }),
    );
  }

  /** A place whose task has no item any more was left behind: one that was taken out by hand, for example. */
  async #dropIfLeft(scope: string, holders: ReadonlyArray<string>): Promise<void> {
    const taskId = holders[Math.floor(Math.random() * holders.length)];
    if (taskId === undefined || (await this.#reads.lastOf(WORK_STREAM, anyItemSubject(taskId))) !== null) return;
    await this.#remove(holdSubject(scope, taskId));
  }

  async #remove(subject: string): Promise<void> {
    await whileUnavailable('leaving the running tasks', this.#options.readRetryMsMax, () =>
      this.#broker.jsm.streams.purge(WORK_STREAM, { filter: subject }),
    );
  }
}
