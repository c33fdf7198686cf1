/**
 * The exit codes of every command, and which error leads to which.
 *
 * Invariant: the numbers are an API for scripts.
 */
import { isEmbeddedError } from '@taskstream/embedded';
import { isClientError, type ClientErrorCode, type TaskOutcome } from '@taskstream/client';

export const ExitCode = {
  /** The command did what it was asked to; a task that it waited for completed. */
  ok: 0,
  /** The task failed, its result is an error, or the command could not do its work. */
  failed: 1,
  /** The command line or its input is not valid. */
  usage: 2,
  /** The task was cancelled. */
  cancelled: 3,
  /** The server cannot be reached, refuses the connection, or stays silent. */
  connection: 4,
  /** `verify`: gap-free, but not the whole task. */
  incomplete: 5,
  /** Interrupted by the user; the task goes on. */
  interrupted: 130,
} as const;
export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode];

/** A fault in what the user typed; shown as it is. */
export class UsageError extends Error {
  constructor(message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'UsageError';
  }
}

const CONNECTION_CODES: readonly ClientErrorCode[] = [
  'unavailable',
  'rate_limited',
  'no_progress',
  'endpoint_refused',
  'stream_active',
  'unauthorized',
  'forbidden',
  'unsupported_protocol',
];

export function exitCodeOf(error: unknown): ExitCode {
  if (error instanceof UsageError || isClientError(error, 'invalid_argument')) return ExitCode.usage;
  if (isClientError(error, 'aborted')) return ExitCode.interrupted;
  if (isClientError(error) && CONNECTION_CODES.includes(error.code)) return ExitCode.connection;
  return ExitCode.failed;
}

export function exitCodeOfOutcome(outcome: TaskOutcome): ExitCode {
  switch (outcome.status) {
    case 'completed':
      return outcome.result.isError === true ? ExitCode.failed : ExitCode.ok;
    case 'failed':
      return ExitCode.failed;
    case 'cancelled':
      return ExitCode.cancelled;
  }
}

/** Whether the message of an error says all that a user needs; everything else is a defect of ours. */
export function isExpected(error: unknown): error is Error {
  return error instanceof UsageError || isClientError(error) || isEmbeddedError(error) || error instanceof SystemError;
}

/** The embedded system cannot start or go on; the message says why and what to do. */
export class SystemError extends Error {
  constructor(message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'SystemError';
  }
}
