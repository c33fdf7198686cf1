/**
 * Walks over all tasks, again and again, and sets right those that nothing else would bring forward.
 *
 * Invariants: one node at a time sweeps; a walk goes in small steps with rests between them, by reads from replicas;
 * only what a replica shows as broken is read from the leader, and every repair is a compare-and-set on that read or a
 * message that the server refuses when it is there already: a sweep that is late or doubled changes nothing.
 */
import {
  deadlineOf,
  decideRepair,
  isTaskstreamError,
  PARENT_OVER,
  type Deadline,
  type QuestionLeases,
  type Repair,
  type TaskSpec,
  type ToolDefinition,
} from '@taskstream/core';
import { isTerminal, type StatusPayload } from '@taskstream/protocol';
import { bystanderLog } from './bystander-log.js';
import { addressOf, type LeaderTail, type TaskAddress } from './log-reads.js';
import { cmdSubject, placeOfStream, specSubjects, WORK_STREAM, workSubject } from './names.js';
import { latestStatus } from './status-reads.js';
import type { StoredPack } from './stored-pack.js';
import type { StoreParts } from './task-store.js';
import { sleep, sleepOrAbort, whileUnavailable } from './waiting.js';
import { publishWorkItem } from './work-queue.js';

export interface SweepObserver {
  taskRepaired(fact: { readonly taskId: string; readonly how: Exclude<Repair, 'nothing'> }): void;
  /** A walk over all tasks has ended. `tasks`: how many it looked at. */
  sweepEnded(fact: { readonly tasks: number; readonly ms: number }): void;
  /** A walk, or the look at one task, failed. */
  sweepFailed(fact: { readonly error: unknown; readonly taskId?: string }): void;
}

interface Finding {
  readonly repair: Repair;
  readonly spec: TaskSpec;
  readonly deadline: Deadline | undefined;
  /** Of the mailbox's cancel. */
  readonly reason: string | undefined;
}

/** What the mailbox holds of a task that no attempt reads it for. */
interface Mail {
  /** When an open question was answered last; 0 when none was. */
  readonly answeredAtMs: number;
  readonly cancel: { readonly reason?: string | undefined } | undefined;
}
const NO_MAIL: Mail = { answeredAtMs: 0, cancel: undefined };

/** Somebody has written meanwhile, so the task goes on; it is no task of ours; it is for a node of a later release. */
const ORDINARY = ['fenced', 'unknown_task', 'format_unknown'] as const;
const SWEEPER = 'sweeper';
/** The right to sweep is renewed at this interval; it lapses after 30 s. */
const RENEW_MS = 10_000;
/** Nothing is lost by a sweep that is cut off: a shutdown does not wait for a server that does not answer. */
const CLOSE_MS_MAX = 1_000;

export class Sweeper {
  readonly #parts: StoreParts;
  readonly #observer: SweepObserver;
  readonly #leases: QuestionLeases;
  readonly #tool: (name: string) => ToolDefinition | undefined;
  readonly #holder: string;
  readonly #stop = new AbortController();
  /** Ended tasks, by the position of their specs. */
  #over = new Map<string, Set<number>>();
  #overCount = 0;
  #renewedAt = 0;
  #running: Promise<void> = Promise.resolve();

  constructor(
    parts: StoreParts,
    observer: SweepObserver,
    leases: QuestionLeases,
    tool: (name: string) => ToolDefinition | undefined,
    holder: string,
  ) {
    this.#parts = parts;
    this.#observer = observer;
    this.#leases = leases;
    this.#tool = tool;
    this.#holder = holder;
  }

  start(): void {
    this.#running = this.#run();
  }

  /** Resolves when the look at the current task is done, or could not be for want of an answer. */
  async close(): Promise<void> {
    this.#stop.abort();
    const { broker } = this.#parts;
    const letGo = async () => {
      await this.#running;
      // A lease that stays behind lapses by itself.
      if (broker.connected) await this.#leases.release(SWEEPER, SWEEPER, this.#holder).catch(() => undefined);
    };
    await Promise.race([letGo(), sleep(CLOSE_MS_MAX)]);
  }

  async #run(): Promise<void> {
    const { sweepEveryMs } = this.#parts.options;
    const { signal } = this.#stop;
    for (;;) {
      await sleepOrAbort(sweepEveryMs, signal);
      if (signal.aborted) return;
      try {
        if (await this.#mayGoOn(true)) await this.#sweep();
      } catch (error) {
        if (!signal.aborted) this.#observer.sweepFailed({ error });
      }
    }
  }

  async #mayGoOn(renew = false): Promise<boolean> {
    if (this.#stop.signal.aborted) return false;
    if (!renew && performance.now() - this.#renewedAt < RENEW_MS) return true;
    if (!(await this.#leases.take(SWEEPER, SWEEPER, this.#holder))) return false;
    this.#renewedAt = performance.now();
    return true;
  }

  async #sweep(): Promise<void> {
    const startedAt = performance.now();
    const { broker, options } = this.#parts;
    const streams = await whileUnavailable('listing the streams', options.readRetryMsMax, async () => {
      const names: string[] = [];
      for await (const name of broker.jsm.streams.names()) names.push(name);
      return names;
    });
    let tasks = 0;
    for (const stream of streams) {
      const walked = await this.#sweepStream(stream);
      if (walked === undefined) return;
      tasks += walked;
    }
    this.#observer.sweepEnded({ tasks, ms: performance.now() - startedAt });
  }

  /** How many tasks it looked at; undefined when somebody else sweeps now, or this node stops. */
  async #sweepStream(stream: string): Promise<number | undefined> {
    const place = placeOfStream(stream);
    if (place === undefined) return 0;
    const { reads, options } = this.#parts;
    const subjects = specSubjects(place);
    const before = this.#over.get(stream) ?? new Set<number>();
    const over = new Set<number>();
    let tasks = 0;
    for (let position = 1; ;) {
      if (!(await this.#mayGoOn())) return undefined;
      const found: Array<{ taskId: string; seq: number }> = [];
      const next = await reads.someOf(stream, subjects, position, options.sweepTasksMax, (m) => {
        found.push({ taskId: m.subject.slice(m.subject.lastIndexOf('.') + 1), seq: m.seq });
      });
      for (const { taskId, seq } of found) {
        if (this.#stop.signal.aborted) return undefined;
        if (!before.has(seq)) tasks++;
        if ((before.has(seq) || (await this.#look(taskId))) && this.#overCount < options.sweepKnownMax) {
          if (!before.has(seq)) this.#overCount++;
          over.add(seq);
        }
      }
      if (next === position) break;
      position = next;
      await sleepOrAbort(options.sweepRestMs, this.#stop.signal);
    }
    this.#over.set(stream, over);
    this.#overCount = [...this.#over.values()].reduce((sum, s) => sum + s.size, 0);
    return tasks;
  }

  /** Resolves with whether the task is over, so that it need not be looked at again. */
  async #look(taskId: string): Promise<boolean> {
    try {
      const at = addressOf(taskId);
      const seen = await this.#parts.reads.directTail(at);
      if (seen === undefined) return false;
      if (isTerminal(seen.status)) return true;
      const first = await this.#examine(at, seen, false);
      if (first === undefined || first.repair === 'nothing') return false;
      const tail = await this.#parts.reads.leaderTail(at);
      const finding = tail === undefined ? undefined : await this.#examine(at, tail.pack, true);
      if (tail === undefined || finding === undefined || finding.repair === 'nothing') return false;
      if (await this.#repair(at, tail, finding)) this.#observer.taskRepaired({ taskId, how: finding.repair });
    } catch (error) {
      const ordinary = this.#stop.signal.aborted || ORDINARY.some((code) => isTaskstreamError(error, code));
      if (!ordinary) this.#observer.sweepFailed({ error, taskId });
    }
    return false;
  }

  async #examine(at: TaskAddress, pack: StoredPack, leader: boolean): Promise<Finding | undefined> {
    const { reads, specs, options } = this.#parts;
    const spec = await specs.read(at);
    if (spec === undefined) return undefined;
    const deadline = deadlineOf(spec, this.#tool(spec.tool));
    const lateMs = deadline === undefined ? -1 : Date.now() - deadline.atMs;
    const running = pack.runningItem !== undefined;
    const item = workSubject(spec);
    const [found, mail, orphaned] = await Promise.all([
      leader ? reads.lastOf(WORK_STREAM, item) : reads.directFirstOf(WORK_STREAM, item),
      running ? NO_MAIL : this.#mail(at, pack, leader),
      running ? false : this.#orphaned(spec),
    ]);
    const repair = decideRepair({
      status: pack.status,
      running,
      suspended: pack.suspended,
      item: found !== null,
      beingQueued:
        pack.attempt === 0
          ? Date.now() - Date.parse(spec.createdAt) < options.publishRetryMsMax
          : Date.now() - mail.answeredAtMs < options.wakeRetryMsMax,
      answered: mail.answeredAtMs > 0,
      cancelled: mail.cancel !== undefined,
      orphaned,
      overdue: lateMs < 0 ? 'no' : lateMs < options.leaseMs * 2 ? 'yes' : 'long',
    });
    return { repair, spec, deadline, reason: mail.cancel?.reason };
  }

  async #mail(at: TaskAddress, pack: StoredPack, leader: boolean): Promise<Mail> {
    const { reads, mailbox } = this.#parts;
    const mail: { -readonly [K in keyof Mail]: Mail[K] } = { ...NO_MAIL };
    const subject = cmdSubject(at.place, at.taskId);
    if (!leader && (await reads.directFirstOf(at.stream, subject)) === null) return mail;
    const open = (await latestStatus(reads, at, pack))?.payload.inputRequests ?? {};
    await mailbox.read(at, (command, { sentAt }) => {
      if (command.type === 'cancel') mail.cancel ??= command;
      if (command.type === 'input' && Object.hasOwn(open, command.key)) mail.answeredAtMs = Date.parse(sentAt);
    });
    return mail;
  }

  async #orphaned({ parent }: TaskSpec): Promise<boolean> {
    if (parent === undefined || parent.abandoned) return false;
    const at = addressOf(parent.taskId);
    const { reads } = this.#parts;
    const tail = (await reads.directTail(at)) ?? (await reads.leaderTail(at))?.pack;
    return tail === undefined || isTerminal(tail.status);
  }

  /** Resolves with whether it changed anything. @throws TaskstreamError fenced */
  async #repair(at: TaskAddress, tail: LeaderTail, { repair, spec, deadline, reason }: Finding): Promise<boolean> {
    const { broker, options } = this.#parts;
    const log = bystanderLog(this.#parts, at, spec, tail, SWEEPER);
    const end = async (status: StatusPayload): Promise<boolean> => {
      await log.appendStatus(status);
      return true;
    };
    switch (repair) {
      case 'queue':
        return publishWorkItem(broker, options, spec);
      case 'expire':
        return deadline !== undefined && end(deadline.status);
      case 'cancel':
        return end({ status: 'cancelled', statusMessage: reason ?? 'Cancelled by request' });
      case 'orphan':
        return end({ status: 'cancelled', statusMessage: PARENT_OVER });
      default:
        return false;
    }
  }
}
