/**
 * The scene of the front end's tests: one nats-server, two front ends, a worker, and a store of the test's own.
 */
import type { AttemptLog, ToolDefinition } from '@taskstream/core';
import { openToolPublisher, WORK_STREAM } from '@taskstream/jetstream';
import { STREAM_META_KEY } from '@taskstream/protocol';
import type { ReadStream } from '../../support/rpc.js';
import { runningTask } from '../../support/task-logs.js';
import { connectStore, startNats, type TestNats, type TestStore } from '../../support/nats.js';
import { startFrontEnd, startWorker, stopAll, type FrontEnd, type TestProcess } from '../../support/system.js';

export interface Scene extends AsyncDisposable {
  readonly nats: TestNats;
  readonly a: FrontEnd;
  readonly b: FrontEnd;
  readonly worker: TestProcess | undefined;
  readonly own: TestStore;
  /** Another front end, ended with the scene. */
  frontEnd(env?: Record<string, string>): Promise<FrontEnd>;
  /** Another worker, ended with the scene. */
  addWorker(env?: Record<string, string>): Promise<TestProcess>;
}

/** A queue that no worker of a scene serves. */
export const IDLE_QUEUE = 'idle';

/** A tool that is listed, and whose tasks nobody runs. */
export const UNSERVED: ToolDefinition = {
  v: 1,
  name: 'unserved',
  description: 'Waits in a queue that no worker serves',
  inputSchema: { type: 'object', properties: { text: { type: 'string' } } },
  taskSupport: 'optional',
  queue: IDLE_QUEUE,
  ttlMs: 3_600_000,
  pollIntervalMs: 1_000,
  attemptsMax: 3,
};

/** As rarely as may be: a sweep sets right what tests leave half done, and writes about it. */
const RARE_SWEEPS = { TASKSTREAM_SWEEP_EVERY_MS: '20000' };

export async function startScene(
  options: { env?: Record<string, string>; worker?: boolean; tools?: readonly ToolDefinition[] } = {},
): Promise<Scene> {
  const nats = await startNats();
  const own = await connectStore(nats.url);
  await (await openToolPublisher(own.broker, own.options)).publish(options.tools ?? [UNSERVED]);
  const more: TestProcess[] = [];
  const keep = async <P extends TestProcess>(starting: Promise<P>): Promise<P> => {
    const started = await starting;
    more.push(started);
    return started;
  };
  // The worker first: what it publishes is listed from the first request on.
  const worker = options.worker === false ? undefined : await keep(startWorker(nats.url, RARE_SWEEPS));
  const [a, b] = await Promise.all([
    keep(startFrontEnd(nats.url, { ...RARE_SWEEPS, ...options.env })),
    keep(startFrontEnd(nats.url, { ...RARE_SWEEPS, ...options.env })),
  ]);
  return {
    nats,
    a,
    b,
    worker,
    own,
    frontEnd: (env) => keep(startFrontEnd(nats.url, { ...options.env, ...env })),
    addWorker: (env) => keep(startWorker(nats.url, env)),
    async [Symbol.asyncDispose]() {
      await stopAll(more);
      await own[Symbol.asyncDispose]();
      await nats[Symbol.asyncDispose]();
    },
  };
}

/** Last sequence and number of messages of every stream that holds tasks or work: equal means that nothing changed. */
export async function storedState(scene: Scene): Promise<Record<string, string>> {
  const state: Record<string, string> = {};
  for await (const { config, state: s } of scene.own.broker.jsm.streams.list()) {
    if (config.name.startsWith('TASKS_') || config.name === WORK_STREAM) {
      state[config.name] = `${s.messages} messages, last ${s.last_seq}`;
    }
  }
  return state;
}

/** A task that runs for ever, in the test's own hands: seq 0 and 1 are there. */
export async function liveTask(scene: Scene): Promise<{ taskId: string; log: AttemptLog }> {
  const { spec, log } = await runningTask(scene.own, { queue: IDLE_QUEUE });
  return { taskId: spec.taskId, log };
}

/** A status that ends a task. */
export const DONE = { status: 'completed', result: { content: [] } } as const;

/** Why a stream ended, by its result. */
export function endOf({ result, error, broken }: ReadStream): Record<string, unknown> {
  const meta = result?.['_meta'] as Record<string, Record<string, unknown>> | undefined;
  const end = meta?.[STREAM_META_KEY];
  if (end === undefined) throw new Error(`no end: ${JSON.stringify({ result, error, broken })}`);
  return end;
}
