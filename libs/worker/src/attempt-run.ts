/**
 * One attempt from its claim to its end: dispatch, lease, tool, outcome, release of the item.
 *
 * Invariants: the item is acked, given back or removed only after an own append has landed; after a gap longer than
 * the lease the attempt is confirmed before anything else is sent; an attempt that is fenced says nothing.
 */
import {
  backoffMs,
  deadlineOf,
  decideDispatch,
  isTaskstreamError,
  PARENT_OVER,
  type AttemptLog,
  type AttemptStore,
  type ClaimedItem,
  type Deadline,
  type DispatchDecision,
  type RunningLimit,
  type TaskSpec,
  type Tail,
} from '@taskstream/core';
import { TERMINAL_STATUSES, type StatusPayload } from '@taskstream/protocol';
import { dueInMs, limitsOf } from './admission.js';
import { startClock } from './attempt-clock.js';
import { failed, isAbortError, NOT_RUN, outcomeOfError, outcomeOfResult, type Outcome } from './outcome.js';
import type { Tool } from './define-tool.js';
import type { ToolResult } from './tool-result.js';
import { keepLease } from './lease.js';
import { afterMs } from './long-timer.js';
import { Children, type ChildPorts } from './children.js';
import { InputDesk } from './input-desk.js';
import { parentIsOver, watchParent } from './parent-watch.js';
import { LostRace, orLostRace } from './lost-race.js';
import { RunningTask } from './running-task.js';
import { stopError, type StopReason } from './stop-reason.js';
import { endIfCancelled } from './unheard-cancel.js';
import type { WorkerObserver, WorkerOptions } from './worker-options.js';

/** What lets the tools of a worker spawn tasks. */
export interface ChildSupport {
  readonly ports: ChildPorts | undefined;
  /** Lends the attempt's slot while it waits for a child; what is returned takes it back. */
  readonly lend: () => () => void;
}

const DISPATCH_TRIES_MAX = 5;
/** A longer message of an attempt that failed is cut, in characters. */
const MESSAGE_LENGTH_MAX = 4_000;
/** How an attempt ends that ends its task. */
const ENDS: ReadonlySet<string> = new Set(TERMINAL_STATUSES);

export class AttemptRun {
  readonly #item: ClaimedItem;
  readonly #store: AttemptStore;
  readonly #tools: ReadonlyMap<string, Tool>;
  readonly #options: WorkerOptions;
  readonly #observer: WorkerObserver;
  readonly #childSupport: ChildSupport;
  readonly #abort = new AbortController();
  readonly #claimedAt = performance.now();
  #toolEnded: Promise<void> = Promise.resolve();
  #stop: StopReason | undefined;
  #task: RunningTask | undefined;
  #stopped: (reason: StopReason) => void = () => undefined;

  constructor(
    item: ClaimedItem,
    store: AttemptStore,
    tools: ReadonlyMap<string, Tool>,
    options: WorkerOptions,
    observer: WorkerObserver,
    childSupport: ChildSupport = { ports: undefined, lend: () => () => undefined },
  ) {
    this.#item = item;
    this.#store = store;
    this.#tools = tools;
    this.#options = options;
    this.#observer = observer;
    this.#childSupport = childSupport;
  }

  get taskId(): string {
    return this.#item.taskId;
  }

  /** Resolves when the tool's function has returned; it may go on long after its attempt has ended. */
  get toolEnded(): Promise<void> {
    return this.#toolEnded;
  }

  /** Ends the attempt so that another worker can go on at once. */
  handOver(): void {
    this.#requestStop({ type: 'hand_over' });
  }

  async run(): Promise<void> {
    try {
      await this.#run();
    } finally {
      this.#item.forget();
    }
  }

  async #run(): Promise<void> {
    for (let tries = 0; tries < DISPATCH_TRIES_MAX; tries++) {
      const spec = await this.#store.readSpec(this.#item.taskId);
      const tail = await this.#store.readTail(this.#item.taskId);
      try {
        await this.#dispatch(spec, tail);
        return;
      } catch (error) {
        // Somebody else appended between the read and the takeover: look again.
        if (!(error instanceof LostRace)) throw error;
      }
    }
    this.#observer.released({ taskId: this.#item.taskId, why: 'contended' });
  }

  async #dispatch(spec: TaskSpec | undefined, tail: Tail | undefined): Promise<void> {
    const decision = await this.#decide(spec, tail);
    switch (decision.type) {
      case 'ack':
        if (decision.why !== 'twin' && spec !== undefined) await this.#leave(spec);
        if (decision.why === 'suspended') await this.#item.ackInTime();
        else await this.#item.ack();
        this.#observer.released({ taskId: this.#item.taskId, why: decision.why });
        return;
      case 'term':
        await this.#item.term('no task behind this item');
        this.#observer.released({ taskId: this.#item.taskId, why: 'orphan' });
        return;
      case 'stale':
        this.#observer.released({ taskId: this.#item.taskId, why: 'stale delivery' });
        return;
      case 'nak':
        await this.#item.nak(this.#options.unknownTaskRetryMs);
        this.#observer.released({ taskId: this.#item.taskId, why: 'not visible yet' });
        return;
      case 'fail':
        await this.#fail(spec as TaskSpec, tail as Tail, decision.failures);
        return;
      case 'start':
        await this.#start(spec as TaskSpec, tail as Tail, decision);
        return;
    }
  }

  async #decide(spec: TaskSpec | undefined, tail: Tail | undefined): Promise<DispatchDecision> {
    const ageMs = Date.now() - this.#item.queuedAtMs;
    return decideDispatch({
      facts: spec === undefined ? undefined : tail,
      itemId: this.#item.itemId,
      delivery: this.#item.delivery,
      expired: ageMs > this.#options.orphanItemMs,
      attemptsMax: spec?.attemptsMax ?? 1,
      handedOver: tail?.handedOver ?? false,
      otherIsThere: await this.#otherIsThere(tail),
      suspended: tail?.suspended === true && spec !== undefined ? await this.#suspension(spec) : 'no',
    });
  }

  async #otherIsThere(tail: Tail | undefined): Promise<boolean> {
    const { runningItem } = tail ?? {};
    return runningItem !== undefined && runningItem !== this.#item.itemId && (await this.#item.isThere(runningItem));
  }

  async #suspension(spec: TaskSpec): Promise<'waiting' | 'answered'> {
    const deadline = deadlineOf(spec, this.#tools.get(spec.tool));
    if (deadline !== undefined && deadline.atMs <= Date.now()) return 'answered';
    const suspension = await this.#store.readSuspension(spec.taskId);
    return suspension?.answered === false ? 'waiting' : 'answered';
  }

  async #fail(spec: TaskSpec, tail: Tail, failures: number): Promise<void> {
    const message = `The task ended its worker ${failures} times; it is not tried again`;
    await orLostRace(this.#store.failTask(spec, tail, failed(message, { code: -32603, message }).status));
    await this.#leave(spec);
    await this.#item.ack();
    this.#observer.released({ taskId: spec.taskId, why: 'attempts exhausted' });
  }

  async #start(spec: TaskSpec, tail: Tail, start: Extract<DispatchDecision, { type: 'start' }>): Promise<void> {
    const tool = this.#tools.get(spec.tool);
    const deadline = deadlineOf(spec, tool);
    if (deadline !== undefined && deadline.atMs <= Date.now()) {
      await orLostRace(this.#store.failTask(spec, tail, deadline.status));
      await this.#leave(spec);
      await this.#item.ack();
      this.#observer.released({ taskId: spec.taskId, why: 'expired' });
      return;
    }
    if (await parentIsOver(this.#store, spec)) {
      await orLostRace(this.#store.failTask(spec, tail, { status: 'cancelled', statusMessage: PARENT_OVER }));
      await this.#leave(spec);
      await this.#item.ack();
      this.#observer.released({ taskId: spec.taskId, why: 'its parent is over' });
      return;
    }
    if (tool === undefined) {
      await this.#item.nak(this.#options.unknownToolRetryMs);
      this.#observer.released({ taskId: spec.taskId, why: `this worker has no tool ${spec.tool}` });
      return;
    }
    if (!(await this.#admitted(spec))) return;
    const log = await orLostRace(
      this.#store.beginAttempt(spec, tail, {
        attempt: start.attempt,
        failures: start.failures,
        itemId: this.#item.itemId,
        delivery: this.#item.delivery,
        worker: this.#options.worker,
        cause: start.cause,
      }),
    );
    const facts = { taskId: spec.taskId, attempt: start.attempt, tool: spec.tool, traceparent: spec.traceparent };
    this.#observer.attemptStarted({ ...facts, cause: start.cause, waitMs: this.#waitMs(spec, start.cause) });
    const startedAt = performance.now();
    const over = new AbortController();
    try {
      keepLease(
        this.#item,
        log,
        { leaseMs: this.#options.leaseMs, claimedAtMs: this.#claimedAt },
        this.#observer,
        over.signal,
      );
      if (deadline !== undefined) this.#expireAt(deadline, over.signal);
      const signal = AbortSignal.any([this.#abort.signal, log.signal]);
      const desk = new InputDesk({
        capabilities: spec.clientCapabilities,
        openBefore: log.openQuestions,
        state: (status, awaited) => log.appendStatus(status, awaited),
        signal,
      });
      const children = new Children({
        spec,
        log,
        ports: this.#childSupport.ports,
        signal,
        earlierSeq: tail.nextSeq,
        bounds: this.#options,
        lend: this.#childSupport.lend,
      });
      watchParent(this.#store, spec, this.#options.parentCheckMs, over.signal, {
        end: () => this.#requestStop({ type: 'cancel', reason: PARENT_OVER }),
        error: (error) => this.#observer.itemFailed({ taskId: spec.taskId, error }),
      });
      const task = new RunningTask({
        spec,
        events: tool.events,
        steerable: tool.definition.steerable === true,
        taken: tail.taken,
        log,
        state: this.#store.openState(spec.taskId, log.attempt),
        desk,
        children,
        signal,
        bounds: this.#options,
        onSuspend: () => this.#requestStop({ type: 'suspend' }),
        onStep: (fact) => this.#observer.stepEnded({ taskId: spec.taskId, attempt: start.attempt, ...fact }),
      });
      this.#task = task;
      await this.#store.followMailbox(
        spec.taskId,
        (command, entry) => {
          if (command.type === 'cancel') this.#requestStop({ type: 'cancel', reason: command.reason });
          else if (command.type === 'input') desk.answer(command.key, command.response);
          else task.mailbox.take(command, entry);
        },
        over.signal,
      );
      const outcome = this.#stop === undefined ? await this.#execute(spec, tool, log, task) : NOT_RUN;
      await task.finish();
      const how = await this.#conclude(outcome, spec, tool, log, start.failures);
      if (ENDS.has(how)) await this.#endChildren(children, how);
      const error: unknown = how === 'silent' ? log.signal.reason : undefined;
      this.#observer.attemptEnded({
        ...facts,
        how,
        ms: performance.now() - startedAt,
        ...(error !== undefined && { error }),
      });
    } catch (error) {
      this.#observer.attemptEnded({ ...facts, how: 'silent', ms: performance.now() - startedAt, error });
    } finally {
      over.abort();
      this.#task?.close((type) => this.#observer.lateEmit({ ...facts, type }));
      if (!this.#abort.signal.aborted) this.#abort.abort(new Error('the attempt is over'));
    }
  }

  /** Whether the task may begin; if not, its item has been given back. */
  async #admitted(spec: TaskSpec): Promise<boolean> {
    const { limitRetryMs, limitRetryMsMax } = this.#options;
    const waitMs = dueInMs(spec, Date.now());
    if (waitMs > 0) {
      await this.#item.nak(waitMs);
      this.#observer.released({ taskId: spec.taskId, why: 'not due yet' });
      return false;
    }
    if (await this.#item.enter(this.#limits(spec))) return true;
    await this.#item.nak(backoffMs(this.#item.delivery, limitRetryMs, limitRetryMsMax, Math.random()));
    this.#observer.released({ taskId: spec.taskId, why: 'a limit on running tasks is reached', limit: 'runningMax' });
    return false;
  }

  #limits(spec: TaskSpec): ReadonlyArray<RunningLimit> {
    return limitsOf(spec, this.#tools.get(spec.tool), this.#options.ownerRunningMax);
  }

  /** Gives the task's places among the running ones up: before its item is removed, or given back for a while. */
  #leave(spec: TaskSpec): Promise<void> {
    return this.#item.leave(this.#limits(spec));
  }

  #waitMs({ startAt }: TaskSpec, cause: string): number | undefined {
    if (cause !== 'first' && cause !== 'woken') return undefined;
    const dueAtMs = startAt === undefined ? 0 : Date.parse(startAt);
    return Math.max(0, Date.now() - Math.max(this.#item.queuedAtMs, dueAtMs));
  }

  async #endChildren(children: Children, how: string): Promise<void> {
    const unasked = await children.cancel(`The task that spawned it is ${how}`);
    for (const { taskId, error } of unasked) this.#observer.itemFailed({ taskId, error });
  }

  #requestStop(reason: StopReason): void {
    if (this.#stop !== undefined) return;
    this.#stop = reason;
    this.#stopped(reason);
    this.#abort.abort(stopError(reason));
  }

  #expireAt({ atMs, status }: Deadline, over: AbortSignal): void {
    over.addEventListener(
      'abort',
      afterMs(atMs - Date.now(), () => this.#requestStop({ type: 'expired', status })),
    );
  }

  /** Runs the tool until it is done, may no longer write, or has ignored a stop for its grace period. */
  async #execute(spec: TaskSpec, tool: Tool, log: AttemptLog, task: RunningTask): Promise<Outcome> {
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
          this.#abort.abort(error);
          resolve(outcomeOfError(error));
        }),
      );
    });
    const told = new Promise<Outcome>((resolve) => {
      const onStop = (reason: StopReason) => {
        timers.push(
          afterMs(this.#options.stopGraceMs, () => {
            const { stopGraceMs: graceMs } = this.#options;
            const { taskId, tool: name, traceparent } = spec;
            const who = { taskId, attempt: log.attempt, tool: name, traceparent };
            this.#observer.stopIgnored({ ...who, why: reason.type, graceMs });
            resolve({ type: 'silent', why: `ignored: ${reason.type}` });
          }),
        );
      };
      this.#stopped = onStop;
      if (this.#stop !== undefined) onStop(this.#stop);
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

  async #conclude(outcome: Outcome, spec: TaskSpec, tool: Tool, log: AttemptLog, failures: number): Promise<string> {
    if (log.signal.aborted) return 'silent';
    if (this.#stop?.type === 'cancel') {
      return this.#end(spec, log, { status: 'cancelled', statusMessage: this.#stop.reason ?? 'Cancelled by request' });
    }
    if (this.#stop?.type === 'expired') return this.#end(spec, log, this.#stop.status);
    if (this.#stop?.type === 'suspend') return this.#suspend(spec, log);
    if (this.#stop?.type === 'hand_over' && (outcome.type !== 'end' || isAbortError(outcome))) {
      await log.appendAttemptEnd({ reason: 'handed_over' });
      await this.#item.nak(0);
      return 'handed_over';
    }
    if (outcome.type === 'end') return this.#end(spec, log, outcome.status);
    if (outcome.type === 'silent') return 'silent';
    if (failures + 1 >= spec.attemptsMax) {
      const message = `Attempt ${log.attempt} failed and was the last one: ${outcome.message}`;
      return this.#end(spec, log, failed(message, { code: -32603, message }).status);
    }
    const delayMs = backoffMs(failures + 1, tool.backoffMsBase, tool.backoffMsMax, Math.random());
    const retryAt = new Date(Date.now() + delayMs).toISOString();
    const message = outcome.message.slice(0, MESSAGE_LENGTH_MAX);
    await log.appendAttemptEnd({ reason: outcome.reason, message, retryAt });
    await this.#leave(spec);
    if (await endIfCancelled(this.#store, spec)) {
      await this.#item.ack();
      return 'cancelled';
    }
    await this.#item.nak(delayMs);
    return 'retry';
  }

  /** Says so, then looks for an answer, then lets go of the item: an answer that comes later queues a new one. */
  async #suspend(spec: TaskSpec, log: AttemptLog): Promise<string> {
    await log.appendAttemptEnd({ reason: 'suspended' });
    const suspension = await this.#store.readSuspension(spec.taskId);
    // After a pause of this process the item may be somebody else's, and so may the task.
    if (suspension?.attempt !== log.attempt) return 'suspended';
    if (suspension.answered) {
      await this.#item.nak(0);
    } else {
      await this.#leave(spec);
      await this.#item.ackInTime();
    }
    return 'suspended';
  }

  async #end(spec: TaskSpec, log: AttemptLog, status: StatusPayload): Promise<string> {
    try {
      await log.appendStatus(status);
    } catch (error) {
      if (!isTaskstreamError(error, 'payload_too_large') && !isTaskstreamError(error, 'invalid_event')) throw error;
      const message = `The result cannot be stored: ${error.message}`;
      await log.appendStatus(failed(message, { code: -32603, message }).status);
    }
    await this.#leave(spec);
    await this.#item.ack();
    return status.status;
  }
}
