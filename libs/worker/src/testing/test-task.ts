/**
 * Runs a tool in a test as a worker would, with no broker: the same attempts, retries, questions and refusals.
 *
 * Invariants: it is the worker's own `AttemptRun` over a task in memory; attempts follow each other without waiting for
 * their backoff; a question without an answer stays open, as it does in a real task.
 */
import { isTaskstreamError } from '@taskstream/core';
import { isTerminal, SystemEvent, type StatusPayload } from '@taskstream/protocol';
import * as z from 'zod';
import { AttemptRun } from '../attempt-run.js';
import type { Tool } from '../define-tool.js';
import type { ToolResult } from '../tool-result.js';
import type { InputRequest } from '../input-desk.js';
import { workerOptionsShape, type WorkerObserver, type WorkerOptions } from '../worker-options.js';
import { MemoryChildren } from './memory-children.js';
import { MemoryTask, type TestEvent } from './memory-task.js';

/** More deliveries than any retry policy in a test. */
const DELIVERIES_MAX = 1_000;

export interface TestTaskOptions {
  /** Responses to questions, by the name that the tool gives them; or what makes them, undefined for none. */
  readonly answers?: Readonly<Record<string, unknown>> | ((name: string, request: InputRequest) => unknown);
  /** What the client can be asked. Everything when absent. */
  readonly clientCapabilities?: Readonly<Record<string, unknown>>;
  /** Responses to the tool's `inputFirst` questions that came with the call. */
  readonly given?: Readonly<Record<string, unknown>>;
  /** Tools that it may spawn, besides itself. */
  readonly tools?: ReadonlyArray<Tool>;
  /** Bounds of the worker, such as `stopGraceMs`. */
  readonly worker?: Partial<WorkerOptions>;
}

/** How a task ended. */
export interface TestOutcome {
  readonly status: StatusPayload['status'];
  readonly statusMessage: string | undefined;
  /** Of a completed task. */
  readonly result: ToolResult | undefined;
  /** Of a failed task. */
  readonly error: { readonly code: number; readonly message: string; readonly data?: unknown } | undefined;
  readonly attempts: number;
  readonly events: ReadonlyArray<TestEvent>;
}

/** A task that the one under test has spawned. */
export interface TestChild {
  readonly id: string;
  readonly tool: string;
  readonly events: ReadonlyArray<TestEvent>;
  readonly status: StatusPayload;
}

export interface TestTask {
  readonly id: string;
  /** Everything in the log so far. */
  readonly events: ReadonlyArray<TestEvent>;
  readonly status: StatusPayload;
  /** The tasks that it has spawned, and theirs. */
  readonly children: ReadonlyArray<TestChild>;
  /** Runs attempts until the task ends. */
  run(): Promise<TestOutcome>;
  /** Waits until the tool has asked the question, and resolves with it. */
  asked(name: string): Promise<InputRequest>;
  /** Answers an open question. @throws Error when no question of that name is open */
  answer(name: string, response: unknown): void;
  /** Waits for the nth event of a type, counted from 1. */
  emitted(type: string, nth?: number): Promise<TestEvent>;
  /** A client steers the task. */
  steer(message: string, data?: Readonly<Record<string, unknown>>): void;
  /** A client pauses the task. */
  pause(): void;
  /** A client resumes the task. */
  resume(): void;
  /** A client asks for the task's end. */
  cancel(reason?: string): void;
  /** The worker dies: the attempt may not write any more, and the next one takes over. */
  crash(): void;
  /** The worker drains: the attempt is handed over to the next one. */
  handOver(): void;
}

const QUIET: WorkerObserver = {
  attemptStarted: () => undefined,
  stepEnded: () => undefined,
  attemptEnded: () => undefined,
  stopIgnored: () => undefined,
  lateEmit: () => undefined,
  leaseInDoubt: () => undefined,
  released: () => undefined,
  pullFailed: () => undefined,
  itemFailed: () => undefined,
  stuck: () => undefined,
};

/** A task for `tool` that nobody works on until `run`. */
export function createTestTask(
  tool: Tool,
  input: Readonly<Record<string, unknown>>,
  options: TestTaskOptions = {},
): TestTask {
  const task = new MemoryTask(tool, input, {
    clientCapabilities: { ...(options.clientCapabilities ?? { elicitation: {}, sampling: {}, roots: {} }) },
    ...(options.given !== undefined && { given: { ...options.given } }),
  });
  const workerOptions: WorkerOptions = {
    ...z.object(workerOptionsShape).parse({}),
    worker: 'test-worker',
    leaseMs: 15_000,
    ...options.worker,
  };
  const tools = new Map([tool, ...(options.tools ?? [])].map((one) => [one.definition.name, one]));
  const runToEnd = async (one: MemoryTask, onAttempt: (attempt: AttemptRun) => void): Promise<void> => {
    for (let n = 0; n < DELIVERIES_MAX && !one.over; n++) {
      let fault: unknown;
      const observer: WorkerObserver = { ...QUIET, attemptEnded: ({ error }) => void (fault = error) };
      const childSupport = { ports: children.ports, lend: () => () => undefined };
      const attempt = new AttemptRun(one.claim(), one, tools, workerOptions, observer, childSupport);
      onAttempt(attempt);
      await attempt.run();
      if (fault !== undefined && !isTaskstreamError(fault, 'fenced')) {
        throw new Error('The attempt broke off', { cause: fault });
      }
    }
    if (!one.over) throw new Error(`The task has not ended after ${DELIVERIES_MAX} attempts`);
  };
  const children = new MemoryChildren(tools, (child) => runToEnd(child, () => undefined));
  children.tasks.set(task.spec.taskId, task);
  const waiters = new Set<() => void>();
  let current: AttemptRun | undefined;
  const answered = new Set<string>();

  const openQuestions = (): Array<[string, InputRequest]> =>
    isTerminal(task.status.status)
      ? []
      : (Object.entries(task.status.inputRequests ?? {}) as Array<[string, InputRequest]>);
  const questionOf = (name: string) => openQuestions().find(([key]) => nameOf(key) === name);
  const answer = (key: string, response: unknown) => {
    answered.add(key);
    task.send({ type: 'input', key, response: structuredClone(response) });
  };
  const answerOpen = () => {
    for (const [key, request] of openQuestions()) {
      if (answered.has(key)) continue;
      const { answers } = options;
      const response = typeof answers === 'function' ? answers(nameOf(key), request) : answers?.[nameOf(key)];
      if (response !== undefined) answer(key, response);
    }
  };
  task.watchers.add(({ type }) => {
    if (type === SystemEvent.taskStatus) answerOpen();
    for (const wake of waiters) wake();
  });
  const waitFor = <T>(find: () => T | undefined, what: string): Promise<T> =>
    new Promise((resolve, reject) => {
      const look = () => {
        const found = find();
        if (found === undefined && !task.over) return;
        waiters.delete(look);
        if (found !== undefined) resolve(found);
        else reject(new Error(`The task ended (${task.status.status}) before it ${what}`));
      };
      waiters.add(look);
      look();
    });

  return {
    id: task.spec.taskId,
    events: task.events,
    get status() {
      return task.status;
    },
    get children() {
      return [...children.tasks.values()]
        .filter((child) => child !== task)
        .map(({ spec, events, status }) => ({ id: spec.taskId, tool: spec.tool, events, status }));
    },
    async run() {
      await runToEnd(task, (attempt) => (current = attempt));
      if (children.fault !== undefined) throw new Error('A child broke off', { cause: children.fault });
      const { status, statusMessage, result, error } = task.status;
      return {
        status,
        statusMessage,
        result: result as ToolResult | undefined,
        error,
        attempts: task.events.reduce((most, e) => Math.max(most, e.attempt), 0),
        events: task.events,
      };
    },
    asked: async (name) => (await waitFor(() => questionOf(name), `asked ${name}`))[1],
    answer(name, response) {
      const question = questionOf(name);
      if (question === undefined) throw new Error(`No question ${name} is open`);
      answer(question[0], response);
    },
    emitted: (type, nth = 1) =>
      waitFor(() => task.events.filter((e) => e.type === type)[nth - 1], `emitted ${type} ${nth} times`),
    steer: (message, data) => task.send({ type: 'steer', message, ...(data !== undefined && { data }) }),
    pause: () => task.send({ type: 'pause' }),
    resume: () => task.send({ type: 'resume' }),
    cancel: (reason) => task.send({ type: 'cancel', ...(reason !== undefined && { reason }) }),
    crash: () => task.fence(),
    handOver: () => current?.handOver(),
  };
}

/** A key is the question's name, a digest, and for the second question of the kind its number. */
function nameOf(key: string): string {
  return key.replace(/-[A-Za-z0-9_-]{12}(?:-\d+)?(?:-again\d+)?$/, '');
}
