/**
 * Workers in this process, each with a connection of its own: for tests that watch what runs where and when.
 */
import type { StoreOptions } from '@taskstream/jetstream';
import {
  WorkerRuntime,
  workerOptionsShape,
  type Tool,
  type WorkerObserver,
  type WorkerOptions,
} from '@taskstream/worker';
import * as z from 'zod';
import { connectStore, type TestStore } from './nats.js';

const SILENT: WorkerObserver = {
  attemptStarted: () => undefined,
  stepEnded: () => undefined,
  attemptEnded: () => undefined,
  leaseInDoubt: () => undefined,
  released: () => undefined,
  pullFailed: () => undefined,
  stuck: () => undefined,
  itemFailed: () => undefined,
  stopIgnored: () => undefined,
  lateEmit: () => undefined,
};

export interface TestRuntime extends AsyncDisposable {
  readonly on: TestStore;
  readonly runtime: WorkerRuntime;
}

let made = 0;

export async function startRuntime(
  url: string | string[],
  tools: ReadonlyArray<Tool>,
  options: Partial<WorkerOptions> & { store?: Partial<StoreOptions>; observer?: Partial<WorkerObserver> } = {},
): Promise<TestRuntime> {
  const { store = {}, observer = {}, ...overrides } = options;
  const on = await connectStore(url, store);
  const runtime = new WorkerRuntime({
    tools,
    attempts: on.store.attempts,
    work: on.store.work,
    options: {
      ...z.object(workerOptionsShape).parse({}),
      worker: `test-${++made}`,
      leaseMs: on.options.leaseMs,
      ...overrides,
    },
    observer: { ...SILENT, ...observer },
  });
  runtime.start();
  return {
    on,
    runtime,
    async [Symbol.asyncDispose]() {
      await runtime.drain();
      await on[Symbol.asyncDispose]();
    },
  };
}
