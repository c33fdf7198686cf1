/**
 * A sweep over many tasks that lack nothing: what it reads, and how long it takes, without the rests between its steps.
 */
import { openQuestionLeases } from '@taskstream/jetstream';
import { connectStore } from '../support/nats.js';
import { testSpec } from '../support/specs.js';
import type { Scale } from './scale.js';
import { layGround, type Ground } from './ground.js';
import type { Values } from './report.js';

/** A timer cannot wait for less. */
const REST_MS = 1;
/** Creations and cancels at a time. */
const IN_FLIGHT = 50;

export async function measureSweeps(scale: Scale, nodes: 1 | 3): Promise<Values> {
  await using ground = await layGround(nodes);
  const taskIds: string[] = [];
  await each(scale.sweptTasks, async () => {
    const spec = testSpec();
    await ground.store.tasks.create(spec);
    taskIds.push(spec.taskId);
  });
  const [queued] = await sweeps(ground, scale, 1);
  await each(scale.sweptTasks, async (i) => ground.store.tasks.cancelNow(taskIds[i] as string));
  const [ended, known] = await sweeps(ground, scale, 2);
  return { 'sweep.queued': queued ?? NaN, 'sweep.ended': ended ?? NaN, 'sweep.known': known ?? NaN };
}

async function each(count: number, work: (i: number) => Promise<void>): Promise<void> {
  for (let first = 0; first < count; first += IN_FLIGHT) {
    const size = Math.min(IN_FLIGHT, count - first);
    await Promise.all(Array.from({ length: size }, (_e, n) => work(first + n)));
  }
}

/** The first sweeps of a node that has not swept before: how long each took, its rests left out. */
async function sweeps(ground: Ground, scale: Scale, count: number): Promise<number[]> {
  const tookMs: number[] = [];
  let told: () => void = () => undefined;
  const faults: unknown[] = [];
  const done = new Promise<void>((resolve) => (told = resolve));
  const options = { replicas: ground.replicas, sweepEveryMs: 1, sweepRestMs: REST_MS };
  await using node = await connectStore(ground.urls, options, {
    taskRepaired: ({ how }) => void faults.push(`a task that lacks nothing was set right: ${how}`),
    sweepFailed: ({ error }) => void faults.push(error),
    sweepEnded: ({ ms }) => {
      tookMs.push(ms - Math.ceil(scale.sweptTasks / node.options.sweepTasksMax) * REST_MS);
      if (tookMs.length >= count) told();
    },
  });
  const leases = await openQuestionLeases(node.broker, node.options);
  const sweeper = node.store.startSweeper({ leases, catalogue: { get: () => undefined }, holder: 'bench' });
  await done;
  await sweeper.close();
  if (faults.length > 0) throw new AggregateError(faults, 'the sweep did something else than look');
  return tookMs;
}
