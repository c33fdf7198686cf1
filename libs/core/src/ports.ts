/**
 * What the services need from the event log, the work queue, the mailbox and the catalogue, in the words of the
 * domain. `libs/jetstream` implements it on NATS, `libs/worker`'s test kit in memory.
 *
 * Invariants: no broker type and no stream sequence appears here; every wait takes an AbortSignal or has a bound.
 */
import type { EventIdentity, StatusPayload, StreamEndReason, TaskStatus } from '@taskstream/protocol';
import type { AttemptFacts } from './dispatch.js';
import type { Pack } from './pack.js';
import type { TaskSpec } from './spec.js';
import type { RecordedStep } from './steps.js';
import type { ToolDefinition } from './tool-definition.js';

/**
 * Told which bound kept something back, by its key in the configuration; `slowed`: it only waits, goes behind others, or
 * was left out because a later one says more.
 */
export type LimitHit = (limit: string, how?: 'slowed') => void;

/**
 * What becomes of an event that is still queued when the next one of the same type and identity comes: the texts are
 * put together (`text`), or the later payload stands for both (`latest`).
 */
export type CoalesceRule = 'text' | 'latest';

/** An event before it has a seq. `payload` must be a JSON object. */
export interface EventDraft {
  readonly type: string;
  readonly payload: Readonly<Record<string, unknown>>;
  readonly identity?: EventIdentity | undefined;
  readonly coalesce?: CoalesceRule | undefined;
}

/** How far the mailbox is in the log. */
export interface Taken {
  /** Number of the last mailbox entry that became an event; 0 before the first. */
  readonly entry: number;
  /** Whether the task is paused after it. */
  readonly paused: boolean;
}

/** What the last pack of a log tells. */
export interface Tail extends AttemptFacts {
  readonly nextSeq: number;
  /** Whether the latest attempt was handed over by a drain. */
  readonly handedOver: boolean;
  /** Whether the latest attempt ended to wait for an answer, and none has begun since. */
  readonly suspended: boolean;
  /** How far the mailbox is in the log, and whether the task is paused. */
  readonly taken: Taken;
}

/** What a delivery of a stream session holds. */
export type Delivery =
  | { readonly type: 'packs'; readonly packs: ReadonlyArray<Pack> }
  | { readonly type: 'end'; readonly reason: StreamEndReason; readonly status: TaskStatus; readonly nextSeq: number }
  | { readonly type: 'gone'; readonly earliestSeq: number };

/** One reader of one task. Not safe for concurrent `next` calls. */
export interface EventStream {
  /** The next seq of the log when the session was opened: what lies below it is replayed, the rest comes live. */
  readonly tailSeq: number;
  /** Waits for events or the end. After `end` or `gone` it keeps answering the same. */
  next(): Promise<Delivery>;
  /** Ends the session from outside; a pending `next` resolves with the end. */
  close(reason: StreamEndReason): void;
}

export interface EventReader {
  /**
   * Opens a session after the exclusive cursor `after`, or at the earliest retained event.
   * @throws TaskstreamError unknown_task, events_gone (`details.earliestSeq`), cursor_ahead (`details.nextSeq`),
   *   log_unavailable
   */
  open(taskId: string, after: number | undefined): Promise<EventStream>;
}

/** A task as it stands: its spec, its latest status with the time of that status, its tail. */
export interface TaskSnapshot {
  readonly spec: TaskSpec;
  readonly status: StatusPayload;
  /** ISO 8601: when the latest status event was made. */
  readonly statusUpdatedAt: string;
  readonly nextSeq: number;
  readonly paused: boolean;
}

export interface TaskStore {
  /** Creates a task durably: spec, first event, work item. Resolves with false when the same task exists already. */
  create(spec: TaskSpec): Promise<boolean>;
  /** Undefined for an unknown or expired task. */
  read(taskId: string): Promise<TaskSnapshot | undefined>;
  /** The immutable spec; undefined for an unknown task. Cached. */
  readSpec(taskId: string): Promise<TaskSpec | undefined>;
  /**
   * Asks for a task's end; ends it at once when no attempt runs, also when one ended meanwhile without having heard.
   * A full mailbox does not keep a task from being cancelled: it is fenced then.
   */
  cancel(taskId: string, reason?: string): Promise<void>;
  /** Ends a task as cancelled whatever runs, by fencing it. Resolves also when the task is over already. */
  cancelNow(taskId: string, reason?: string): Promise<void>;
  /**
   * Removes a task with everything that is stored of it, after ending it as cancelled if it still runs. Its open streams
   * end; afterwards it is unknown. @throws TaskstreamError unknown_task, log_unavailable
   */
  delete(taskId: string): Promise<void>;
  /**
   * Puts a command into the mailbox. A steer, a pause or a resume is told of in the log by the running attempt when it
   * takes it, and when none runs at once.
   * @throws TaskstreamError mailbox_full, payload_too_large, log_unavailable, stream_full
   */
  send(taskId: string, command: MailboxCommand): Promise<void>;
}

/** How many tasks of a scope may run at a time, over all workers. */
export interface RunningLimit {
  /** One subject token: what is counted together. */
  readonly scope: string;
  readonly max: number;
}

/** A claimed work item: a lease on the right to try a task. */
export interface ClaimedItem {
  readonly itemId: string;
  readonly taskId: string;
  /** Which delivery of the item this is, from 1. */
  readonly delivery: number;
  /** When the item was queued, epoch milliseconds. */
  readonly queuedAtMs: number;
  /** Extends the lease by its full length. False when nothing was sent, because the broker is disconnected. */
  extend(): boolean;
  /**
   * Removes the item, or leaves it to its next holder when the broker is not heard for the rest of the lease. Only after
   * an own append has landed.
   */
  ack(): Promise<void>;
  /** The same for a task that goes on later: not after the lease has run out, because it may be another attempt's then. */
  ackInTime(): Promise<void>;
  /** Gives the item back; it is delivered again after `delayMs`. */
  nak(delayMs: number): Promise<void>;
  /** Removes an item that can never run. */
  term(reason: string): Promise<void>;
  /** The attempt is over, however: whatever keeps the lease by itself stops. */
  forget(): void;
  /** Whether another item of the same task, by its `itemId`, is still there. @throws TaskstreamError log_unavailable */
  isThere(itemId: string): Promise<boolean>;
  /** Takes the task's place among the running ones of each scope. False when one is full; then it has taken none. */
  enter(limits: ReadonlyArray<RunningLimit>): Promise<boolean>;
  /** Gives those places up. Before `ack` and before a `nak` with a delay. */
  leave(limits: ReadonlyArray<RunningLimit>): Promise<void>;
}

export interface WorkQueue {
  /**
   * One pull: hands out up to `count` items of a queue that are there, most urgent first, or else the first that comes.
   * Resolves when it has handed out any, when its time is over, or when the signal aborts. @throws TaskstreamError log_unavailable, or the broker's own error
   */
  pull(queue: string, count: number, onItem: (item: ClaimedItem) => void, signal: AbortSignal): Promise<void>;
}

/** The log of a task in the hands of one attempt. */
export interface AttemptLog {
  readonly attempt: number;
  /** The next event's seq. */
  readonly nextSeq: number;
  /** The questions that were open when the attempt began, by key. They stay open until a status says otherwise. */
  readonly openQuestions: Readonly<Record<string, unknown>>;
  /** Aborts when the attempt may no longer write; the reason is a TaskstreamError. */
  readonly signal: AbortSignal;
  /**
   * Queues events in order; resolves when they are durable. When the queue is full, a call that `awaited` says somebody
   * waits for keeps its place in line until there is room; any other is refused with emit_overflow.
   * @throws TaskstreamError invalid_event, payload_too_large, emit_overflow, task_ended, fenced, stream_full,
   *   data_lost, log_unavailable
   */
  append(events: ReadonlyArray<EventDraft>, awaited?: () => boolean): Promise<void>;
  /** States the task's status as an event. A terminal one closes the log and is never refused for want of room. */
  appendStatus(status: StatusPayload, awaited?: () => boolean): Promise<void>;
  /** Queues the event that a mailbox entry became, and how far the mailbox is taken with it. Queued however much is. */
  appendTaken(event: EventDraft, taken: Taken): Promise<void>;
  /** Resolves when everything that was queued before is durable. @throws TaskstreamError what the log was closed by */
  settled(): Promise<void>;
  /** Ends the attempt without ending the task. Closes this log for the attempt. */
  appendAttemptEnd(end: {
    reason: 'error' | 'timeout' | 'handed_over' | 'suspended';
    message?: string;
    retryAt?: string;
  }): Promise<void>;
  /** Whether the leader's tail still shows this attempt. @throws TaskstreamError fenced when not */
  confirm(): Promise<void>;
}

/**
 * What later attempts of a task need to know, beside its log: results of steps and checkpoints. Every write is a
 * compare-and-set, so that an attempt that has been taken over changes nothing that its successor has seen.
 */
export interface AttemptState {
  /** The recorded result of a step, which never changes. @throws TaskstreamError log_unavailable */
  step(name: string): Promise<RecordedStep | undefined>;
  /**
   * Records a result unless there is one: the first ever written counts, whichever attempt wrote it.
   * @throws TaskstreamError stream_full, payload_too_large, log_unavailable
   */
  recordStep(step: RecordedStep): Promise<{ readonly recorded: RecordedStep; readonly mine: boolean }>;
  /**
   * The JSON text that was saved last under this name; undefined when none was. From then on older attempts can no
   * longer save under it. @throws TaskstreamError fenced, log_unavailable
   */
  takeCheckpoint(name: string): Promise<string | undefined>;
  /**
   * Saves JSON text; the last save counts. Not safe for concurrent calls with one name.
   * @throws TaskstreamError fenced when a newer attempt has saved or taken it, stream_full, payload_too_large,
   *   log_unavailable
   */
  saveCheckpoint(name: string, json: string): Promise<void>;
}

export interface AttemptStore {
  readSpec(taskId: string): Promise<TaskSpec | undefined>;
  /** The tail as the leader has it; undefined when the log is empty. */
  readTail(taskId: string): Promise<Tail | undefined>;
  /**
   * Appends `attempt.started`; once it resolves, every older attempt is fenced.
   * @throws TaskstreamError fenced when the tail moved meanwhile: read it again
   */
  beginAttempt(spec: TaskSpec, tail: Tail, start: AttemptStart): Promise<AttemptLog>;
  /** Of a suspended task: by which attempt, and whether an answer or a cancel is there to go on with. From the leader. */
  readSuspension(taskId: string): Promise<Suspension | undefined>;
  /** The task's state in the hands of one attempt. */
  openState(taskId: string, attempt: number): AttemptState;
  /** Appends a terminal failure without running, from the given tail. @throws TaskstreamError fenced */
  failTask(spec: TaskSpec, tail: Tail, status: StatusPayload): Promise<void>;
  /** Follows the mailbox from its beginning until the signal aborts. Resolves when what is there is handed out. */
  followMailbox(
    taskId: string,
    onCommand: (command: MailboxCommand, entry: MailboxEntry) => void,
    signal: AbortSignal,
  ): Promise<void>;
}

export interface Suspension {
  readonly attempt: number;
  readonly answered: boolean;
}

export interface AttemptStart {
  readonly attempt: number;
  readonly failures: number;
  readonly itemId: string;
  readonly delivery: number;
  readonly worker: string;
  readonly cause: 'first' | 'retry' | 'lease_lost' | 'handed_over' | 'woken';
}

/** A command to a running task. */
export type MailboxCommand =
  | { readonly type: 'cancel'; readonly reason?: string | undefined }
  | { readonly type: 'input'; readonly key: string; readonly response: unknown }
  | { readonly type: 'steer'; readonly message: string; readonly data?: Readonly<Record<string, unknown>> | undefined }
  | { readonly type: 'pause' }
  | { readonly type: 'resume' };

/** A command's place in its mailbox. */
export interface MailboxEntry {
  /** From 1, without gaps. */
  readonly number: number;
  /** When it was stored, ISO 8601. */
  readonly sentAt: string;
}

/** Of all nodes that could put a question to a client, one at a time may. */
export interface QuestionLeases {
  /** Takes or keeps the right to put the question. False while another holder has it. */
  take(taskId: string, key: string, holder: string): Promise<boolean>;
  release(taskId: string, key: string, holder: string): Promise<void>;
}

/** A request of a session was cancelled; the node that serves it must hear of it. */
export interface RequestCancellation {
  readonly session: string;
  readonly requestId: string | number;
}

/** Best-effort messages between front ends. */
export interface FrontEndBus {
  cancelRequest(cancellation: RequestCancellation): void;
  /** Returns an unsubscribe function. */
  onCancelRequest(listener: (cancellation: RequestCancellation) => void): () => void;
}

export interface ToolCatalogue {
  list(): ToolDefinition[];
  get(name: string): ToolDefinition | undefined;
  /** Called after every change. Returns an unsubscribe function. */
  onChange(listener: () => void): () => void;
}

export interface ToolPublisher {
  publish(definitions: ReadonlyArray<ToolDefinition>): Promise<void>;
}
