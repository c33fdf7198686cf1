/**
 * One task in memory, behind the ports of the worker: its log, its mailbox, its work item.
 *
 * Invariant: whoever begins an attempt fences the one before.
 */
import { randomBytes } from 'node:crypto';
import {
  formatTaskId,
  NOTHING_TAKEN,
  SPEC_VERSION,
  type AttemptLog,
  type AttemptStart,
  type AttemptState,
  type AttemptStore,
  type ClaimedItem,
  type EventDraft,
  type MailboxCommand,
  type MailboxEntry,
  type Suspension,
  type Tail,
  type TaskSpec,
} from '@taskstream/core';
import { isTerminal, SystemEvent, type EventIdentity, type StatusPayload } from '@taskstream/protocol';
import type { Tool } from '../define-tool.js';
import { MemoryLog, type MemoryJournal } from './memory-log.js';
import { MemoryState } from './memory-state.js';

const TASK_ID_BYTES = 16;

/** An event of the log of a task under test. */
export interface TestEvent {
  readonly seq: number;
  readonly type: string;
  readonly payload: Readonly<Record<string, unknown>>;
  /** 0: made by the creation of the task. */
  readonly attempt: number;
  readonly identity: EventIdentity | undefined;
}

export class MemoryTask implements AttemptStore, MemoryJournal {
  readonly spec: TaskSpec;
  readonly events: TestEvent[] = [];
  status: StatusPayload = { status: 'working' };
  /** Called a turn after every event, when what follows from it holds, too. */
  readonly watchers = new Set<(event: TestEvent) => void>();
  readonly #mailbox: Array<readonly [MailboxCommand, MailboxEntry]> = [];
  readonly #state = new MemoryState();
  readonly #followers = new Set<(command: MailboxCommand, entry: MailboxEntry) => void>();
  #tail: Tail = {
    status: 'working',
    attempt: 0,
    runningItem: undefined,
    runningDelivery: 0,
    failures: 0,
    handedOver: false,
    suspended: false,
    taken: NOTHING_TAKEN,
    nextSeq: 1,
  };
  #log: MemoryLog | undefined;
  #deliveries = 0;
  #acked = false;

  constructor(tool: Tool, input: Readonly<Record<string, unknown>>, overrides: Partial<TaskSpec>) {
    const { definition } = tool;
    this.spec = {
      v: SPEC_VERSION,
      taskId: formatTaskId(
        { retentionClass: 'd', shard: 0 },
        randomBytes(TASK_ID_BYTES).toString('base64url').slice(0, 22),
      ),
      tool: definition.name,
      arguments: structuredClone(input),
      owner: 'local',
      createdAt: new Date().toISOString(),
      ttlMs: definition.ttlMs,
      pollIntervalMs: definition.pollIntervalMs,
      queue: definition.queue,
      priority: 5,
      fairnessKey: 'local',
      attemptsMax: definition.attemptsMax,
      clientCapabilities: {},
      ...overrides,
    };
    this.record({ type: SystemEvent.taskStatus, payload: this.status }, JSON.stringify(this.status), 0);
  }

  get over(): boolean {
    return this.#acked || isTerminal(this.status.status);
  }

  async readSpec(): Promise<TaskSpec> {
    return this.spec;
  }

  async readTail(): Promise<Tail> {
    return { ...this.#tail, nextSeq: this.events.length };
  }

  async beginAttempt(_spec: TaskSpec, _tail: Tail, start: AttemptStart): Promise<AttemptLog> {
    this.#log?.fence();
    const log = new MemoryLog(this, start);
    this.#log = log;
    this.change({
      attempt: start.attempt,
      failures: start.failures,
      runningItem: start.itemId,
      runningDelivery: start.delivery,
      handedOver: false,
      suspended: false,
    });
    const started = { attempt: start.attempt, worker: start.worker, cause: start.cause };
    const begun = log.append([{ type: SystemEvent.attemptStarted, payload: started }]);
    if (start.attempt > 1 && this.status.status === 'working') void log.appendStatus({ status: 'working' });
    await begun;
    return log;
  }

  async readSuspension(): Promise<Suspension | undefined> {
    if (!this.#tail.suspended) return undefined;
    const open = this.status.inputRequests ?? {};
    const answered = this.#mailbox.some(([c]) => c.type === 'cancel' || (c.type === 'input' && c.key in open));
    return { attempt: this.#tail.attempt, answered };
  }

  openState(_taskId: string, attempt: number): AttemptState {
    return this.#state.open(attempt);
  }

  async failTask(_spec: TaskSpec, tail: Tail, status: StatusPayload): Promise<void> {
    this.#log?.fence();
    this.record({ type: SystemEvent.taskStatus, payload: status }, JSON.stringify(status), tail.attempt);
    this.changeStatus(status);
  }

  async followMailbox(
    _taskId: string,
    onCommand: (command: MailboxCommand, entry: MailboxEntry) => void,
    signal: AbortSignal,
  ): Promise<void> {
    for (const [command, entry] of this.#mailbox) onCommand(command, entry);
    this.#followers.add(onCommand);
    signal.addEventListener('abort', () => this.#followers.delete(onCommand));
  }

  send(command: MailboxCommand): void {
    const entry = { number: this.#mailbox.length + 1, sentAt: new Date().toISOString() };
    this.#mailbox.push([command, entry]);
    for (const follower of this.#followers) follower(command, entry);
  }

  async #untilAnswered(): Promise<void> {
    while ((await this.readSuspension())?.answered === false) {
      await new Promise<void>((resolve) => {
        const wake = () => {
          this.#followers.delete(wake);
          resolve();
        };
        this.#followers.add(wake);
      });
    }
  }

  /** The running attempt's worker is gone. */
  fence(): void {
    this.#log?.fence();
  }

  /** The item's next delivery. Delays are not waited for. */
  claim(): ClaimedItem {
    return {
      itemId: 'item',
      taskId: this.spec.taskId,
      delivery: ++this.#deliveries,
      queuedAtMs: Date.now(),
      extend: () => true,
      ack: async () => void (this.#acked = true),
      // Of a suspended task: there is no next delivery before there is something to go on with.
      ackInTime: () => this.#untilAnswered(),
      nak: async () => undefined,
      term: async () => void (this.#acked = true),
      forget: () => undefined,
      isThere: async () => false,
      enter: async () => true,
      leave: async () => undefined,
    };
  }

  record(event: EventDraft, payloadJson: string, attempt: number): void {
    const recorded: TestEvent = {
      seq: this.events.length,
      type: event.type,
      payload: JSON.parse(payloadJson) as Record<string, unknown>,
      attempt,
      identity: event.identity === undefined ? undefined : structuredClone(event.identity),
    };
    this.events.push(recorded);
    setImmediate(() => {
      for (const watcher of this.watchers) watcher(recorded);
    });
  }

  change(change: Partial<Tail>): void {
    this.#tail = { ...this.#tail, ...change };
  }

  changeStatus(status: StatusPayload): void {
    this.status = JSON.parse(JSON.stringify(status)) as StatusPayload;
    const over = isTerminal(status.status);
    this.change({ status: status.status, ...(over && { runningItem: undefined, runningDelivery: 0 }) });
  }
}
