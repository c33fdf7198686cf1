/**
 * The scene of the tests in which clients talk to running tasks: one nats-server, a front end, and workers that come
 * and go.
 */
import type { TaskEvent } from '@taskstream/protocol';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import { connectStore, startNats, type TestNats, type TestStore } from '../../support/nats.js';
import { rpc } from '../../support/rpc.js';
import { startFrontEnd, startWorker, stopAll, type FrontEnd, type TestProcess } from '../../support/system.js';
import { storedLines } from '../../support/task-logs.js';

export interface InteractionScene extends AsyncDisposable {
  readonly nats: TestNats;
  readonly own: TestStore;
  readonly frontEnd: FrontEnd;
  readonly endpoint: string;
  /** A worker with the tools of the module, ended with the test at the latest. */
  worker(env?: Record<string, string>): Promise<TestProcess>;
  /** Workers that nobody has ended. */
  readonly workers: number;
  /** Ends all workers at once, as a crash does. */
  killWorkers(): Promise<void>;
  /** The events of a task, as they are stored. */
  events(taskId: string): Promise<TaskEvent[]>;
  /** Waits until the stored events are as wanted. */
  whenEvents(taskId: string, what: (events: readonly TaskEvent[]) => boolean): Promise<TaskEvent[]>;
  statusOf(taskId: string): Promise<Record<string, unknown>>;
  whenStatus(taskId: string, status: string): Promise<Record<string, unknown>>;
}

export async function startInteractionScene(
  tools: string,
  env: Record<string, string> = {},
): Promise<InteractionScene> {
  const nats = await startNats();
  const own = await connectStore(nats.url);
  const frontEnd = await startFrontEnd(nats.url, env);
  let workers: TestProcess[] = [];
  const events = async (taskId: string) =>
    (await storedLines(own, taskId)).map((line) => JSON.parse(line) as TaskEvent);
  const statusOf = async (taskId: string) => (await rpc(frontEnd.endpoint, 'tasks/get', { taskId })).result ?? {};
  return {
    nats,
    own,
    frontEnd,
    endpoint: frontEnd.endpoint,
    async worker(more = {}) {
      const started = await startWorker(nats.url, {
        TASKSTREAM_TOOLS: fileURLToPath(new URL(tools, import.meta.url)),
        TASKSTREAM_LEASE_MS: '1500',
        ...env,
        ...more,
      });
      workers.push(started);
      return started;
    },
    get workers() {
      return workers.filter((w) => w.child.exitCode === null && w.child.signalCode === null).length;
    },
    async killWorkers() {
      await stopAll(workers, 'SIGKILL');
      workers = [];
    },
    events,
    async whenEvents(taskId, what) {
      let found: TaskEvent[] = [];
      await expect
        .poll(async () => what((found = await events(taskId))), { timeout: 30_000, interval: 30, message: taskId })
        .toBe(true);
      return found;
    },
    statusOf,
    async whenStatus(taskId, status) {
      await expect
        .poll(async () => (await statusOf(taskId))['status'], { timeout: 30_000, interval: 30, message: taskId })
        .toBe(status);
      return statusOf(taskId);
    },
    async [Symbol.asyncDispose]() {
      await stopAll(workers, 'SIGKILL');
      await stopAll([frontEnd]);
      await own[Symbol.asyncDispose]();
      await nats[Symbol.asyncDispose]();
    },
  };
}

export const ofType = (events: readonly TaskEvent[], type: string) => events.filter((e) => e.type === type);
