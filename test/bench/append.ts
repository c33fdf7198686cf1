/**
 * Appends: events a second with each event awaited and packed, against js.publish of the bare client.
 *
 * The bare client publishes messages as large as a pack of one event, headers included, into a plain file stream:
 * no republish, no compression, no compare-and-set, no headers to parse. That is the limit that a ratio speaks of.
 */
import type { Scale } from './scale.js';
import { layGround, type Ground } from './ground.js';
import type { Values } from './report.js';
import { inTurns, type Measurement } from './rounds.js';
import { benchEvent, startTasks, type WrittenTask } from './tasks.js';

/** Unawaited events of one task: two windows at a time, so that one is queued while the other becomes durable. */
const WINDOW_EVENTS = 500;
const BARE_STREAM = 'BARE';

export async function measureAppends(scale: Scale, nodes: 1 | 3): Promise<Values> {
  await using ground = await layGround(nodes);
  await ground.bare.jsm.streams.add({
    name: BARE_STREAM,
    subjects: ['bare.>'],
    storage: 'file',
    num_replicas: ground.replicas,
  });
  const tasks = await startTasks(ground, scale.tasks);
  const one = tasks.slice(0, 1);
  const message = await messageOfOneEvent(ground, tasks[0] as WrittenTask);
  const plain = (i: number) => `bare.${i}`;
  // Subjects of tasks that do not exist: the same stream, republish and compression as ours.
  const taskLike = (i: number) => `evt.d.0.bare-${i}`;
  const measurements = (ms: number): Measurement[] => {
    const bare = async (id: string, inFlight: number, subjectOf: (i: number) => string) => ({
      [id]: await publishBare(ground, message, inFlight, subjectOf, ms),
    });
    return [
      () => bare('append.bare.many', scale.inFlight, plain),
      async () => ({ 'append.many.single': await appendAwaited(tasks, ms) }),
      () => appendPacked('append.many.packed', ground, tasks, ms),
      () => bare('append.bare.one', 1, plain),
      async () => ({ 'append.one.single': await appendAwaited(one, ms) }),
      () => appendPacked('append.one.packed', ground, one, ms),
      () => bare('append.bare.same', scale.inFlight, taskLike),
    ];
  };
  await inTurns(1, measurements(scale.appendMs / 3));
  return await inTurns(scale.rounds, measurements(scale.appendMs));
}

/** As many bytes as a stored pack of one event has with its headers. */
async function messageOfOneEvent(ground: Ground, task: WrittenTask): Promise<Buffer> {
  await task.log.append([benchEvent(0)]);
  const { stream, subject } = { stream: 'TASKS_d_0', subject: `evt.d.0.${task.taskId}` };
  const stored = await ground.bare.jsm.direct.getMessage(stream, { last_by_subj: subject });
  if (stored === null) throw new Error(`nothing is stored on ${subject}`);
  let headerBytes = 'NATS/1.0\r\n\r\n'.length;
  for (const key of stored.header.keys()) headerBytes += key.length + stored.header.get(key).length + ': \r\n'.length;
  return Buffer.concat([stored.data, Buffer.alloc(headerBytes, 'h')]);
}

async function publishBare(
  ground: Ground,
  message: Buffer,
  inFlight: number,
  subjectOf: (i: number) => string,
  ms: number,
): Promise<number> {
  const { js } = ground.bare;
  return ratePerSecond(ms, inFlight, async (i) => {
    await js.publish(subjectOf(i), message);
    return 1;
  });
}

function appendAwaited(tasks: ReadonlyArray<WrittenTask>, ms: number): Promise<number> {
  let made = 0;
  return ratePerSecond(ms, tasks.length, async (i) => {
    await (tasks[i] as WrittenTask).log.append([benchEvent(made++)]);
    return 1;
  });
}

async function appendPacked(
  id: string,
  ground: Ground,
  tasks: ReadonlyArray<WrittenTask>,
  ms: number,
): Promise<Values> {
  const before = { ...ground.appended };
  const startedAt = performance.now();
  await ratePerSecond(ms, tasks.length * 2, async (i) => {
    const { log } = tasks[i % tasks.length] as WrittenTask;
    const window = Array.from({ length: WINDOW_EVENTS }, (_, k) => log.append([benchEvent(k)]));
    await Promise.all(window);
    return WINDOW_EVENTS;
  });
  const seconds = (performance.now() - startedAt) / 1_000;
  const packs = ground.appended.packs - before.packs;
  const events = ground.appended.events - before.events;
  return {
    [id]: events / seconds,
    [`${id}.packs`]: packs / seconds,
    [`${id}.mean`]: events / packs,
  };
}

/** Runs `work` in `lanes` loops for `ms`; the sum of what it returned, per second until the last one was done. */
async function ratePerSecond(ms: number, lanes: number, work: (lane: number) => Promise<number>): Promise<number> {
  const startedAt = performance.now();
  let done = 0;
  // Every lane comes to its end before a failed one is told: nothing may be under way when the ground goes.
  const ends = await Promise.allSettled(
    Array.from({ length: lanes }, async (_, lane) => {
      while (performance.now() - startedAt < ms) {
        const more = await work(lane);
        done += more;
      }
    }),
  );
  const failed = ends.find((end) => end.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
  return done / ((performance.now() - startedAt) / 1_000);
}
