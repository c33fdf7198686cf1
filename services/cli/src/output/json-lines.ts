/**
 * Output for programs: one JSON object a line.
 *
 * Lines of a followed task: the params of each event, byte for byte as they came; `{"gap":{from,to,restarted}}` where
 * events can no longer be had; at the end `{"outcome":{taskId,status,result|error}}`. Notices go to standard
 * error.
 */
import type { TaskOutcome } from '@taskstream/client';
import { describeNotice } from './notices.js';
import type { TaskOutput, TextSink } from './task-output.js';

export function jsonLineOutput(sinks: {
  readonly out: TextSink;
  readonly note: (text: string) => void;
  readonly verbose: boolean;
}): TaskOutput {
  const line = (value: unknown): Promise<void> => sinks.out.write(`${JSON.stringify(value)}\n`);
  return {
    created: (taskId) => line({ taskId }),
    begin: () => undefined,
    item: (item) =>
      item.type === 'event'
        ? sinks.out.write(`${item.raw ?? JSON.stringify(item.event)}\n`)
        : line({ gap: { from: item.from, to: item.to, restarted: item.restarted } }),
    notice: (notice) => {
      const text = describeNotice(notice, sinks.verbose);
      if (text !== undefined) sinks.note(text);
    },
    outcome: (outcome) => line({ outcome: outcomeRecord(outcome) }),
    immediate: (result) => line({ outcome: outcomeRecord({ status: 'completed', result }) }),
    abandon: async () => undefined,
  };
}

export function outcomeRecord(outcome: TaskOutcome): Readonly<Record<string, unknown>> {
  const taskId = outcome.task?.taskId;
  switch (outcome.status) {
    case 'completed':
      return { ...(taskId !== undefined && { taskId }), status: outcome.status, result: outcome.result };
    case 'failed':
      return { taskId, status: outcome.status, error: outcome.error };
    case 'cancelled':
      return { taskId, status: outcome.status };
  }
}
