/**
 * What a terminal shows of a running task, as a pure function of its events.
 *
 * Invariant: text of the tool passes `printable` before it is shown.
 */
import { AttemptStarted, ProgressPayload, StatusPayload, SystemEvent, type TaskEvent } from '@taskstream/protocol';
import { printableLine } from './printable.js';

const MESSAGE_CHARS_MAX = 80;

export interface ProgressView {
  readonly events: number;
  readonly attempt: number;
  readonly progress: number | undefined;
  readonly total: number | undefined;
  readonly message: string | undefined;
}

export const EMPTY_VIEW: ProgressView = {
  events: 0,
  attempt: 0,
  progress: undefined,
  total: undefined,
  message: undefined,
};

export function advanceView(view: ProgressView, event: TaskEvent): ProgressView {
  const counted = { ...view, events: view.events + 1 };
  switch (event.type) {
    case SystemEvent.progress: {
      const parsed = ProgressPayload.safeParse(event.payload);
      if (!parsed.success) return counted;
      const { progress, total, message } = parsed.data;
      return { ...counted, progress, total: total ?? view.total, message: message ?? view.message };
    }
    case SystemEvent.taskStatus: {
      const message = StatusPayload.safeParse(event.payload).data?.statusMessage;
      return message === undefined ? counted : { ...counted, message };
    }
    case SystemEvent.attemptStarted: {
      const attempt = AttemptStarted.safeParse(event.payload).data?.attempt;
      return attempt === undefined ? counted : { ...counted, attempt };
    }
    default:
      return counted;
  }
}

/** For example `42% (13/31) · auditing src · 1,204 events · attempt 2`. */
export function renderView(view: ProgressView): string {
  const { events, attempt, progress, total, message } = view;
  const parts = [
    renderAmount(progress, total),
    message === undefined ? '' : printableLine(message, MESSAGE_CHARS_MAX),
    `${events.toLocaleString('en')} ${events === 1 ? 'event' : 'events'}`,
    attempt > 1 ? `attempt ${attempt}` : '',
  ];
  return parts.filter((part) => part !== '').join(' · ');
}

function renderAmount(progress: number | undefined, total: number | undefined): string {
  if (progress === undefined) return '';
  if (total === undefined || total <= 0) return `${progress}`;
  const percent = Math.floor((Math.min(progress, total) / total) * 100);
  return `${percent}% (${progress}/${total})`;
}
