/**
 * Resumes: from the connect of a new socket to the first event on it, at three places of one long log, with and
 * without a feed on the node. Bare: a new ordered consumer on another connection, until its first message.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { openToFirstEvent } from './first-event.js';
import { CURSORS } from './figures-log.js';
import type { Scale } from './scale.js';
import { layGround, type Ground } from './ground.js';
import type { Values } from './report.js';
import { openSse } from './sse-socket.js';
import { percentile } from './statistics.js';
import { startTask, writeLog } from './tasks.js';

const PACKING = 10;
/** Events that come while the feed is followed, so that a warm feed has a ring to serve the tail from. */
const LIVE_EVENTS = 200;
/** A feed without readers is gone after its linger and one tick of the reader. */
const FEED_GONE_MS = 350;

export async function measureResumes(scale: Scale, nodes: 1 | 3): Promise<Values> {
  await using ground = await layGround(nodes);
  const frontEnd = await ground.frontEnd({ TASKSTREAM_FEED_LINGER_MS: '1' });
  const task = await startTask(ground);
  await writeLog(task, scale.logEvents, PACKING);
  const cursors = (): Record<string, number | undefined> => ({
    start: undefined,
    middle: Math.floor(task.log.nextSeq / 2),
    tail: task.log.nextSeq - 2,
  });
  const open = (cursor: string) => openToFirstEvent(frontEnd.endpoint, task.taskId, cursors()[cursor]);
  const samples = new Map<string, number[]>();
  const add = (id: string, ms: number) => samples.set(id, [...(samples.get(id) ?? []), ms]);

  for (let i = -2; i < scale.coldOpens; i++) {
    for (const cursor of CURSORS) {
      await delay(FEED_GONE_MS);
      const ms = await open(cursor);
      if (i >= 0) add(`resume.cold.${cursor}`, ms);
    }
  }

  const holder = await openSse(frontEnd.endpoint, task.taskId, task.log.nextSeq - 1, () => undefined);
  await writeLog(task, LIVE_EVENTS, PACKING);
  await delay(100);
  const positions = await barePositions(ground, task.taskId);
  for (let i = -2; i < scale.warmOpens; i++) {
    for (const cursor of CURSORS) {
      const warmMs = await open(cursor);
      const bareMs = await orderedToFirst(ground, task.taskId, positions[cursor]);
      if (i < 0) continue;
      add(`resume.warm.${cursor}`, warmMs);
      add(`resume.bare.${cursor}`, bareMs);
    }
  }
  holder.destroy();
  const values: Record<string, number> = {};
  for (const [id, ms] of samples) {
    values[`${id}.p50`] = percentile(ms, 0.5);
    values[`${id}.p99`] = percentile(ms, 0.99);
  }
  return values;
}

/** Stream sequences where the cursors lie: what a client would have to know to use a consumer of its own. */
async function barePositions(ground: Ground, taskId: string): Promise<Record<string, number>> {
  const subject = `evt.d.0.${taskId}`;
  const { direct } = ground.bare.jsm;
  const first = await direct.getMessage('TASKS_d_0', { next_by_subj: subject, seq: 1 });
  const last = await direct.getMessage('TASKS_d_0', { last_by_subj: subject });
  if (first === null || last === null) throw new Error(`nothing is stored on ${subject}`);
  return { start: first.seq, middle: Math.floor((first.seq + last.seq) / 2), tail: last.seq };
}

async function orderedToFirst(ground: Ground, taskId: string, streamSeq: number | undefined): Promise<number> {
  const startedAt = performance.now();
  const consumer = await ground.bare.js.consumers.get('TASKS_d_0', {
    filter_subjects: `evt.d.0.${taskId}`,
    opt_start_seq: streamSeq ?? 1,
    deliver_policy: 'by_start_sequence',
  });
  const messages = await consumer.consume({ max_messages: 100 });
  try {
    for await (const _ of messages) return performance.now() - startedAt;
    throw new Error('the consumer gave nothing');
  } finally {
    await messages.close();
    await consumer.delete();
  }
}
