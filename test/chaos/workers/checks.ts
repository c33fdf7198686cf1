/**
 * Holds the logs of tasks against what their tool was told, and says what is wrong.
 *
 * Invariant: a run that checked nothing has failed.
 */
import { SystemEvent, type TaskEvent } from '@taskstream/protocol';
import { byTask, type JournalLine } from './journal.js';

export interface TaskLog {
  readonly taskId: string;
  /** Parsed lines in the order of the log, which has been found contiguous. */
  readonly events: ReadonlyArray<TaskEvent>;
}

export interface Verdict {
  readonly tasks: number;
  readonly completed: number;
  readonly events: number;
  readonly attempts: number;
  /** Steps that ran more often than once, because the attempt that ran them died before their result was recorded. */
  readonly stepsAgain: number;
  readonly faults: string[];
}

const STEP = 'com.example.chaos.step';

export function judge(logs: ReadonlyArray<TaskLog>, journal: ReadonlyArray<JournalLine>, steps: number): Verdict {
  const journals = byTask(journal);
  const faults: string[] = [];
  let [completed, events, attempts, stepsAgain] = [0, 0, 0, 0];
  if (logs.length === 0 || journal.length === 0) faults.push('nothing was checked');
  for (const log of logs) {
    const fault = (what: string) => faults.push(`${log.taskId}: ${what}`);
    const lines = journals.get(log.taskId) ?? [];
    events += log.events.length;
    const last = log.events.at(-1);
    if (last?.type === SystemEvent.taskStatus && last.payload['status'] === 'completed') completed++;
    else fault(`ended with ${JSON.stringify(last?.payload).slice(0, 200)}`);
    const starts = log.events.filter((e) => e.type === SystemEvent.attemptStarted).map((e) => e.payload['attempt']);
    attempts += starts.length;
    starts.forEach((attempt, i) => {
      if (attempt !== i + 1) fault(`attempt ${String(attempt)} is the ${i + 1}th in the log`);
    });
    const values = new Map<number, string>();
    const emitted = new Set<string>();
    let running = 0;
    for (const event of log.events) {
      const attempt = attemptOf(event);
      if (attempt < running) fault(`an event of attempt ${attempt} lies behind attempt ${running}`);
      running = Math.max(running, attempt);
      if (event.type !== STEP) continue;
      const { step, value } = event.payload as { step: number; value: string };
      if (emitted.has(`${attempt}:${step}`)) fault(`step ${step} was told twice by attempt ${attempt}`);
      emitted.add(`${attempt}:${step}`);
      if (values.has(step) && values.get(step) !== value) fault(`step ${step} had two results`);
      values.set(step, value);
    }
    if (values.size !== steps) fault(`${values.size} of ${steps} steps are in the log`);
    for (const { attempt, step } of lines.filter((line) => line.what === 'acknowledged')) {
      if (!emitted.has(`${attempt}:${step}`)) fault(`step ${step} of attempt ${attempt} was acknowledged and is lost`);
    }
    for (const { attempt, step, value } of lines.filter((line) => line.what === 'saw')) {
      if (values.has(step) && values.get(step) !== value)
        fault(`attempt ${attempt} saw another result of step ${step}`);
    }
    const ran = lines.filter((line) => line.what === 'ran');
    const runs = new Set(ran.map((line) => `${line.attempt}:${line.step}`));
    if (runs.size !== ran.length) fault('an attempt ran a step twice');
    const again = ran.length - new Set(ran.map((line) => line.step)).size;
    stepsAgain += again;
    // Each fault that hits an attempt can hit one step: the one that was under way.
    if (again > starts.length - 1) fault(`${again} steps ran again in ${starts.length} attempts`);
    for (const [step, value] of values) {
      if (!ran.some((line) => line.step === step && line.value === value))
        fault(`nobody made the result of step ${step}`);
    }
  }
  return { tasks: logs.length, completed, events, attempts, stepsAgain, faults };
}

function attemptOf(event: TaskEvent): number {
  return (event._meta?.['dev.taskstream/event'] as { attempt?: number } | undefined)?.attempt ?? 0;
}
