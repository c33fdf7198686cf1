/**
 * Output for people: a progress line on standard error that is redrawn in place, the result on standard output.
 *
 * Invariant: text of the tool passes `printable`.
 */
import type { FollowItem, TaskEvent, TaskOutcome, ToolResult } from '@taskstream/client';
import { SystemEvent } from '@taskstream/protocol';
import type { Ora } from 'ora';
import { describeNotice } from './notices.js';
import { printable, printableLine } from './printable.js';
import { advanceView, EMPTY_VIEW, renderView, type ProgressView } from './progress-view.js';
import type { TaskOutput, TextSink } from './task-output.js';

const EVENT_CHARS_MAX = 200;

export type Spinner = Pick<Ora, 'start' | 'stop' | 'clear' | 'render' | 'succeed' | 'fail' | 'warn'> & { text: string };

export function terminalOutput(parts: {
  readonly out: TextSink;
  readonly note: (text: string) => void;
  readonly spinner: Spinner;
  readonly verbose: boolean;
}): TaskOutput {
  const { out, spinner, verbose } = parts;
  let view: ProgressView = EMPTY_VIEW;

  const above = (text: string): void => {
    spinner.clear();
    parts.note(text);
    spinner.render();
  };

  return {
    created: (taskId) => out.write(`Task ${taskId} was created. Follow it with: npx taskstream tail ${taskId}\n`),
    begin: (taskId) => {
      parts.note(`Task ${printableLine(taskId, EVENT_CHARS_MAX)}`);
      spinner.text = 'waiting for events';
      spinner.start();
    },
    item: async (item) => {
      if (item.type === 'gap') {
        above(`Events ${item.from} to ${item.to} are no longer retained`);
        return;
      }
      view = advanceView(view, item.event);
      if (verbose) above(describeEvent(item));
      if (isAsking(item.event))
        above(`The task asks: npx taskstream answer ${printableLine(item.event.taskId, EVENT_CHARS_MAX)}`);
      spinner.text = renderView(view);
    },
    notice: (notice) => {
      const text = describeNotice(notice, verbose);
      if (text !== undefined) above(text);
    },
    outcome: async (outcome) => {
      finish(spinner, outcome, view);
      if (outcome.status === 'completed') await out.write(resultText(outcome.result));
    },
    immediate: (result) => out.write(resultText(result)),
    abandon: async () => void spinner.stop(),
  };
}

function isAsking({ type, payload }: TaskEvent): boolean {
  return type === SystemEvent.taskStatus && payload['status'] === 'input_required';
}

function describeEvent(item: Extract<FollowItem, { type: 'event' }>): string {
  const { seq, type, payload } = item.event;
  return printableLine(`${seq} ${type} ${JSON.stringify(payload)}`, EVENT_CHARS_MAX);
}

function finish(spinner: Spinner, outcome: TaskOutcome, view: ProgressView): void {
  const seen = renderView({ ...view, message: undefined });
  if (outcome.status === 'completed') {
    if (outcome.result.isError === true) spinner.fail(`The tool reports an error · ${seen}`);
    else spinner.succeed(`Completed · ${seen}`);
  } else if (outcome.status === 'failed') {
    spinner.fail(`Failed: ${printable(outcome.error.message)} (${outcome.error.code}) · ${seen}`);
  } else spinner.warn(`Cancelled · ${seen}`);
}

/** The text parts of a result, or its structured content when it has none. */
export function resultText(result: ToolResult): string {
  const texts = result.content.flatMap((part) =>
    part['type'] === 'text' && typeof part['text'] === 'string' ? [printable(part['text'])] : [],
  );
  if (texts.length > 0) return `${texts.join('\n')}\n`;
  if (result.structuredContent === undefined) return '';
  return `${printable(JSON.stringify(result.structuredContent, null, 2))}\n`;
}
