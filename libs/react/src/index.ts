export { plainText } from '@taskstream/client/transcript';
export { TaskClientProvider, useTaskClient } from './provider.js';
export type { Connection, EventFold, Gap, WatchOptions, WatchState } from './task-watch.js';
export {
  eventListFold,
  transcriptFold,
  useTaskEvents,
  useTaskFold,
  useTaskTranscript,
  type EventList,
  type TaskEventsOptions,
  type TaskEventsState,
  type TaskFoldState,
  type TaskTranscriptState,
} from './use-task-events.js';
export { useTask, type TaskState } from './use-task.js';
