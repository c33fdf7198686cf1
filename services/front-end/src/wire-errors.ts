/**
 * Domain errors → JSON-RPC errors. The only place.
 *
 * Invariant: what is not known is an internal error without its message; its cause goes to the log.
 */
import { isTaskstreamError } from '@taskstream/core';
import {
  cursorAhead,
  eventsGone,
  invalidParams,
  limitReached,
  temporarilyUnavailable,
  unknownTask,
  WireCode,
  type WireError,
} from '@taskstream/protocol';
import { ProtocolError } from '@modelcontextprotocol/server';

export function wireErrorOf(error: unknown, taskId: string, after?: number): WireError {
  if (!isTaskstreamError(error)) return { code: WireCode.internalError, message: 'Internal error' };
  switch (error.code) {
    case 'unknown_task':
      return unknownTask();
    case 'events_gone':
      return eventsGone(taskId, Number(error.details['earliestSeq']));
    case 'cursor_ahead':
      return cursorAhead(taskId, after ?? 0, Number(error.details['nextSeq']));
    case 'log_unavailable':
    case 'fenced':
      return temporarilyUnavailable('The task store does not answer at the moment; try again');
    case 'format_unknown':
      return temporarilyUnavailable('A later release wrote this task and this node is not upgraded yet; try again');
    case 'stream_full':
      return limitReached('streamBytesMax', 'The server has no room for more at the moment');
    case 'mailbox_full':
      return limitReached('mailboxEntriesMax', 'The task has too many unread commands');
    case 'limit_reached': {
      const { limit, retryAfterMs } = error.details;
      return limitReached(String(limit), error.message, typeof retryAfterMs === 'number' ? retryAfterMs : undefined);
    }
    case 'payload_too_large':
    case 'idempotency_conflict':
      return invalidParams(error.message);
    default:
      return { code: WireCode.internalError, message: 'Internal error' };
  }
}

/** A wire error as the SDK throws them. */
export function protocolError(error: WireError): ProtocolError {
  return new ProtocolError(error.code, error.message, error.data);
}
