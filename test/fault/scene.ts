/**
 * Workers as real processes on a server of their own, for the tests of one file.
 *
 * Invariant: no worker outlives the test that started it, nor the server the file.
 */
import { afterAll, afterEach, beforeAll } from 'vitest';
import { connectStore, startNats, type TestNats, type TestStore } from '../support/nats.js';
import { startWorker, stopAll, type TestProcess } from '../support/system.js';

export interface WorkerScene {
  readonly nats: TestNats;
  /** A front end, as far as the log is concerned. */
  readonly on: TestStore;
  readonly worker: (env?: Readonly<Record<string, string>>) => Promise<TestProcess>;
}

/** `env`: of each worker. Its members are there from `beforeAll` on. */
export function workerScene(env: Readonly<Record<string, string>>): WorkerScene {
  let nats: TestNats;
  let on: TestStore;
  let workers: TestProcess[] = [];
  beforeAll(async () => {
    nats = await startNats();
    on = await connectStore(nats.url);
  });
  afterAll(async () => {
    await on?.[Symbol.asyncDispose]();
    await nats?.[Symbol.asyncDispose]();
  });
  afterEach(async () => {
    await stopAll(workers, 'SIGKILL');
    workers = [];
  });
  return {
    get nats() {
      return nats;
    },
    get on() {
      return on;
    },
    worker: async (more = {}) => {
      const started = await startWorker(nats.url, { ...env, ...more });
      workers.push(started);
      return started;
    },
  };
}
