/**
 * A task in the hands of one attempt: its lease, its tool, its outcome.
 *
 * Invariants: while the attempt runs its lease is kept; after a gap longer than the lease the attempt is confirmed
 * before anything else is sent; whatever happens, lease, mailbox and timers end with the attempt.
 */
import { PARENT_OVER, type Deadline, type Tail } from '@taskstream/core';
import { TERMINAL_STATUSES } from '@taskstream/protocol';
import { startClock } from './attempt-clock.js';
import { endAttempt, type EndingAttempt } from './attempt-end.js';
import { Children, type ChildPorts } from './children.js';
import { InputDesk } from './input-desk.js';
import { keepLease } from './lease.js';
import { afterMs } from './long-timer.js';
import { NOT_RUN, outcomeOfError, outcomeOfResult, type Outcome } from './outcome.js';
import { watchParent } from './parent-watch.js';
import { RunningTask } from './running-task.js';
import type { StopReason } from './stop-reason.js';
import type { StopRequest } from './stop-request.js';
import type { ToolResult } from './tool-result.js';
import type { WorkerObserver, WorkerOptions } from './worker-options.js';

/** What lets the tools of a worker spawn tasks. */
export interface ChildSupport {
  readonly ports: ChildPorts | undefined;
  /** Lends the attempt's slot while it waits for a child; what is returned takes it back. */
  readonly lend: () => () => void;
}

/** How an attempt ends that ends its task. */
const ENDS: ReadonlySet<string> = new Set(TERMINAL_STATUSES);

export interface RunningParts extends EndingAttempt {
  readonly options: WorkerOptions;
  readonly observer: WorkerObserver;
  readonly childSupport: ChildSupport;
  /** What the attempt began with. */
  readonly tail: Tail;
  readonly cause: string;
  readonly deadline: Deadline | undefined;
  /** When its item was claimed, on the clock of `performance`. */
  readonly claimedAtMs: number;
  readonly waitMs: number | undefined;
  readonly stop: StopRequest;
}

export class RunningAttempt {
  readonly #parts: RunningParts;
  readonly #stop: StopRequest;
  #toolEnded: Promise<void> = Promise.resolve();

  constructor(parts: RunningParts) {
    this.#parts = parts;
    this.#stop = parts.stop;
  }

  /** Resolves when the tool's function has returned; it may go on long after its attempt has ended. */
  get toolEnded(): Promise<void> {
    return this.#toolEnded;
  }

  async run(): Promise<void> {
    const { item, store, options, observer, childSupport, spec, tail, tool, log, cause } = this.#parts;
    const { deadline, claimedAtMs, waitMs } = this.#parts;
    const facts = { taskId: spec.taskId, attempt: log.attempt, tool: spec.tool, traceparent: spec.traceparent };
    observer.attemptStarted({ ...facts, cause, waitMs });
    const startedAt = performance.now();
    const over = new AbortController();
    let running: RunningTask | undefined;
    try {
      keepLease(item, log, { leaseMs: options.leaseMs, claimedAtMs }, observer, over.signal);
      if (deadline !== undefined) this.#expireAt(deadline, over.signal);
      const signal = AbortSignal.any([this.#stop.signal, log.signal]);
      const desk = new InputDesk({
        capabilities: spec.clientCapabilities,
        openBefore: log.openQuestions,
        state: (status, awaited) => log.appendStatus(status, awaited),
        signal,
      });
      const children = new Children({
        spec,
        log,
        ports: childSupport.ports,
        signal,
        earlierSeq: tail.nextSeq,
        bounds: options,
        lend: childSupport.lend,
      });
      watchParent(store, spec, options.parentCheckMs, over.signal, {
        end: () => this.#stop.request({ type: 'cancel', reason: PARENT_OVER }),
        error: (error) => observer.itemFailed({ taskId: spec.taskId, error }),
      });
      const task = new RunningTask({
        spec,
        events: tool.events,
        steerable: tool.definition.steerable === true,
        taken: tail.taken,
        log,
        state: store.openState(spec.taskId, log.attempt),
        desk,
        children,
        signal,
        bounds: options,
        onSuspend: () => this.#stop.request({ type: 'suspend' }),
        onStep: (fact) => observer.stepEnded({ taskId: spec.taskId, attempt: log.attempt, ...fact }),
      });
      running = task;
      await store.followMailbox(
        spec.taskId,
        (command, entry) => {
          if (command.type === 'cancel') this.#stop.request({ type: 'cancel', reason: command.reason });
          else if (command.type === 'input') desk.answer(command.key, command.response);
          else task.mailbox.take(command, entry);
        },
        over.signal,
      );
      const outcome = this.#stop.reason === undefined ? await this.#execute(task) : NOT_RUN;
      await task.finish();
      const how = await endAttempt(this.#parts, outcome, this.#stop.reason);
      if (ENDS.has(how)) await this.#endChildren(children, how);
      const error: unknown = how === 'silent' ? log.signal.reason : undefined;
      observer.attemptEnded({
        ...facts,
        how,
        ms: performance.now() - startedAt,
        ...(error !== undefined && { error }),
      });
    } catch (error) {
      observer.attemptEnded({ ...facts, how: 'silent', ms: performance.now() - startedAt, error });
    } finally {
      over.abort();
      running?.close((type) => observer.lateEmit({ ...facts, type }));
      this.#stop.abort(new Error('the attempt is over'));
    }
  }

  async #endChildren(children: Children, how: string): Promise<void> {
    const unasked = await children.cancel(`The task that spawned it is ${how}`);
    for (const { taskId, error } of unasked) this.#parts.observer.itemFailed({ taskId, error });
  }

  #expireAt({ atMs, status }: Deadline, over: AbortSignal): void {
    over.addEventListener(
      'abort',
      afterMs(atMs - Date.now(), () => this.#stop.request({ type: 'expired', status })),
    );
  }

  /** Runs the tool until it is done, may no longer write, or has ignored a stop for its grace period. */
  async #execute(task: RunningTask): Promise<Outcome> {
    const { spec, tool, log, options, observer } = this.#parts;
    const finished = (async (): Promise<Outcome> => {
      try {
        if (tool.definition.pausable === true) await task.mailbox.whenResumed();
        if (tool.inputFirst !== undefined) await task.askFirst(tool.inputFirst);
        const result: ToolResult = await tool.invoke(spec.arguments, task);
        const { unseenFailure } = task;
        return unseenFailure === undefined ? outcomeOfResult(result) : outcomeOfError(unseenFailure.error);
      } catch (error) {
        return outcomeOfError(error, tool.isRetryable);
      }
    })();
    this.#toolEnded = finished.then(() => undefined);
    const timers: Array<() => void> = [];
    const timedOut = new Promise<Outcome>((resolve) => {
      timers.push(
        startClock(tool, task.liveliness, (error) => {
          this.#stop.abort(error);
          resolve(outcomeOfError(error));
        }),
      );
    });
    const told = new Promise<Outcome>((resolve) => {
      const onStop = (reason: StopReason) => {
        timers.push(
          afterMs(options.stopGraceMs, () => {
            const { stopGraceMs: graceMs } = options;
            const { taskId, tool: name, traceparent } = spec;
            const who = { taskId, attempt: log.attempt, tool: name, traceparent };
            observer.stopIgnored({ ...who, why: reason.type, graceMs });
            resolve({ type: 'silent', why: `ignored: ${reason.type}` });
          }),
        );
      };
      this.#stop.listen(onStop);
    });
    const fenced = new Promise<Outcome>((resolve) => {
      const tell = () => resolve(outcomeOfError(log.signal.reason));
      if (log.signal.aborted) tell();
      else log.signal.addEventListener('abort', tell, { once: true });
    });
    try {
      return await Promise.race([finished, timedOut, told, fenced]);
    } finally {
      for (const stopTimer of timers) stopTimer();
    }
  }
}
