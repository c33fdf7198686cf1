/** A task on a real nats-server and real worker processes, behind the same door as the test kit's. */
import type { MailboxCommand } from '@taskstream/core';
import type { TaskEvent } from '@taskstream/protocol';
import { EVENT_META_KEY, isTerminal, StatusPayload, SystemEvent } from '@taskstream/protocol';
import type { Tool } from '@taskstream/worker';
import type { TestNats, TestStore } from '../../support/nats.js';
import { testSpec } from '../../support/specs.js';
import { startWorker, stopAll, type TestProcess } from '../../support/system.js';

/** An event as both sides are compared: without the worker's name and times. */
export interface Told {
  readonly seq: number;
  readonly type: string;
  readonly payload: Readonly<Record<string, unknown>>;
  readonly attempt: number;
  readonly identity: Readonly<Record<string, unknown>>;
}

/** What a scenario does from outside. */
export interface Outside {
  /** The open question. */
  asked(name: string): Promise<unknown>;
  answer(name: string, response: unknown): void | Promise<void>;
  emitted(type: string, nth?: number): Promise<unknown>;
  cancel(reason?: string): void | Promise<void>;
  steer(message: string, data?: Record<string, unknown>): void | Promise<void>;
  pause(): void | Promise<void>;
  resume(): void | Promise<void>;
  crash(): void | Promise<void>;
  handOver(): void | Promise<void>;
}

const LEASE_MS = 1_500;

/** One worker at a time; it is started again after it was killed. */
export class RealWorker implements AsyncDisposable {
  readonly #env: Record<string, string>;
  readonly #nats: TestNats;
  #process: TestProcess | undefined;

  constructor(nats: TestNats, toolsFile: string) {
    this.#nats = nats;
    this.#env = {
      TASKSTREAM_TOOLS: toolsFile,
      TASKSTREAM_LEASE_MS: String(LEASE_MS),
      TASKSTREAM_DRAIN_MS_MAX: '100',
      TASKSTREAM_PULL_RETRY_MS: '50',
    };
  }

  async start(): Promise<void> {
    this.#process ??= await startWorker(this.#nats.url, this.#env);
  }

  /** Ends the process by a signal and starts another. */
  async replace(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    const old = this.#process;
    this.#process = undefined;
    old?.kill(signal);
    await old?.exited;
    await this.start();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#process !== undefined) await stopAll([this.#process]);
  }
}

export async function runReal(
  on: TestStore,
  worker: RealWorker,
  tool: Tool,
  input: Record<string, unknown>,
  drive: (outside: Outside) => Promise<void>,
): Promise<Told[]> {
  const spec = testSpec({
    tool: tool.definition.name,
    arguments: input,
    attemptsMax: tool.definition.attemptsMax,
    clientCapabilities: { elicitation: {}, sampling: {}, roots: {} },
  });
  await on.store.tasks.create(spec);
  const told: Told[] = [];
  const waiters = new Set<() => void>();
  let open: Record<string, unknown> = {};
  const reading = (async () => {
    const session = await on.store.events.open(spec.taskId, undefined);
    for (;;) {
      const delivery = await session.next();
      if (delivery.type !== 'packs') return;
      for (const pack of delivery.packs) {
        for (const line of Buffer.from(pack.data).toString('utf8').split('\n').slice(0, -1)) {
          const event = tellOf(JSON.parse(line) as TaskEvent);
          told.push(event);
          if (event.type === SystemEvent.taskStatus) open = StatusPayload.parse(event.payload).inputRequests ?? {};
        }
      }
      for (const wake of waiters) wake();
    }
  })();
  const waitFor = <T>(find: () => T | undefined): Promise<T> =>
    new Promise((resolve) => {
      const look = () => {
        const found = find();
        if (found === undefined) return;
        waiters.delete(look);
        resolve(found);
      };
      waiters.add(look);
      look();
    });
  const send = (command: MailboxCommand) => on.store.tasks.send(spec.taskId, command);
  const keyOf = (name: string) => Object.keys(open).find((key) => key.startsWith(`${name}-`));
  await drive({
    asked: (name) => waitFor(() => open[keyOf(name) ?? '']),
    answer: (name, response) => send({ type: 'input', key: String(keyOf(name)), response }),
    emitted: (type, nth = 1) => waitFor(() => told.filter((e) => e.type === type)[nth - 1]),
    cancel: (reason) => on.store.tasks.cancel(spec.taskId, reason),
    steer: (message, data) => send({ type: 'steer', message, ...(data !== undefined && { data }) }),
    pause: () => send({ type: 'pause' }),
    resume: () => send({ type: 'resume' }),
    crash: () => worker.replace('SIGKILL'),
    handOver: () => worker.replace('SIGTERM'),
  });
  await reading;
  return told;
}

function tellOf(event: TaskEvent): Told {
  const own = event._meta?.[EVENT_META_KEY] as Record<string, unknown>;
  const { at: _at, worker: _worker, attempt, ...identity } = own;
  return comparable({
    seq: event.seq,
    type: event.type,
    payload: event.payload,
    attempt: Number(attempt),
    identity,
  });
}

/** Without what differs between two runs: who worked, and when. The id of a task stands as `<task>` in messages. */
export function comparable(event: Told): Told {
  const { worker: _worker, retryAt: _retryAt, ms: _ms, sentAt: _sentAt, ...payload } = event.payload;
  const text = JSON.stringify(payload).replaceAll(/\(task [^,]+,/g, '(task <task>,');
  const told = JSON.parse(text) as Record<string, unknown>;
  return { ...event, payload: 'taskId' in told ? { ...told, taskId: '<task>' } : told };
}

export function isOver(told: ReadonlyArray<Told>): boolean {
  const last = told.at(-1);
  return last?.type === SystemEvent.taskStatus && isTerminal(StatusPayload.parse(last.payload).status);
}
