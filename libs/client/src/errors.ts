/**
 * Every error that the client raises, as one table: code → may the same call be tried again, and what to do next.
 *
 * Invariants: callers key on `code` and `retryable`, never on a message; a code is never renamed; `details` holds no
 * secret and no stack trace.
 */
const TABLE = {
  unknown_task: { retryable: false, next: 'check the task id; the task may have expired or belong to someone else' },
  task_expired: { retryable: false, next: 'call the tool again; raise its time to live if this happens often' },
  task_failed: { retryable: false, next: 'see details.error' },
  task_cancelled: { retryable: false, next: 'call the tool again if the cancellation was not intended' },
  events_gone: { retryable: false, next: "set onEventsGone to 'resume' or 'restart' to go on with what is retained" },
  cursor_ahead: { retryable: false, next: 'start without a cursor: the saved one does not belong to this task' },
  sequence_gap: { retryable: false, next: 'report it to the server: it leaves out events that it should retain' },
  protocol_fault: { retryable: false, next: 'report it to the server, whose answers break the protocol' },
  stream_active: { retryable: true, next: 'end the other tasks/stream of this task on the same connection' },
  no_progress: { retryable: true, next: 'follow again later: the server keeps closing the stream without an event' },
  unavailable: { retryable: true, next: 'follow again later, or add another endpoint' },
  rate_limited: { retryable: true, next: 'try again later, or ask for a higher limit' },
  unauthorized: { retryable: false, next: 'sign in again, or check what the auth hook returns' },
  forbidden: { retryable: false, next: 'check the rights of the principal and the allowed origins of the server' },
  endpoint_refused: { retryable: false, next: 'check the endpoint URL: it does not answer as an MCP endpoint' },
  missing_capability: { retryable: false, next: 'declare what details.requiredCapabilities names' },
  unsupported_protocol: { retryable: false, next: 'the server does not speak 2026-07-28' },
  rpc_error: { retryable: false, next: 'see details.rpcCode' },
  maybe_executed: { retryable: false, next: 'pass an idempotencyKey, so that the call can be repeated safely' },
  unknown_result_type: { retryable: false, next: 'update the client: this result type is not known to it' },
  input_unanswered: { retryable: false, next: 'pass onInputRequest: the tool asks a question' },
  message_too_large: { retryable: false, next: 'raise messageCharsMax' },
  cursor_store_failed: { retryable: false, next: 'check the cursor store' },
  callback_failed: { retryable: false, next: 'see the cause: a callback of the application threw' },
  invalid_argument: { retryable: false, next: 'correct the argument that the message names' },
  aborted: { retryable: false, next: 'follow again to go on' },
  defect: { retryable: false, next: 'report it: the client reached a state that should not exist' },
} as const;

export type ClientErrorCode = keyof typeof TABLE;

export const CLIENT_ERROR_CODES = Object.keys(TABLE) as readonly ClientErrorCode[];

/** An error described as data: what the pure parts return, and what `ClientError` is made of. */
export interface Failure {
  readonly code: ClientErrorCode;
  readonly message: string;
  readonly details?: Readonly<Record<string, unknown>>;
}

/** An error with a stable code. `retryable` says whether the same call may succeed later. */
export class ClientError extends Error {
  readonly code: ClientErrorCode;
  readonly retryable: boolean;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(failure: Failure, cause?: unknown) {
    super(`${failure.message}; ${TABLE[failure.code].next}`, cause === undefined ? undefined : { cause });
    this.name = 'ClientError';
    this.code = failure.code;
    this.retryable = TABLE[failure.code].retryable;
    this.details = failure.details ?? {};
  }
}

export function isClientError(error: unknown, code?: ClientErrorCode): error is ClientError {
  return error instanceof ClientError && (code === undefined || error.code === code);
}
