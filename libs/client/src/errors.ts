/**
 * Every error that the client raises, as one table: code → may the same call be tried again. What to do about each is in
 * `error-advice.ts`, which a browser loads only if it shows it.
 *
 * Invariants: callers key on `code` and `retryable`, never on a message; a code is never renamed; `details` holds no
 * secret and no stack trace.
 */
export const CLIENT_ERROR_CODES = [
  'unknown_task',
  'task_expired',
  'task_failed',
  'task_cancelled',
  'events_gone',
  'cursor_ahead',
  'sequence_gap',
  'protocol_fault',
  'stream_active',
  'no_progress',
  'unavailable',
  'rate_limited',
  'unauthorized',
  'forbidden',
  'endpoint_refused',
  'missing_capability',
  'unsupported_protocol',
  'rpc_error',
  'maybe_executed',
  'unknown_result_type',
  'input_unanswered',
  'message_too_large',
  'cursor_store_failed',
  'callback_failed',
  'invalid_argument',
  'aborted',
  'defect',
] as const;

const RETRYABLE: readonly ClientErrorCode[] = ['stream_active', 'no_progress', 'unavailable', 'rate_limited'];

export type ClientErrorCode = (typeof CLIENT_ERROR_CODES)[number];

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
    this.retryable = RETRYABLE.includes(failure.code);
    this.details = failure.details ?? {};
  }
}

export function isClientError(error: unknown, code?: ClientErrorCode): error is ClientError {
  return error instanceof ClientError && (code === undefined || error.code === code);
}
