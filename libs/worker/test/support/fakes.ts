/**
 * The ports of the worker in memory: one task's log, mailbox and work item, with everything that happens in one journal.
 *
 * Invariant: the log is compare-and-set as the real one is: whoever appends from an old tail is fenced.
 */
import {
  decideCheckpoint,
  NOTHING_TAKEN,
  SPEC_VERSION,
  TaskstreamError,
  type AttemptLog,
  type AttemptStart,
  type AttemptState,
  type AttemptStore,
  type ClaimedItem,
  type EventDraft,
  type MailboxCommand,
  type MailboxEntry,
  type Suspension,
  type Taken,
  type RecordedStep,
  type Tail,
  type TaskSpec,
  type WorkQueue,
} from '@taskstream/core';
import { isTerminal, type StatusPayload, type TaskStatus } from '@taskstream/protocol';
import type { WorkerObserver, WorkerOptions } from '../../src/worker-options.js';

export const TASK_ID = 'd0-V1StGXR8_Z5jdHi6B-myTg';

export function specOf(overrides: Partial<TaskSpec> = {}): TaskSpec {
  return {
    v: SPEC_VERSION,
    taskId: TASK_ID,
    tool: 'tool',
    arguments: {},
    owner: 'local',
    createdAt: new Date().toISOString(),
    ttlMs: null,
    pollIntervalMs: 1_000,
    queue: 'default',
    priority: 5,
    fairnessKey: 'local',
    attemptsMax: 3,
    clientCapabilities: {},
    ...overrides,
  };
}

export const OPTIONS: WorkerOptions = {
  worker: 'test-worker',
  leaseMs: 3_000,
  slots: 10,
  stopGraceMs: 500,
  drainMsMax: 1_000,
  unknownToolRetryMs: 222,
  unknownTaskRetryMs: 111,
  blockedMsMax: 60_000,
  limitRetryMs: 100,
  limitRetryMsMax: 1_000,
  orphanItemMs: 60_000,
  childrenMax: 3,
  childDepthMax: 2,
  childWaitsMax: 10,
  parentCheckMs: 1_000,
  pullRetryMs: 50,
  stepsMax: 5,
  stepResultBytesMax: 1_000,
  checkpointBytesMax: 1_000,
  checkpointsMax: 3,
  checkpointEventMs: 1_000,
  suspendLingerMs: 50,
};

type Fact = Readonly<Record<string, unknown>>;

/** What a worker told about itself, by the name of the observation. */
export function recordingObserver(): { observer: WorkerObserver; told: Array<{ what: string; fact: Fact }> } {
  const told: Array<{ what: string; fact: Fact }> = [];
  const tell = (what: string) => (fact: object) => void told.push({ what, fact: { ...fact } });
  return {
    told,
    observer: {
      attemptStarted: tell('attemptStarted'),
      stepEnded: () => undefined,
      attemptEnded: tell('attemptEnded'),
      stopIgnored: tell('stopIgnored'),
      lateEmit: tell('lateEmit'),
      leaseInDoubt: tell('leaseInDoubt'),
      released: tell('released'),
      pullFailed: tell('pullFailed'),
      itemFailed: tell('itemFailed'),
      stuck: tell('stuck'),
    },
  };
}

/** A tail that knows which append it was read after. */
interface VersionedTail extends Tail {
  readonly version: number;
}

/** One task with everything that a worker can do to it. */
export class FakeTask implements AttemptStore {
  /** Everything that happened, in order: appends, and what was done to the item. */
  readonly journal: string[] = [];
  readonly events: Array<EventDraft & { attempt: number }> = [];
  readonly statuses: StatusPayload[] = [];
  readonly mailbox: MailboxCommand[] = [];
  readonly followers = new Set<(command: MailboxCommand, entry: MailboxEntry) => void>();
  spec: TaskSpec | undefined;
  /** Undefined: the log is empty. */
  tail: VersionedTail | undefined;
  /** What the next appends fail with, in order; undefined entries succeed. */
  appendFailures: Array<TaskstreamError | undefined> = [];
  /** Called before each `beginAttempt`: a place for somebody else to be faster. */
  beforeBegin: () => void = () => undefined;
  /** Called before each end of an attempt: a place for a command that the attempt does not hear. */
  beforeAttemptEnd: () => void = () => undefined;
  log: FakeLog | undefined;
  readonly steps = new Map<string, RecordedStep>();
  readonly checkpoints = new Map<string, { attempt: number; json: string | undefined }>();
  /** Called before each write of state: a place for a crash, or for somebody else to be faster. */
  beforeStateWrite: () => void = () => undefined;

  /** `facts` of the tail; null: the log is empty. */
  constructor(spec: TaskSpec | undefined, facts: Partial<Tail> | null = {}) {
    this.spec = spec;
    if (facts === null) return;
    this.tail = {
      status: 'working',
      attempt: 0,
      runningItem: undefined,
      runningDelivery: 0,
      failures: 0,
      handedOver: false,
      suspended: false,
      taken: NOTHING_TAKEN,
      nextSeq: 1,
      version: 1,
      ...facts,
    };
  }

  async readSpec(): Promise<TaskSpec | undefined> {
    return this.spec;
  }

  async readTail(): Promise<Tail | undefined> {
    return this.tail;
  }

  async beginAttempt(_spec: TaskSpec, tail: Tail, start: AttemptStart): Promise<AttemptLog> {
    this.beforeBegin();
    this.advance(tail as VersionedTail, {
      attempt: start.attempt,
      failures: start.failures,
      runningItem: start.itemId,
      runningDelivery: start.delivery,
      handedOver: false,
      suspended: false,
      status: Object.keys(this.openQuestions).length > 0 ? 'input_required' : 'working',
    });
    this.journal.push(`started ${start.attempt} ${start.cause} after ${start.failures}`);
    this.log = new FakeLog(this, start, this.tail as VersionedTail);
    return this.log;
  }

  /** The questions of the latest status. */
  get openQuestions(): Readonly<Record<string, unknown>> {
    return this.statuses.at(-1)?.inputRequests ?? {};
  }

  async readSuspension(): Promise<Suspension | undefined> {
    if (this.tail?.suspended !== true) return undefined;
    const open = this.openQuestions;
    const answered = this.mailbox.some((c) => c.type === 'cancel' || (c.type === 'input' && c.key in open));
    return { attempt: this.tail.attempt, answered };
  }

  openState(_taskId: string, attempt: number): AttemptState {
    return new FakeState(this, attempt);
  }

  async failTask(_spec: TaskSpec, tail: Tail, status: StatusPayload): Promise<void> {
    this.advance(tail as VersionedTail, { status: status.status, runningItem: undefined });
    this.statuses.push(status);
    this.journal.push(`status ${status.status}`);
  }

  async followMailbox(
    _taskId: string,
    onCommand: (command: MailboxCommand, entry: MailboxEntry) => void,
    signal: AbortSignal,
  ): Promise<void> {
    this.mailbox.forEach((command, i) => onCommand(command, entryOf(i + 1)));
    this.followers.add(onCommand);
    signal.addEventListener('abort', () => this.followers.delete(onCommand));
  }

  send(command: MailboxCommand): void {
    this.mailbox.push(command);
    for (const follower of this.followers) follower(command, entryOf(this.mailbox.length));
  }

  /** Appends from a tail, or learns that somebody else has. */
  advance(from: VersionedTail | undefined, change: Partial<Tail>): VersionedTail {
    const failure = this.appendFailures.shift();
    if (failure !== undefined) throw failure;
    if (this.tail === undefined || from?.version !== this.tail.version) throw fencedError();
    this.tail = { ...this.tail, ...change, version: this.tail.version + 1, nextSeq: this.tail.nextSeq + 1 };
    return this.tail;
  }

  /** Another attempt takes the task over. */
  takeOver(): void {
    if (this.tail === undefined) throw new Error('no log');
    this.tail = { ...this.tail, attempt: this.tail.attempt + 1, version: this.tail.version + 1 };
  }
}

export function fencedError(): TaskstreamError {
  return new TaskstreamError('fenced', 'another attempt is the writer');
}

export class FakeLog implements AttemptLog {
  readonly attempt: number;
  readonly #task: FakeTask;
  readonly #start: AttemptStart;
  readonly #abort = new AbortController();
  readonly #openQuestions: Readonly<Record<string, unknown>>;
  #tail: VersionedTail;
  #closed: TaskstreamError | undefined;

  constructor(task: FakeTask, start: AttemptStart, tail: VersionedTail) {
    this.attempt = start.attempt;
    this.#task = task;
    this.#start = start;
    this.#tail = tail;
    this.#openQuestions = task.openQuestions;
  }

  get openQuestions(): Readonly<Record<string, unknown>> {
    return this.#openQuestions;
  }

  get nextSeq(): number {
    return this.#tail.nextSeq;
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  async append(events: ReadonlyArray<EventDraft>): Promise<void> {
    for (const event of events) {
      if (event.type.startsWith('bad')) throw new TaskstreamError('invalid_event', `type: ${event.type}`);
      this.#write({}, `event ${event.type}`);
      this.#task.events.push({ ...event, attempt: this.attempt });
    }
  }

  async appendStatus(status: StatusPayload): Promise<void> {
    const text = encode(status);
    if (text.length > 100_000) throw new TaskstreamError('payload_too_large', `${text.length} bytes`);
    const over = isTerminal(status.status);
    this.#write(
      { status: status.status, runningItem: over ? undefined : this.#start.itemId },
      `status ${status.status}`,
      over,
    );
    this.#task.statuses.push(status);
  }

  async appendTaken(event: EventDraft, taken: Taken): Promise<void> {
    this.#write({ taken }, `taken ${event.type} ${taken.entry}`);
    this.#task.events.push({ ...event, attempt: this.attempt });
  }

  async appendAttemptEnd(end: {
    reason: 'error' | 'timeout' | 'handed_over' | 'suspended';
    message?: string;
    retryAt?: string;
  }): Promise<void> {
    this.#task.beforeAttemptEnd();
    if ((end.message ?? '').length > 10_000) throw new TaskstreamError('payload_too_large', 'the message');
    const handedOver = end.reason === 'handed_over';
    const suspended = end.reason === 'suspended';
    const failures = this.#start.failures + (handedOver || suspended ? 0 : 1);
    this.#write(
      { runningItem: undefined, handedOver, suspended, failures },
      `ended ${end.reason} ${end.message ?? ''}`,
      true,
    );
  }

  async settled(): Promise<void> {
    if (this.#abort.signal.aborted) throw this.#abort.signal.reason;
  }

  async confirm(): Promise<void> {
    this.#task.journal.push('confirm');
    if (this.#task.tail?.version === this.#tail.version) return;
    this.#fail(fencedError());
    throw fencedError();
  }

  #write(change: Partial<Tail> & { status?: TaskStatus }, entry: string, closes = false): void {
    if (this.#closed !== undefined) throw this.#closed;
    try {
      this.#tail = this.#task.advance(this.#tail, change);
    } catch (error) {
      this.#fail(error as TaskstreamError);
      throw error;
    }
    if (closes) this.#closed = new TaskstreamError('task_ended', 'the attempt has ended');
    this.#task.journal.push(entry.trimEnd());
  }

  #fail(error: TaskstreamError): void {
    this.#closed = error;
    if (!this.#abort.signal.aborted) this.#abort.abort(error);
  }
}

function entryOf(number: number): MailboxEntry {
  return { number, sentAt: new Date(number).toISOString() };
}

/** State as the store keeps it: of a step the first entry, of a checkpoint the newest attempt's last. */
class FakeState implements AttemptState {
  readonly #task: FakeTask;
  readonly #attempt: number;

  constructor(task: FakeTask, attempt: number) {
    this.#task = task;
    this.#attempt = attempt;
  }

  async step(name: string): Promise<RecordedStep | undefined> {
    return this.#task.steps.get(name);
  }

  async recordStep(step: RecordedStep): Promise<{ recorded: RecordedStep; mine: boolean }> {
    this.#task.beforeStateWrite();
    const there = this.#task.steps.get(step.name);
    if (there !== undefined) return { recorded: there, mine: false };
    this.#task.steps.set(step.name, step);
    this.#task.journal.push(`recorded ${step.name} ${step.json ?? ''}`.trimEnd());
    return { recorded: step, mine: true };
  }

  async takeCheckpoint(name: string): Promise<string | undefined> {
    const there = this.#task.checkpoints.get(name);
    if (decideCheckpoint(there?.attempt, this.#attempt) === 'fenced') throw fencedError();
    if (there !== undefined || this.#attempt > 1) {
      this.#task.checkpoints.set(name, { attempt: this.#attempt, json: there?.json });
    }
    return there?.json;
  }

  async saveCheckpoint(name: string, json: string): Promise<void> {
    this.#task.beforeStateWrite();
    if (decideCheckpoint(this.#task.checkpoints.get(name)?.attempt, this.#attempt) === 'fenced') throw fencedError();
    this.#task.checkpoints.set(name, { attempt: this.#attempt, json });
    this.#task.journal.push(`saved ${name} ${json}`);
  }
}

function encode(value: unknown): string {
  try {
    return JSON.stringify(value);
  } catch (cause) {
    throw new TaskstreamError('invalid_event', 'cannot be encoded as JSON', { cause });
  }
}

export interface FakeItem extends ClaimedItem {
  extensions: number;
  /** Whether `extend` reaches the broker. */
  connected: boolean;
}

/** An item that writes into its task's journal what is done to it. */
export function itemOf(task: FakeTask, overrides: Partial<ClaimedItem> = {}): FakeItem {
  return {
    itemId: 'item-1',
    delivery: 1,
    taskId: TASK_ID,
    queuedAtMs: Date.now(),
    extensions: 0,
    connected: true,
    extend() {
      if (this.connected) this.extensions++;
      return this.connected;
    },
    ack: async () => void task.journal.push('ack'),
    ackInTime: async () => void task.journal.push('ack in time'),
    nak: async (delayMs) => void task.journal.push(`nak ${delayMs}`),
    term: async () => void task.journal.push('term'),
    forget: () => undefined,
    isThere: async () => true,
    enter: async () => true,
    leave: async (limits) => {
      if (limits.length > 0) task.journal.push(`leave ${limits.map((l) => l.scope).join(' ')}`);
    },
    ...overrides,
  };
}

interface OpenPull {
  readonly queue: string;
  /** Items that may still be given. */
  left: number;
  give(item: ClaimedItem): void;
  end(): void;
}

/** A queue whose pulls the test answers itself. */
export class FakeQueue implements WorkQueue {
  open: OpenPull[] = [];
  readonly pulls: Array<{ queue: string; count: number }> = [];
  /** What the next pulls fail with. */
  failures: Error[] = [];
  /** A pull that does not end when its signal says so. */
  deaf = false;

  pull(queue: string, count: number, onItem: (item: ClaimedItem) => void, signal: AbortSignal): Promise<void> {
    this.pulls.push({ queue, count });
    const failure = this.failures.shift();
    if (failure !== undefined) return Promise.reject(failure);
    return new Promise((resolve) => {
      const onAbort = () => {
        if (!this.deaf) pull.end();
      };
      const pull: OpenPull = {
        queue,
        left: count,
        give: (item) => {
          if (pull.left === 0) throw new Error('more than was asked for');
          pull.left--;
          onItem(item);
          if (pull.left === 0) pull.end();
        },
        end: () => {
          this.open = this.open.filter((other) => other !== pull);
          signal.removeEventListener('abort', onAbort);
          resolve();
        },
      };
      this.open.push(pull);
      signal.addEventListener('abort', onAbort);
    });
  }

  /** Items that are asked for now, of all queues or one. */
  asked(queue?: string): number {
    return this.open.filter((p) => queue === undefined || p.queue === queue).reduce((sum, p) => sum + p.left, 0);
  }
}

/** A promise that the test settles. */
export function gate<T = void>(): { promise: Promise<T>; open: (value: T) => void; fail: (error: unknown) => void } {
  let open: (value: T) => void = () => undefined;
  let fail: (error: unknown) => void = () => undefined;
  const promise = new Promise<T>((resolve, reject) => {
    open = resolve;
    fail = reject;
  });
  return { promise, open, fail };
}
