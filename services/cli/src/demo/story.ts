/**
 * The plot: a task is called and followed; the front end that is read from and the worker that runs the task are
 * killed; the reader resumes; a second reader reads everything again from the other front end.
 *
 * Invariant: the readers are given only what any user has: the endpoints, and the public client.
 */
import { createTaskClient, isClientError, type Notice, type TaskEvent } from '@taskstream/client';
import { EVENT_META_KEY, ProgressPayload, SystemEvent } from '@taskstream/protocol';
import * as z from 'zod';
import { SystemError } from '../exit-codes.js';
import { describeNotice } from '../output/notices.js';
import type { RunningSystem } from '../system/embedded-system.js';
import { judge, type Verdict } from './verdict.js';
import { countingFetch } from './wire-counter.js';

/** How far the task is when the processes are killed. */
const KILL_FRONT_END_AT = 0.2;
const KILL_WORKER_AT = 0.5;
const PAUSE_MS = 25;

export interface StoryParts {
  readonly system: RunningSystem;
  readonly signal: AbortSignal;
  readonly say: (text: string) => void;
  readonly nowMs: () => number;
}

export interface Ending {
  readonly verdict: Verdict;
  /** From the kill of the front end to the first event that came through another connection. */
  readonly frontEndMs: number;
  /** From the kill of the worker to the first event of the next attempt. */
  readonly workerMs: number;
}

interface Kill {
  readonly atMs: number;
  recoveredMs: number | undefined;
}

export async function tellStory(parts: StoryParts): Promise<Ending> {
  const { system, signal, say } = parts;
  const received: number[] = [];
  const delivered: string[] = [];
  const reader = new Reader(parts);

  const client = createTaskClient({
    endpoints: system.endpoints,
    clientInfo: { name: 'taskstream-demo', version: '0.1.0' },
    fetch: countingFetch((seq) => void received.push(seq)),
    onNotice: (notice) => reader.notice(notice),
  });
  say(`Calling audit_repository on this repository through ${system.endpoints[0] ?? ''} …`);
  const handle = await client.callTool('audit_repository', { path: '.', pauseMs: PAUSE_MS }, { signal });
  if (handle.taskId === undefined)
    throw new SystemError('audit_repository answered at once: there is no task to follow');
  say(`Task ${handle.taskId} runs. Following its events …`);

  const follow = handle.events({ raw: true, signal });
  follow.outcome.catch(() => undefined);
  for await (const item of follow) {
    if (item.type === 'gap') throw new SystemError(`events ${item.from} to ${item.to} are lost`);
    delivered.push(item.raw ?? JSON.stringify(item.event));
    reader.event(item.event);
  }
  const outcome = await follow.outcome;
  if (outcome.status !== 'completed' || outcome.result.isError === true) {
    throw new SystemError(`the task should have completed, and is ${outcome.status}`);
  }
  const { frontEndMs, workerMs } = reader.recovery();
  say(`The task completed; ${delivered.length} events were read.`);

  const other = system.endpoints.find((endpoint) => endpoint !== reader.endpoint) ?? reader.endpoint;
  say(`Reading the whole stream again, from ${other} …`);
  const reread: string[] = [];
  const second = createTaskClient({ endpoints: [other] }).followTask(handle.taskId, { raw: true, signal });
  second.outcome.catch(() => undefined);
  for await (const item of second) if (item.type === 'event') reread.push(item.raw ?? JSON.stringify(item.event));

  return { verdict: judge({ delivered, received, reread }), frontEndMs, workerMs };
}

const EventOrigin = z.looseObject({ attempt: z.int(), worker: z.string() });

/** Watches the stream, and kills when the time has come. */
class Reader {
  readonly #parts: StoryParts;
  #endpoint: string;
  #connections = 0;
  #frontEnd: (Kill & { readonly connections: number }) | undefined;
  #worker: (Kill & { readonly attempt: number }) | undefined;

  constructor(parts: StoryParts) {
    this.#parts = parts;
    this.#endpoint = parts.system.endpoints[0] ?? '';
  }

  /** The endpoint that is read from, or was last. */
  get endpoint(): string {
    return this.#endpoint;
  }

  notice(notice: Notice): void {
    if (notice.type === 'connected') {
      this.#endpoint = notice.endpoint;
      this.#connections += 1;
      const from = notice.after === undefined ? 'from the start' : `after event ${notice.after}`;
      this.#parts.say(`  reader: connected to ${notice.endpoint}, ${from}`);
      return;
    }
    const text = describeNotice(notice, true);
    if (text !== undefined) this.#parts.say(`  reader: ${text}`);
  }

  event(event: TaskEvent): void {
    const origin = EventOrigin.safeParse(event._meta?.[EVENT_META_KEY]).data;
    const nowMs = this.#parts.nowMs();
    if (this.#frontEnd !== undefined && this.#connections > this.#frontEnd.connections) {
      this.#frontEnd.recoveredMs ??= nowMs - this.#frontEnd.atMs;
    }
    if (this.#worker !== undefined && (origin?.attempt ?? 0) > this.#worker.attempt) {
      this.#worker.recoveredMs ??= nowMs - this.#worker.atMs;
    }
    if (event.type !== SystemEvent.progress || origin === undefined) return;
    const { progress, total = 0 } = ProgressPayload.parse(event.payload);
    if (total === 0) return;
    if (this.#frontEnd === undefined && progress / total >= KILL_FRONT_END_AT) this.#killFrontEnd(event.seq);
    const recovered = this.#frontEnd?.recoveredMs !== undefined;
    if (this.#worker === undefined && recovered && progress / total >= KILL_WORKER_AT) {
      this.#killWorker(event.seq, origin.worker, origin.attempt);
    }
  }

  #killFrontEnd(seq: number): void {
    const { system, say, nowMs } = this.#parts;
    const victim = system.frontEnds[system.endpoints.indexOf(this.#endpoint)];
    if (victim?.pid === undefined) throw new SystemError(`no process belongs to ${this.#endpoint}`);
    say(`At event ${seq}: SIGKILL for ${victim.name} (pid ${victim.pid}), from which this reader reads.`);
    this.#frontEnd = { atMs: nowMs(), connections: this.#connections, recoveredMs: undefined };
    victim.kill('SIGKILL');
  }

  #killWorker(seq: number, worker: string, attempt: number): void {
    const { system, say, nowMs } = this.#parts;
    const pid = Number(/^w(\d+)-/.exec(worker)?.[1]);
    const victim = system.workers.find((one) => one.pid === pid);
    if (victim === undefined) throw new SystemError(`no process belongs to worker ${worker}`);
    say(
      `At event ${seq}: SIGKILL for ${victim.name} (pid ${pid}), which runs the task. Its lease has to run out first.`,
    );
    this.#worker = { atMs: nowMs(), attempt, recoveredMs: undefined };
    victim.kill('SIGKILL');
  }

  /** Throws when a kill did not happen, or the story ended before it was recovered from. */
  recovery(): { readonly frontEndMs: number; readonly workerMs: number } {
    const frontEndMs = this.#frontEnd?.recoveredMs;
    const workerMs = this.#worker?.recoveredMs;
    if (frontEndMs !== undefined && workerMs !== undefined) return { frontEndMs, workerMs };
    throw new SystemError('the task ended before both processes were killed and replaced: the story shows nothing');
  }
}

/** Why the story broke off, for people. */
export function describeFailure(error: unknown, timeoutMs: number): string {
  if (isClientError(error, 'aborted')) return `the story did not end within ${timeoutMs / 1000} s, or was interrupted`;
  return error instanceof Error ? error.message : String(error);
}
