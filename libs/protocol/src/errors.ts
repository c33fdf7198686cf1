/**
 * The JSON-RPC errors that cross the wire, with their codes and HTTP statuses.
 *
 * Invariants: one constructor an error, so that its shape has one source; `unknownTask` is the only answer for an
 * unknown, an expired and a foreign task; no message holds a stack trace or a secret.
 */
import { TASKS_EXTENSION } from './meta-keys.js';

export const WireCode = {
  parseError: -32700,
  invalidRequest: -32600,
  methodNotFound: -32601,
  invalidParams: -32602,
  internalError: -32603,
  /** SEP-2694. Stands in a range that the 2026 base specification keeps free; clients key on `data.reason`. */
  eventsGone: -32010,
  headerMismatch: -32020,
  missingClientCapability: -32021,
  unsupportedProtocolVersion: -32022,
} as const;

export interface WireError {
  readonly code: number;
  readonly message: string;
  readonly data?: Readonly<Record<string, unknown>>;
}

/** SEP-2694 §events_gone error. `earliestSeq` is the oldest retained event, or the next seq when none is. */
export function eventsGone(taskId: string, earliestSeq: number): WireError {
  return {
    code: WireCode.eventsGone,
    message: `Task events are no longer available; the earliest is ${earliestSeq}. Omit after to read what is left.`,
    data: { reason: 'events_gone', taskId, earliestSeq },
  };
}

/** A cursor above the last event of a live task: it never came from this stream. */
export function cursorAhead(taskId: string, after: number, nextSeq: number): WireError {
  return {
    code: WireCode.invalidParams,
    message: `Invalid params for tasks/stream: after: ${after} is ahead of the task, whose next event is ${nextSeq}`,
    data: { reason: 'cursor_ahead', taskId, nextSeq },
  };
}

/** The one answer for unknown, expired and foreign tasks. */
export function unknownTask(): WireError {
  return { code: WireCode.invalidParams, message: 'Unknown task: it does not exist, has expired, or is not yours' };
}

/** SEP-2694 §tasks/stream: one active request per task and connection. */
export function streamActive(taskId: string): WireError {
  return {
    code: WireCode.invalidParams,
    message: 'This connection already has an active tasks/stream for the task; cancel it before opening another',
    data: { reason: 'stream_active', taskId },
  };
}

export function invalidParams(message: string): WireError {
  return { code: WireCode.invalidParams, message };
}

/** Tasks extension §Capability Negotiation. */
export function missingTasksCapability(): WireError {
  return {
    code: WireCode.missingClientCapability,
    message: `Missing required client capability: declare the extension ${TASKS_EXTENSION}`,
    data: { requiredCapabilities: { extensions: { [TASKS_EXTENSION]: {} } } },
  };
}

export function headerMismatch(message: string): WireError {
  return { code: WireCode.headerMismatch, message };
}

/** A passing fault: the same request may succeed a moment later. */
export function temporarilyUnavailable(message: string): WireError {
  return { code: WireCode.internalError, message, data: { reason: 'temporarily_unavailable' } };
}

/** `retryAfterMs`: when the same request may succeed, if that is known. */
export function limitReached(limit: string, message: string, retryAfterMs?: number): WireError {
  const data = { reason: 'limit_reached', limit, ...(retryAfterMs !== undefined && { retryAfterMs }) };
  return { code: WireCode.internalError, message, data };
}

/** The HTTP status for an error in the 2026-07-28 revision (Streamable HTTP): 400 only where a v2 client reads it. */
export function httpStatusFor(code: number): number {
  switch (code) {
    case WireCode.headerMismatch:
    case WireCode.missingClientCapability:
    case WireCode.unsupportedProtocolVersion:
    case WireCode.parseError:
    case WireCode.invalidRequest:
      return 400;
    case WireCode.methodNotFound:
      return 404;
    default:
      return 200;
  }
}
