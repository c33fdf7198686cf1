export type {
  AuthHook,
  CallToolOptions,
  ConnectionOptions,
  DetailedTask,
  EventSchema,
  EventSchemas,
  EventsGonePolicy,
  Follow,
  FollowItem,
  FollowOptions,
  InputRequest,
  InputResponse,
  NoSchemas,
  OnInputRequest,
  RequestOptions,
  RpcError,
  StandardSchema,
  Task,
  TaskClient,
  TaskClientOptions,
  TaskEvent,
  TaskHandle,
  TaskOutcome,
  TaskStatus,
  TerminalStatus,
  Tool,
  ToolResult,
  TypedEvent,
} from './api.js';
export { applyOnce, type TransactionalCursorStore, type TransactionCursor } from './apply-once.js';
export { localStorageCursorStore, memoryCursorStore, type CursorStore } from './cursor-store.js';
export { adviceFor } from './error-advice.js';
export { CLIENT_ERROR_CODES, ClientError, isClientError, type ClientErrorCode } from './errors.js';
export { followTask } from './follow-task.js';
export { indexedDbCursorStore, type IndexedDbCursorStoreOptions } from './indexed-db.js';
export { DEFAULT_LIMITS, type ClientLimits } from './limits.js';
export { PROTOCOL_FAULTS, type Notice, type OnNotice, type ProtocolFault, type ReconnectCause } from './notices.js';
export type { JsonObject } from './shape.js';
export { createTaskClient } from './task-client.js';
