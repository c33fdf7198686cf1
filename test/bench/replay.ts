/**
 * Replay of whole logs on one connection, from the connect to the last event. Bare: an ordered consumer that reads
 * the same messages of the same stream in this process.
 *
 * Invariant: a replay that did not bring every seq once and in order is an error, not a figure.
 */
import { PACKINGS } from './figures-log.js';
import type { Scale } from './scale.js';
import { layGround, type Ground } from './ground.js';
import type { Values } from './report.js';
import { inTurns, type Measurement } from './rounds.js';
import { NumberScanner, openSse, SEQ_MARK } from './sse-socket.js';
import { startTask, writeLog, type WrittenTask } from './tasks.js';

const REPLAY_MS_MAX = 60_000;

export async function measureReplays(scale: Scale, nodes: 1 | 3): Promise<Values> {
  await using ground = await layGround(nodes);
  const frontEnd = await ground.frontEnd();
  const measurements: Measurement[] = [];
  for (const packing of PACKINGS) {
    const task = await startTask(ground);
    await writeLog(task, packing === 1 ? scale.singlesEvents : scale.logEvents, packing);
    const packs = await packsOf(ground, task);
    measurements.push(
      async () => ({ [`replay.bare.${packing}`]: packs / (await orderedRead(ground, task, packs)) }),
      async () => {
        const seconds = await replay(frontEnd.endpoint, task);
        return { [`replay.${packing}`]: task.log.nextSeq / seconds, [`replay.${packing}.packs`]: packs / seconds };
      },
    );
  }
  await inTurns(1, measurements);
  return await inTurns(scale.rounds, measurements);
}

async function packsOf(ground: Ground, task: WrittenTask): Promise<number> {
  const subject = `evt.d.0.${task.taskId}`;
  const info = await ground.bare.jsm.streams.info('TASKS_d_0', { subjects_filter: subject });
  return info.state.subjects?.[subject] ?? 0;
}

/** Seconds. */
async function replay(endpoint: string, task: WrittenTask): Promise<number> {
  const startedAt = performance.now();
  const events = task.log.nextSeq;
  let next = 0;
  let fault: Error | undefined;
  let finish: () => void = () => undefined;
  const finished = new Promise<void>((resolve) => (finish = resolve));
  const scanner = new NumberScanner(SEQ_MARK, (seq) => {
    if (seq !== next) fault ??= new Error(`seq ${seq} came where ${next} was due`);
    next = seq + 1;
    if (next === events || fault !== undefined) finish();
  });
  const socket = await openSse(endpoint, task.taskId, undefined, (chunk) => scanner.feed(chunk));
  const timer = setTimeout(finish, REPLAY_MS_MAX);
  await Promise.race([finished, socket.closed]);
  clearTimeout(timer);
  const seconds = (performance.now() - startedAt) / 1_000;
  socket.destroy();
  await socket.closed;
  if (fault !== undefined) throw fault;
  if (next !== events) throw new Error(`the replay ended after ${next} of ${events} events`);
  return seconds;
}

/** Seconds. */
async function orderedRead(ground: Ground, task: WrittenTask, packs: number): Promise<number> {
  const startedAt = performance.now();
  const consumer = await ground.bare.js.consumers.get('TASKS_d_0', { filter_subjects: `evt.d.0.${task.taskId}` });
  const messages = await consumer.consume({ max_messages: 1_000 });
  let read = 0;
  try {
    for await (const _ of messages) if (++read === packs) break;
    return (performance.now() - startedAt) / 1_000;
  } finally {
    await messages.close();
    await consumer.delete();
  }
}
