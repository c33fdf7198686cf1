/**
 * Streams that move to a front end that has just started, as in a rolling restart: what they cost it, and what the same
 * costs once its code is warm.
 *
 * Processor time is the kernel's count, so other work on the machine changes it little; how long the streams waited is
 * the machine's business as much as ours.
 */
import { openToFirstEvent } from './first-event.js';
import type { Scale } from './scale.js';
import { layGround, type Ground } from './ground.js';
import { processorMs } from './processor-time.js';
import type { Values } from './report.js';
import { inTurns } from './rounds.js';
import { stopAll } from '../support/system.js';
import { percentile } from './statistics.js';
import { startTasks, writeLog, type WrittenTask } from './tasks.js';

/** Events that a stream has yet to get when it arrives. */
const BEHIND = 3;
const EVENTS = 20;
const WARM_ROUNDS = 10;

export async function measureMoves(scale: Scale, nodes: 1 | 3): Promise<Values> {
  await using ground = await layGround(nodes);
  return await inTurns(scale.moves, [() => moves(ground, scale)]);
}

async function moves(ground: Ground, scale: Scale): Promise<Values> {
  // New ones: what a front end reads of a task depends on what it did in the last seconds.
  const tasks = await startTasks(ground, scale.movedTasks);
  const frontEnd = await ground.frontEnd();
  const move = async () => {
    for (const task of tasks) await writeLog(task, EVENTS, 1);
    const before = await processorMs([frontEnd.pid]);
    const waits = await Promise.all(
      Array.from({ length: scale.movedStreams }, (_, i) => {
        const { taskId, log } = tasks[i % tasks.length] as WrittenTask;
        return openToFirstEvent(frontEnd.endpoint, taskId, log.nextSeq - 1 - BEHIND);
      }),
    );
    return { waits, usedMs: (await processorMs([frontEnd.pid])) - before };
  };
  try {
    const cold = await move();
    for (let i = 0; i < WARM_ROUNDS; i++) await move();
    const warm = await move();
    return {
      'move.cold.processor': cold.usedMs / scale.movedStreams,
      'move.cold.p99': percentile(cold.waits, 0.99),
      'move.warm.processor': warm.usedMs / scale.movedStreams,
      'move.warm.p99': percentile(warm.waits, 0.99),
    };
  } finally {
    await stopAll([frontEnd], 'SIGKILL');
  }
}
