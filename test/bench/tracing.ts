/**
 * What traces cost: processor time of a front end and of a worker for a task that is called, run and read to its end,
 * with traces off, of one task in ten, and of every task.
 *
 * Invariant: a kind that should send spans and sent none, or sent some and should not, is an error, not a figure.
 */
import { readStream, rpc } from '../support/rpc.js';
import { startWorker, stopAll } from '../support/system.js';
import { startOtlpReceiver } from '../integration/observability/otlp-receiver.js';
import type { Scale } from './scale.js';
import { layGround } from './ground.js';
import { processorMs } from './processor-time.js';
import type { Values } from './report.js';
import { inTurns, type Measurement } from './rounds.js';

const EVENTS = 20;
const IN_FLIGHT = 10;
const RATIOS: Readonly<Record<string, number | undefined>> = { off: undefined, tenth: 0.1, all: 1 };

export async function measureTracing(scale: Scale, nodes: 1 | 3): Promise<Values> {
  await using receiver = await startOtlpReceiver();
  const systems = await Promise.all(
    Object.entries(RATIOS).map(([id, ratio]) => startSystem(id, ratio, receiver.url, nodes)),
  );
  try {
    const measurements = systems.map(
      (system): Measurement =>
        () =>
          tasksThrough(system, scale.tracedTasks),
    );
    // The first turn is for code that has not run yet.
    await inTurns(1, measurements);
    const values = await inTurns(scale.rounds, measurements);
    if (receiver.spans.length === 0 || receiver.faults.length > 0)
      throw new Error(`the receiver got ${receiver.spans.length} spans and refused ${receiver.faults.join('; ')}`);
    return values;
  } finally {
    for (const system of systems) await system[Symbol.asyncDispose]();
  }
}

interface TracedSystem extends AsyncDisposable {
  readonly id: string;
  readonly endpoint: string;
  readonly pids: { readonly front: number; readonly worker: number };
}

async function startSystem(
  id: string,
  ratio: number | undefined,
  receiver: string,
  nodes: 1 | 3,
): Promise<TracedSystem> {
  const ground = await layGround(nodes);
  const traces: Record<string, string> =
    ratio === undefined ? {} : { TASKSTREAM_TRACES_URL: receiver, TASKSTREAM_TRACES_SAMPLE_RATIO: String(ratio) };
  const worker = await startWorker(ground.urls, {
    TASKSTREAM_REPLICAS: String(nodes),
    TASKSTREAM_LOG_LEVEL: 'warn',
    TASKSTREAM_SLOTS: String(IN_FLIGHT),
    ...traces,
  });
  const frontEnd = await ground.frontEnd(traces);
  return {
    id,
    endpoint: frontEnd.endpoint,
    pids: { front: frontEnd.pid, worker: worker.pid },
    async [Symbol.asyncDispose]() {
      await stopAll([worker], 'SIGKILL');
      await ground[Symbol.asyncDispose]();
    },
  };
}

async function tasksThrough({ id, endpoint, pids }: TracedSystem, count: number): Promise<Values> {
  const before = { front: await processorMs([pids.front]), worker: await processorMs([pids.worker]) };
  let left = count;
  const line = async (): Promise<void> => {
    while (left-- > 0) {
      const call = await rpc(endpoint, 'tools/call', { name: 'count', arguments: { n: EVENTS, everyMs: 1 } });
      const stream = await readStream(endpoint, String(call.result?.['taskId']));
      if (stream.result === undefined) throw new Error(`a task did not end: ${JSON.stringify(stream.error ?? call)}`);
    }
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, line));
  return {
    [`tracing.${id}.front`]: ((await processorMs([pids.front])) - before.front) / count,
    [`tracing.${id}.worker`]: ((await processorMs([pids.worker])) - before.worker) / count,
  };
}
