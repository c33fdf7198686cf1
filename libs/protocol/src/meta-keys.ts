/**
 * Every `_meta` key, extension id and capability name that crosses the wire.
 *
 * Invariant: these literals are an API. A test pins each of them; changing one breaks deployed clients.
 */

/** Ties a message to its task. SEP-2694 §notifications/tasks/event, 2025-11-25 tasks §Related Task Metadata. */
export const RELATED_TASK_META_KEY = 'io.modelcontextprotocol/related-task';
/** Identity of an event beyond `(taskId, seq)`: when, which attempt, which worker, which tool call. Ours. */
export const EVENT_META_KEY = 'dev.taskstream/event';
/** Why a stream ended, on the result of `tasks/stream`. Ours. */
export const STREAM_META_KEY = 'dev.taskstream/stream';
/** In the `_meta` of `tools/call`: a retried call with the same key gets the same task. Ours. */
export const IDEMPOTENCY_META_KEY = 'dev.taskstream/idempotencyKey';
/** On a task, for clients that declare `STEERING_EXTENSION`: what of it can be steered, and whether it is paused. Ours. */
export const TASK_META_KEY = 'dev.taskstream/task';
/** On a tool of `tools/list`, for clients that declare `STEERING_EXTENSION`: `{steerable?, pausable?}`. Ours. */
export const TOOL_META_KEY = 'dev.taskstream/tool';
/** In the `_meta` of `tools/call`: 0 (first) to 8 (last). Ours. */
export const PRIORITY_META_KEY = 'dev.taskstream/priority';
/** In the `_meta` of `tools/call`: the task does not start before so many milliseconds have passed. Ours. */
export const DELAY_META_KEY = 'dev.taskstream/delayMs';
/** W3C trace context (SEP-414). */
export const TRACEPARENT_META_KEY = 'traceparent';

/** The Tasks extension (SEP-2663). Its capability object is exactly `{}`. */
export const TASKS_EXTENSION = 'io.modelcontextprotocol/tasks';
/** Our extension: resumable task event streams (SEP-2694). */
export const STREAMS_EXTENSION = 'dev.taskstream/event-streams';

/** Our extension: steer, pause and resume running tasks, as SEP-2669 proposed it under other names. */
export const STEERING_EXTENSION = 'dev.taskstream/steering';

export const STEER_METHOD = 'dev.taskstream/steer';
export const PAUSE_METHOD = 'dev.taskstream/pause';
export const RESUME_METHOD = 'dev.taskstream/resume';
/** Ours: removes a task with everything that is stored of it. */
export const DELETE_METHOD = 'dev.taskstream/delete';
export const STREAM_METHOD = 'tasks/stream';
export const EVENT_NOTIFICATION = 'notifications/tasks/event';
