/**
 * What everything above the wire knows of it: a channel to the endpoints of one service, and the exchanges on it. HTTP
 * is one channel, a connected client of the official SDK another.
 *
 * Invariants: a call is written in the words of 2026-07-28, whatever the server speaks; an exchange that is closed
 * before its response tells the server so.
 */
import type { RpcError } from './api.js';
import type { ClientLimits } from './limits.js';
import type { Incoming } from './message-reader.js';
import type { Notice, OnNotice } from './notices.js';
import type { JsonObject } from './shape.js';
import { unlessAborted } from './waiting.js';

export interface Call {
  readonly method: string;
  readonly params: JsonObject;
  /** Source of `Mcp-Name`: a tool's name or a task's id. */
  readonly name?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Whether questions can be answered: declares elicitation. */
  readonly elicitation?: boolean;
  /** The task's open questions are wanted; until `leave`, the server is asked for them where it must be. */
  readonly questions?: boolean;
}

/** Why there is no result. `status`: of HTTP, where there is one. */
export type Refusal =
  | { readonly type: 'rpc-error'; readonly error: RpcError; readonly status?: number }
  | { readonly type: 'http-error'; readonly status: number; readonly retryAfterMs: number | undefined };

/** The head of a response. */
export type Posted = { readonly type: 'open'; readonly exchange: Exchange } | Refusal;

/** A response that was read to its end. */
export type Reply = { readonly type: 'result'; readonly result: JsonObject } | Refusal;

/** A request whose response is being read. */
export interface Exchange {
  readonly id: number | string;
  /** The next thing on the response. Throws `SilenceError`, `WireFault`, or what the connection throws. */
  read(silenceMs: number): Promise<Incoming>;
  close(): void;
}

export interface Channel {
  readonly limits: ClientLimits;
  readonly endpoints: readonly string[];
  /** Endpoint numbers, best first. */
  order(): readonly number[];
  url(endpoint: number): string;
  notify(notice: Notice, also?: OnNotice): void;
  /**
   * The endpoint is tried last for a while; told when it was not before, and there is another. `waitMs`: how long the
   * client waits before it tries again.
   */
  endpointFailed(endpoint: number, message: string, waitMs: number, also?: OnNotice): void;
  /** Sends a request and waits for the head of its response. Throws like `Exchange.read`, and `ClientError`. */
  post(endpoint: number, call: Call, signal: AbortSignal, silenceMs: number): Promise<Posted>;
  /** Nobody asks for the questions of this task any more. */
  leave(taskId: string): void;
}

/** A response whose head is there. */
export interface Sent {
  readonly id: number;
  readonly response: Response;
  readonly abort: AbortController;
}

/** HTTP, below the revisions. */
export interface HttpSender {
  readonly limits: ClientLimits;
  /**
   * Sends one message, made with the id for a request; again with fresh credentials after a 401. Waits for the head of
   * the response. Throws like `Exchange.read`, and `ClientError`.
   */
  send(
    endpoint: number,
    message: (id: number) => JsonObject,
    headers: Readonly<Record<string, string>>,
    signal: AbortSignal,
    silenceMs: number,
  ): Promise<Sent>;
  /** What the head of a response says. */
  classify(sent: Sent, silenceMs: number): Promise<Posted>;
  /** Reads a response to its end. Throws like `Exchange.read`. */
  finish(posted: Posted, silenceMs: number): Promise<Reply>;
}

/** Not one byte came for as long as the caller wanted to wait. */
export class SilenceError extends Error {}

/**
 * The value, unless it takes longer than `ms`: then the request is aborted and `SilenceError` is thrown. An abort of the
 * request ends the wait, whatever the value does.
 */
export async function within<T>(value: Promise<T>, ms: number, abort: AbortController): Promise<T> {
  const timer = setTimeout(() => abort.abort(new SilenceError(`Nothing came for ${ms} ms`)), ms);
  try {
    return await unlessAborted(value, abort.signal);
  } finally {
    clearTimeout(timer);
  }
}
