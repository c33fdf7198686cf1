/**
 * Removes everything that is stored of a task: its work item, its state, its events, its mailbox, its spec.
 *
 * Invariants: only for a task whose log has its terminal event, so that nobody appends meanwhile; the log goes from its
 * oldest pack on and in bounded steps, because a purge holds up the whole stream; its last packs go in one operation
 * with mailbox and spec: a removal that was broken off leaves a task that is over and can be removed again.
 */
import type { Broker } from './broker.js';
import type { TaskAddress } from './log-reads.js';
import { anyItemSubject, stateSubjects, taskSubjects, WORK_STREAM } from './names.js';
import { isNatsFault } from './nats-errors.js';
import type { StoreOptions } from './options.js';
import { whileUnavailable } from './waiting.js';

/** @throws TaskstreamError log_unavailable */
export async function purgeTask(broker: Broker, options: StoreOptions, at: TaskAddress): Promise<void> {
  const purge = (stream: string, what: { filter: string; keep?: number }) =>
    whileUnavailable(`removing ${at.taskId}`, options.readRetryMsMax, async () => {
      try {
        await broker.jsm.streams.purge(stream, what);
      } catch (error) {
        if (!isNatsFault(error, 'not_found')) throw error;
      }
    });
  await purge(WORK_STREAM, { filter: anyItemSubject(at.taskId) });
  await purge(at.stream, { filter: stateSubjects(at.place, at.taskId) });
  const { state } = await broker.jsm.streams.info(at.stream, { subjects_filter: at.evt });
  const packs = state.subjects?.[at.evt] ?? 0;
  for (let keep = packs - options.purgeMessages; keep > 0; keep -= options.purgeMessages) {
    await purge(at.stream, { filter: at.evt, keep });
  }
  await purge(at.stream, { filter: taskSubjects(at.place, at.taskId) });
}
