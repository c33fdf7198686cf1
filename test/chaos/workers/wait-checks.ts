/**
 * Holds the logs of tasks that waited for an answer against what they were answered, and says what is wrong.
 *
 * Invariant: a run that checked nothing has failed.
 */
import { SystemEvent } from '@taskstream/protocol';
import type { TaskLog, Verdict } from './checks.js';
import { byTask, type JournalLine } from './journal.js';

export interface Waited {
  /** By task. */
  readonly answers: ReadonlyMap<string, string>;
  /** Attempts that kills of workers can have ended. */
  readonly killedMax: number;
}

export function judgeWaits(
  logs: ReadonlyArray<TaskLog>,
  journal: ReadonlyArray<JournalLine>,
  { answers, killedMax }: Waited,
): Verdict {
  const journals = byTask(journal);
  const faults: string[] = [];
  let [completed, events, attempts, killed] = [0, 0, 0, 0];
  if (logs.length === 0 || journal.length === 0) faults.push('nothing was checked');
  for (const log of logs) {
    const fault = (what: string) => faults.push(`${log.taskId}: ${what}`);
    const of = (type: string) => log.events.filter((event) => event.type === type).map((event) => event.payload);
    const answer = answers.get(log.taskId);
    events += log.events.length;

    const statuses = of(SystemEvent.taskStatus);
    const last = log.events.at(-1)?.type === SystemEvent.taskStatus ? statuses.at(-1) : undefined;
    const result = last?.['result'] as { structuredContent?: { text?: unknown } } | undefined;
    if (last?.['status'] === 'completed') completed++;
    else fault(`ended with ${JSON.stringify(log.events.at(-1)?.payload).slice(0, 200)}`);
    if (result?.structuredContent?.text !== answer) fault(`its result is not its answer, ${String(answer)}`);

    const keys = new Set(statuses.flatMap((status) => Object.keys((status['inputRequests'] as object) ?? {})));
    if (keys.size !== 1) fault(`it asked ${keys.size} questions`);

    const causes = of(SystemEvent.attemptStarted).map((start) => start['cause']);
    attempts += causes.length;
    const again = causes.slice(2);
    killed += again.length;
    if (causes[0] !== 'first' || causes[1] !== 'woken' || again.some((cause) => cause !== 'lease_lost'))
      fault(`its attempts began as ${causes.join(', ')}`);
    const suspensions = of(SystemEvent.attemptEnded).filter((end) => end['reason'] === 'suspended').length;
    if (suspensions !== 1) fault(`it was suspended ${suspensions} times`);

    const answered = (journals.get(log.taskId) ?? []).filter((line) => line.what === 'answered');
    const by = new Set(answered.map((line) => line.attempt));
    if (answered.length === 0) fault('its tool was not given an answer');
    if (by.size !== answered.length) fault('an attempt was given an answer twice');
    if (by.has(1)) fault('it was given an answer before it was woken');
    if (answered.some((line) => line.value !== answer)) fault('its tool was given another answer');
  }
  if (killed > killedMax) faults.push(`${killed} attempts were taken over, no more than ${killedMax} were killed`);
  return { tasks: logs.length, completed, events, attempts, stepsAgain: 0, faults };
}
