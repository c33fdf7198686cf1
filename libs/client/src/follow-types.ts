/**
 * The vocabulary of the follow state machine: its states, inputs, effects and what is handed in.
 *
 * Invariant: everything here is plain data, so that a state can be printed, compared and replayed.
 */
import type { StreamEndReason, TaskStatus, TerminalStatus } from '@taskstream/protocol';
import type { EventsGonePolicy } from './api.js';
import type { Failure } from './errors.js';
import type { ClientLimits } from './limits.js';
import type { ProtocolFault, ReconnectCause } from './notices.js';

/** Where the reader stands in the task's event log, and how well it goes. */
export interface Position {
  /** The seq that has to come next. While `floating`, the lowest one that is still wanted. */
  readonly next: number;
  /** No place in the log is claimed yet: the first event may have any seq from `next` on. */
  readonly floating: boolean;
  /** The server said that nothing below is retained; 0 when it said nothing. */
  readonly lostBelow: number;
  /** The seq after the highest that was ever seen, delivered or not: the log is at least that long. */
  readonly seenEnd: number;
  /** What was wanted next when the history was begun anew, until its first event. */
  readonly restartedFrom: number | undefined;
  /** `tasks/get` has said that the task is over. */
  readonly over: TerminalStatus | undefined;
  /** The server has served `tasks/stream` before. */
  readonly streamed: boolean;
  /** The server has sent a heartbeat before, so that its silence means something. */
  readonly heartbeats: boolean;
  /** Reconnects in a row without a new event. */
  readonly fruitless: number;
  /** Endpoints in a row that do not answer as MCP endpoints. */
  readonly refusals: number;
  /** The endpoint of the request in flight, or of the last one. */
  readonly endpoint: number;
}

/** One open stream. */
export interface Connection {
  /** The cursor that was sent. */
  readonly after: number | undefined;
  /** An earlier stream was served. */
  readonly servedBefore: boolean;
  readonly openedAtMs: number;
  readonly lastByteAtMs: number;
  /** New events that came on it. */
  readonly fresh: number;
  /** The highest seq that came on it. */
  readonly newest: number | undefined;
}

/** Why `tasks/get` is asked: what its answer decides. */
export type AskReason =
  /** The stream ended and did not say why. */
  | 'closed'
  /** The stream was refused with -32602: the task is unknown, or another stream is active. */
  | 'refused'
  /** Silence from a server that never sent a heartbeat: is it alive? */
  | 'silent'
  /** Every event was read: how did the task end? */
  | 'outcome';

export type AfterWait =
  | { readonly do: 'open' }
  | { readonly do: 'poll' }
  | { readonly do: 'ask'; readonly why: AskReason; readonly note: string };

export type FollowState =
  | { readonly phase: 'idle'; readonly at: Position }
  | { readonly phase: 'connecting'; readonly at: Position; readonly after: number | undefined }
  | { readonly phase: 'streaming'; readonly at: Position; readonly conn: Connection }
  | { readonly phase: 'backing-off'; readonly at: Position; readonly resume: AfterWait }
  | { readonly phase: 'asking-status'; readonly at: Position; readonly why: AskReason; readonly note: string }
  /** Without `tasks/stream`: `waiting` between two `tasks/get`. */
  | { readonly phase: 'polling'; readonly at: Position; readonly waiting: boolean }
  /** Every event was yielded. `failure` says why the outcome cannot be had, if so. */
  | { readonly phase: 'ended'; readonly at: Position; readonly failure: Failure | undefined }
  | { readonly phase: 'failed'; readonly at: Position; readonly failure: Failure };

export type Phase = FollowState['phase'];
export type StateOf<P extends Phase> = Extract<FollowState, { phase: P }>;

export type FollowInput =
  | { readonly type: 'start'; readonly mode: 'stream' | 'poll' }
  /** HTTP 200 for `tasks/stream`. */
  | { readonly type: 'opened' }
  /** Bytes came that are not an event; `heartbeat` when they were a comment or a progress notification. */
  | { readonly type: 'activity'; readonly heartbeat: boolean }
  | { readonly type: 'event'; readonly seq: number }
  /** A fault that shows in one message. `reconnect`: what follows on this stream cannot be trusted, if another can. */
  | {
      readonly type: 'fault';
      readonly fault: ProtocolFault;
      readonly message: string;
      readonly seq?: number | undefined;
      readonly consequence: 'note' | 'reconnect';
    }
  /** The empty result. Everything else is known only from servers that say why they end a stream. */
  | {
      readonly type: 'end';
      readonly reason?: StreamEndReason | undefined;
      readonly status?: TaskStatus | undefined;
      readonly nextSeq?: number | undefined;
    }
  | {
      readonly type: 'rpc-error';
      readonly code: number;
      readonly message: string;
      readonly reason?: string | undefined;
      readonly earliestSeq?: number | undefined;
      readonly data?: unknown;
    }
  | { readonly type: 'http-error'; readonly status: number; readonly retryAfterMs?: number | undefined }
  /** No connection, or a connection that was cut before its response. */
  | { readonly type: 'network-error'; readonly message: string }
  /** Not one byte for the configured time. */
  | { readonly type: 'silence' }
  /** The wait is over. */
  | { readonly type: 'timer' }
  /** The answer to `tasks/get`. */
  | { readonly type: 'status'; readonly status: TaskStatus; readonly pollIntervalMs?: number | undefined }
  /** The application left. */
  | { readonly type: 'stop' };

export type InputType = FollowInput['type'];
export type InputOf<I extends InputType> = Extract<FollowInput, { type: I }>;

export type FollowEffect =
  | { readonly type: 'open'; readonly endpoint: number; readonly after: number | undefined }
  | { readonly type: 'ask-status'; readonly endpoint: number }
  /** Give up the request in flight; comes before any other request. */
  | { readonly type: 'abort' }
  | { readonly type: 'wait'; readonly ms: number }
  | { readonly type: 'deliver'; readonly seq: number }
  | { readonly type: 'drop'; readonly seq: number }
  | { readonly type: 'gap'; readonly from: number; readonly to: number; readonly restarted: boolean }
  /** `waitMs`: how long it takes until something is tried again. */
  | { readonly type: 'endpoint-failed'; readonly endpoint: number; readonly message: string; readonly waitMs: number }
  | { readonly type: 'connected'; readonly after: number | undefined }
  | {
      readonly type: 'reconnecting';
      readonly cause: ReconnectCause;
      readonly fruitless: number;
      readonly waitMs: number;
      readonly after: number | undefined;
      readonly message: string;
    }
  | { readonly type: 'fallback-polling'; readonly message: string }
  | {
      readonly type: 'fault';
      readonly fault: ProtocolFault;
      readonly message: string;
      readonly seq: number | undefined;
    };

/** What the machine needs from outside for one step. */
export interface FollowEnv {
  readonly limits: ClientLimits;
  readonly onEventsGone: EventsGonePolicy;
  readonly nowMs: number;
  /** From 0 (inclusive) to 1 (exclusive). */
  readonly random: number;
  /** Endpoint numbers, best first; never empty. */
  readonly endpoints: readonly number[];
}

export interface FollowStep {
  readonly state: FollowState;
  readonly effects: readonly FollowEffect[];
}
