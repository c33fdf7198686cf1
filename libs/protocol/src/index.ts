export { lackingCapability } from './client-capabilities.js';
export { After, parseStreamParams, TasksStreamParams, type ParsedStreamParams } from './cursor.js';
export {
  cursorAhead,
  eventsGone,
  headerMismatch,
  httpStatusFor,
  invalidParams,
  limitReached,
  missingTasksCapability,
  streamActive,
  temporarilyUnavailable,
  unknownTask,
  WireCode,
  type WireError,
} from './errors.js';
export {
  encodeEventLine,
  EVENT_TYPE_LENGTH_MAX,
  EventIdentity,
  isVendorEventType,
  TaskEvent,
  type EventLine,
} from './event.js';
export { describeIssues, typeName } from './issues.js';
export {
  DELAY_META_KEY,
  DELETE_METHOD,
  EVENT_META_KEY,
  EVENT_NOTIFICATION,
  IDEMPOTENCY_META_KEY,
  PAUSE_METHOD,
  PRIORITY_META_KEY,
  RELATED_TASK_META_KEY,
  RESUME_METHOD,
  STEER_METHOD,
  STEERING_EXTENSION,
  STREAM_META_KEY,
  STREAM_METHOD,
  STREAMS_EXTENSION,
  TASK_META_KEY,
  TASKS_EXTENSION,
  TOOL_META_KEY,
  TRACEPARENT_META_KEY,
} from './meta-keys.js';
export { commentFrame, EVENT_FRAME_HEAD, EVENT_FRAME_TAIL, messageFrame, SSE_HEADERS } from './sse.js';
export { STREAM_END_REASONS, StreamEnd, StreamEndReason, streamResult, streamResult2025 } from './stream.js';
export {
  AttemptEnded,
  AttemptStarted,
  CheckpointSaved,
  ChildEnded,
  ChildSpawned,
  ProgressPayload,
  StepCompleted,
  StepFailed,
  StepRecalled,
  SYSTEM_EVENT_PREFIX,
  SystemEvent,
  TaskPaused,
  TaskSteered,
} from './system-events.js';
export {
  isTerminal,
  projectDetailedTask,
  projectTask,
  StatusPayload,
  TASK_STATUSES,
  TaskStatus,
  TERMINAL_STATUSES,
  type TaskFacts,
  type TerminalStatus,
} from './task.js';
export { projectTask2025, status2025 } from './task-2025.js';
