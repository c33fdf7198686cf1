/**
 * Every error that the client raises, as one table: code → may the same call be tried again. What to do about each is in
 * `error-advice.ts`, which a browser loads only if it shows it.
 *
 * Invariants: callers key on `code` and `retryable`, never on a message; a code is never renamed; `details` holds no
 * secret and no stack trace.
 */
const RETRYABLE = {
  unknown_task: false,
  task_expired: false,
  task_failed: false,
  task_cancelled: false,
  events_gone: false,
  cursor_ahead: false,
  sequence_gap: false,
  protocol_fault: false,
  stream_active: true,
  no_progress: true,
  unavailable: true,
  rate_limited: true,
  unauthorized: false,
  forbidden: false,
  endpoint_refused: false,
  missing_capability: false,
  unsupported_protocol: false,
  rpc_error: false,
  maybe_executed: false,
  unknown_result_type: false,
  input_unanswered: false,
  message_too_large: false,
  cursor_store_failed: false,
  callback_failed: false,
  invalid_argument: false,
  aborted: false,
  defect: false,
} as const;

export type ClientErrorCode = keyof typeof RETRYABLE;

export const CLIENT_ERROR_CODES = Object.keys(RETRYABLE) as readonly ClientErrorCode[];

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
    super(failure.message, cause === undefined ? undefined : { cause });
    this.name = 'ClientError';
    this.code = failure.code;
    this.retryable = RETRYABLE[failure.code];
    this.details = failure.details ?? {};
  }
}

export function isClientError(error: unknown, code?: ClientErrorCode): error is ClientError {
  return error instanceof ClientError && (code === undefined || error.code === code);
}
