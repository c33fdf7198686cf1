/**
 * Every error that taskstream itself raises, as one table: code → may it be tried again, and what to do next.
 *
 * Invariants: logic keys on `code` and `retryable`, never on a message; a code is never renamed.
 */
const TABLE = {
  unknown_task: { retryable: false, next: 'check the task id; it may have expired' },
  events_gone: { retryable: false, next: 'resume from earliestSeq or read without a cursor' },
  cursor_ahead: { retryable: false, next: 'resume with a cursor that this task has reached' },
  fenced: { retryable: false, next: 'stop: another attempt owns the task' },
  data_lost: { retryable: false, next: 'see docs/failure-semantics.md: acknowledged events are missing from the log' },
  log_unavailable: { retryable: true, next: 'check that NATS JetStream is up and has a leader for the stream' },
  format_unknown: { retryable: true, next: 'upgrade this node: a later release wrote it (docs/recovery.md)' },
  stream_full: {
    retryable: false,
    next: 'raise max_bytes of the stream or the storage limit of the NATS account, add shards, or shorten retention',
  },
  payload_too_large: { retryable: false, next: 'send less, or refer to a resource instead of embedding it' },
  invalid_event: { retryable: false, next: 'emit a JSON object under a vendor-prefixed type' },
  emit_overflow: { retryable: false, next: 'await task.emit, or raise emitQueueBytesMax' },
  task_ended: { retryable: false, next: 'emit before the tool returns' },
  mailbox_full: { retryable: false, next: 'wait for the task to read its mailbox, or cancel it' },
  idempotency_conflict: { retryable: false, next: 'use another idempotency key for other arguments' },
  provision_refused: { retryable: false, next: 'see docs/operations.md: shrinking needs an explicit command' },
  limit_reached: { retryable: true, next: 'retry later, or raise the limit that the message names' },
} as const;

export type ErrorCode = keyof typeof TABLE;

/** An error with a stable code. `details` holds only what may be shown to a client. */
export class TaskstreamError extends Error {
  readonly code: ErrorCode;
  readonly retryable: boolean;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(
    code: ErrorCode,
    message: string,
    options: { details?: Readonly<Record<string, unknown>>; cause?: unknown } = {},
  ) {
    super(`${message}; ${TABLE[code].next}`, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'TaskstreamError';
    this.code = code;
    this.retryable = TABLE[code].retryable;
    this.details = options.details ?? {};
  }
}

/** How messages name an attempt: `count (task d0-…, attempt 1)`. */
export function attemptName(tool: string, taskId: string, attempt: number): string {
  return `${tool} (task ${taskId}, attempt ${attempt})`;
}

export function isTaskstreamError(error: unknown, code?: ErrorCode): error is TaskstreamError {
  return error instanceof TaskstreamError && (code === undefined || error.code === code);
}
