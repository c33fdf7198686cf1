/**
 * What taking a command out of a task's mailbox means for its log: which event it becomes, and what is taken then.
 *
 * Invariants: pure; an entry becomes at most one event, whoever takes it and however often the mailbox is read; a pause
 * of a paused task and a resume of a running one become none.
 */
import { SystemEvent, type TaskPaused, type TaskSteered } from '@taskstream/protocol';
import type { EventDraft, MailboxCommand, MailboxEntry, Taken } from './ports.js';

export const NOTHING_TAKEN: Taken = { entry: 0, paused: false };

/** Undefined when the command becomes no event: it is in the log already, changes nothing, or is of another kind. */
export function takeCommand(
  taken: Taken,
  command: MailboxCommand,
  { number, sentAt }: MailboxEntry,
): { readonly event: EventDraft; readonly taken: Taken } | undefined {
  if (number <= taken.entry) return undefined;
  switch (command.type) {
    case 'steer': {
      const { message, data } = command;
      const payload: TaskSteered = { entry: number, sentAt, message, ...(data !== undefined && { data: { ...data } }) };
      return { event: { type: SystemEvent.taskSteered, payload }, taken: { ...taken, entry: number } };
    }
    case 'pause':
    case 'resume': {
      const paused = command.type === 'pause';
      if (paused === taken.paused) return undefined;
      const payload: TaskPaused = { entry: number, sentAt };
      const type = paused ? SystemEvent.taskPaused : SystemEvent.taskResumed;
      return { event: { type, payload }, taken: { entry: number, paused } };
    }
    default:
      return undefined;
  }
}
