/**
 * Hooks that follow a task's events.
 *
 * Invariants: one stream a hook, open while the component is mounted; a render a frame at most; options are read when
 * the following begins, so that a new object in every render does not open a stream again: another task, or another
 * `key` of the component, does.
 */
import type { TaskEvent, TaskHandle } from '@taskstream/client';
import { applyEvent, EMPTY_TRANSCRIPT, type Transcript } from '@taskstream/client/transcript';
import { useMemo, useSyncExternalStore } from 'react';
import { useHandle } from './provider.js';
import { TaskWatch, type EventFold, type WatchOptions, type WatchState } from './task-watch.js';

export interface TaskFoldState<T> extends WatchState<T> {
  /** Follows again after an error. */
  readonly retry: () => void;
}

/** Follows a task and keeps what its events add up to. `fold` is read when the following begins. */
export function useTaskFold<T>(
  task: string | TaskHandle,
  fold: EventFold<T>,
  options: WatchOptions = {},
): TaskFoldState<T> {
  const handle = useHandle(task);
  // The fold and the options of the beginning count.
  const watch = useMemo(() => new TaskWatch(handle, fold, options), [handle]);
  const state = useSyncExternalStore(watch.subscribe, watch.state, watch.initialState);
  return useMemo(() => ({ ...state, retry: watch.retry }), [state, watch]);
}

export interface EventList {
  /** The latest `eventsMax`, in the order of their seq. */
  readonly events: readonly TaskEvent[];
  /** How many earlier ones have left the list. */
  readonly dropped: number;
}

export interface TaskEventsOptions extends WatchOptions {
  /** Events that are kept. Default: 1000. */
  readonly eventsMax?: number;
}

export type TaskEventsState = EventList & Omit<TaskFoldState<EventList>, 'value'>;

const EVENTS_MAX = 1000;

/** The list of a task's latest events, as a fold. */
export function eventListFold(eventsMax: number = EVENTS_MAX): EventFold<EventList> {
  return {
    initial: { events: [], dropped: 0 },
    apply: ({ events, dropped }, more) => {
      const all = [...events, ...more];
      const over = Math.max(0, all.length - eventsMax);
      return { events: all.slice(over), dropped: dropped + over };
    },
  };
}

/** Follows a task and lists its latest events. Payloads are untrusted: render them as text. */
export function useTaskEvents(task: string | TaskHandle, options: TaskEventsOptions = {}): TaskEventsState {
  const { value, ...state } = useTaskFold(task, eventListFold(options.eventsMax), options);
  return { ...value, ...state };
}

/** A task's transcript, as a fold. */
export const transcriptFold: EventFold<Transcript> = {
  initial: EMPTY_TRANSCRIPT,
  apply: (transcript, events) => events.reduce<Transcript>((sofar, event) => applyEvent(sofar, event), transcript),
};

export type TaskTranscriptState = { readonly transcript: Transcript } & Omit<TaskFoldState<Transcript>, 'value'>;

/**
 * Follows a task from its first event and folds its transcript. It takes no cursor: a transcript is made of all events.
 */
export function useTaskTranscript(
  task: string | TaskHandle,
  options: Omit<WatchOptions, 'after' | 'cursorStore'> = {},
): TaskTranscriptState {
  const { value: transcript, ...state } = useTaskFold(task, transcriptFold, options);
  return { transcript, ...state };
}
