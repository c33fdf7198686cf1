/**
 * The task as the server describes it, asked for again until it ends; and what can be done with it.
 *
 * Invariants: one question at a time; none after the task has ended, after an error that asking again does not mend, or
 * when nothing is mounted; an answer that comes after that changes nothing.
 */
import {
  isClientError,
  type DetailedTask,
  type InputResponse,
  type TaskHandle,
  type ToolResult,
} from '@taskstream/client';
import { useCallback, useEffect, useMemo, useState } from 'react';
import { useHandle } from './provider.js';

const POLL_MS = 2_000;
const POLL_MS_MIN = 250;
const POLL_MS_MAX = 60_000;

export interface TaskState {
  /** Undefined before the first answer, and for a tool that answered at once. `inputRequests` holds open questions. */
  readonly task: DetailedTask | undefined;
  /** The result of a tool that answered at once, or of a completed task. */
  readonly result: ToolResult | undefined;
  /** Why the last question had no answer; it is asked again if that may help. */
  readonly error: Error | undefined;
  /** Asks the server to cancel. */
  readonly cancel: () => Promise<void>;
  /** Answers open questions by key, and asks for the task at once. */
  readonly answer: (inputResponses: Readonly<Record<string, InputResponse>>) => Promise<void>;
  /** Asks at once, also after an error. */
  readonly refresh: () => void;
}

interface Seen {
  readonly handle: TaskHandle;
  readonly task: DetailedTask | undefined;
  readonly error: Error | undefined;
}

/** @param task id of a task, or the handle of a call */
export function useTask(task: string | TaskHandle): TaskState {
  const handle = useHandle(task);
  const [kept, setSeen] = useState<Seen>({ handle, task: undefined, error: undefined });
  const [round, setRound] = useState(0);
  const refresh = useCallback(() => setRound((n) => n + 1), []);
  // What was seen of another task is not shown for this one.
  const seen = kept.handle === handle ? kept : { handle, task: undefined, error: undefined };

  useEffect(() => {
    const stop = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const askOnce = async (): Promise<void> => {
      const answered = await handle.status({ signal: stop.signal }).then(
        (now) => ({ task: now, error: undefined }),
        (error: unknown) => ({ task: undefined, error: asError(error) }),
      );
      if (stop.signal.aborted) return;
      setSeen((before) => {
        const last = before.handle === handle ? before.task : undefined;
        return { handle, task: answered.task ?? last, error: answered.error };
      });
      if (mayChange(answered)) timer = setTimeout(() => void askOnce(), pauseMs(answered.task));
    };
    void askOnce();
    return () => {
      stop.abort();
      clearTimeout(timer);
    };
  }, [handle, round]);

  return useMemo(
    () => ({
      task: seen.task,
      result: handle.immediate ?? (seen.task?.result as ToolResult | undefined),
      error: seen.error,
      cancel: async () => {
        await handle.cancel();
        refresh();
      },
      answer: async (inputResponses) => {
        await handle.answer(inputResponses);
        refresh();
      },
      refresh,
    }),
    [handle, seen.task, seen.error, refresh],
  );
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error('The task cannot be asked for', { cause: error });
}

function mayChange({ task, error }: Pick<TaskState, 'task' | 'error'>): boolean {
  if (error !== undefined) return isClientError(error) && error.retryable;
  return task !== undefined && (task.status === 'working' || task.status === 'input_required');
}

function pauseMs(task: DetailedTask | undefined): number {
  return Math.min(POLL_MS_MAX, Math.max(POLL_MS_MIN, task?.pollIntervalMs ?? POLL_MS));
}
