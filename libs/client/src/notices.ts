/**
 * What the client tells an application besides events: reconnects, and faults of the server that it noticed.
 *
 * Invariants: a notice never changes the outcome; every fault has a stable name; a message holds no secret.
 */

/** Names of the ways in which a server can break the protocol, each noticed by the client. */
export const PROTOCOL_FAULTS = [
  /** An event's seq is above the one that had to come: never delivered, the stream is resumed. */
  'skipped_event',
  /** An event came twice on one stream. */
  'repeated_event',
  /** The first event after `after: n` has seq n: the cursor is exclusive. */
  'inclusive_after',
  /** The first event after `after: n` has a seq below n. */
  'replayed_before_cursor',
  /** Without a cursor the first event is not 0: the server numbers from elsewhere, or trimmed what came before. */
  'starts_above_zero',
  /** The stream ended as complete although the server's own `nextSeq` says that events are missing. */
  'end_before_last_event',
  /** `events_gone` for a cursor that the server's own `earliestSeq` says is retained. */
  'unfounded_events_gone',
  /** `events_gone` without the earliest event that is retained. */
  'gone_without_earliest',
  /** The result of the stream holds something of its own: it is an empty result. */
  'result_not_empty',
  /** No `_meta["io.modelcontextprotocol/related-task"]` on an event. */
  'missing_related_task',
  /** Related-task metadata that names another task than the event. */
  'wrong_related_task',
  /** An event of another task. */
  'foreign_task_event',
  /** An event whose type has no vendor prefix. */
  'unprefixed_type',
  /** Params of an event that are not an event. */
  'malformed_event',
  /** Something else than one JSON-RPC message. */
  'malformed_message',
  /** Bytes that are not UTF-8. */
  'invalid_utf8',
  /** A message larger than `messageCharsMax`. */
  'message_too_large',
  /** A response to another request. */
  'wrong_response_id',
  /** A request from the server on a response stream. */
  'unexpected_request',
  /** Neither JSON nor an event stream. */
  'wrong_content_type',
  /** A result that does not have the shape of its method. */
  'malformed_result',
  /** A result type that the method cannot have. */
  'unknown_result_type',
] as const;

export type ProtocolFault = (typeof PROTOCOL_FAULTS)[number];

/** Why a stream is opened again. */
export type ReconnectCause =
  | 'closed'
  | 'draining'
  | 'rotated'
  | 'slow-reader'
  | 'network'
  | 'silence'
  | 'unavailable'
  | 'rate_limited'
  | 'stream_active'
  | 'events_gone'
  | 'refused'
  | 'fault';

export type Notice =
  /** The request is open. `after` is the cursor that was sent. */
  | {
      readonly type: 'connected';
      readonly taskId: string;
      readonly endpoint: string;
      readonly after: number | undefined;
    }
  /** The stream was lost; it is opened again after `waitMs`. `fruitless` counts tries since the last event. */
  | {
      readonly type: 'reconnecting';
      readonly taskId: string;
      readonly cause: ReconnectCause;
      readonly fruitless: number;
      readonly waitMs: number;
      readonly after: number | undefined;
      readonly message: string;
    }
  /** The server has no `tasks/stream`: no events will come, only the outcome. */
  | { readonly type: 'fallback-polling'; readonly taskId: string; readonly message: string }
  /** The server broke the protocol. Told once for each fault and stream. */
  | {
      readonly type: 'protocol-fault';
      readonly fault: ProtocolFault;
      readonly taskId: string | undefined;
      readonly seq: number | undefined;
      readonly message: string;
    }
  /** The payload of an event breaks the schema that the application declared for its type. */
  | {
      readonly type: 'payload-invalid';
      readonly taskId: string;
      readonly seq: number;
      readonly eventType: string;
      readonly message: string;
    }
  /** An endpoint failed; it is tried last for a while. */
  | { readonly type: 'endpoint-failed'; readonly endpoint: string; readonly message: string }
  /** The auth hook was asked for fresh headers after a 401. */
  | { readonly type: 'auth-refreshed'; readonly endpoint: string }
  /** A one-shot request is sent again. */
  | { readonly type: 'retrying-request'; readonly method: string; readonly waitMs: number; readonly message: string }
  /** A tool that is left out of `listTools`, because its `x-mcp-header` annotations are not valid. */
  | { readonly type: 'tool-rejected'; readonly tool: string; readonly message: string };

export type OnNotice = (notice: Notice) => void;
