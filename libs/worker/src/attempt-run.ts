/**
 * One claimed item: what its task needs, decided from its log, and the attempt at it.
 *
 * Invariants: the item is acked, given back or removed only after an own append has landed, or when the log says that
 * it is of no use; a decision that somebody else's append has overtaken is made anew.
 */
import {
  backoffMs,
  deadlineOf,
  decideDispatch,
  PARENT_OVER,
  type AttemptStore,
  type ClaimedItem,
  type DispatchDecision,
  type RunningLimit,
  type TaskSpec,
  type Tail,
} from '@taskstream/core';
import type { StatusPayload } from '@taskstream/protocol';
import { dueInMs, limitsOf } from './admission.js';
import type { Tool } from './define-tool.js';
import { LostRace, orLostRace } from './lost-race.js';
import { failed } from './outcome.js';
import { parentIsOver } from './parent-watch.js';
import { RunningAttempt, type ChildSupport } from './running-attempt.js';
import { StopRequest } from './stop-request.js';
import type { WorkerObserver, WorkerOptions } from './worker-options.js';

const DISPATCH_TRIES_MAX = 5;

export class AttemptRun {
  readonly #item: ClaimedItem;
  readonly #store: AttemptStore;
  readonly #tools: ReadonlyMap<string, Tool>;
  readonly #options: WorkerOptions;
  readonly #observer: WorkerObserver;
  readonly #childSupport: ChildSupport;
  readonly #stop = new StopRequest();
  readonly #claimedAt = performance.now();
  #running: RunningAttempt | undefined;

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
    return this.#running?.toolEnded ?? Promise.resolve();
  }

  /** Ends the attempt so that another worker can go on at once. */
  handOver(): void {
    this.#stop.request({ type: 'hand_over' });
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
    await this.#end(spec, tail, failed(message, { code: -32603, message }).status, 'attempts exhausted');
  }

  /** Ends the task without an attempt. */
  async #end(spec: TaskSpec, tail: Tail, status: StatusPayload, why: string): Promise<void> {
    await orLostRace(this.#store.failTask(spec, tail, status));
    await this.#leave(spec);
    await this.#item.ack();
    this.#observer.released({ taskId: spec.taskId, why });
  }

  async #start(spec: TaskSpec, tail: Tail, start: Extract<DispatchDecision, { type: 'start' }>): Promise<void> {
    const tool = this.#tools.get(spec.tool);
    const deadline = deadlineOf(spec, tool);
    if (deadline !== undefined && deadline.atMs <= Date.now()) {
      await this.#end(spec, tail, deadline.status, 'expired');
      return;
    }
    if (await parentIsOver(this.#store, spec)) {
      await this.#end(spec, tail, { status: 'cancelled', statusMessage: PARENT_OVER }, 'its parent is over');
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
    const running = new RunningAttempt({
      item: this.#item,
      store: this.#store,
      options: this.#options,
      observer: this.#observer,
      childSupport: this.#childSupport,
      spec,
      tail,
      tool,
      log,
      failures: start.failures,
      cause: start.cause,
      deadline,
      claimedAtMs: this.#claimedAt,
      waitMs: this.#waitMs(spec, start.cause),
      stop: this.#stop,
      leave: () => this.#leave(spec),
    });
    this.#running = running;
    await running.run();
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
}
