/**
 * What an error answer means for a follow, as data: one place for the wire's codes, reasons and HTTP statuses.
 *
 * Invariant: nothing here looks at a message.
 */
import { WireCode } from '@taskstream/protocol';
import type { Failure } from './errors.js';
import type { InputOf } from './follow-types.js';
import type { ClientLimits } from './limits.js';
import type { ReconnectCause } from './notices.js';
import { isObject } from './shape.js';

export type RpcMeaning =
  | { readonly is: 'gone'; readonly earliestSeq: number | undefined }
  /** Another stream of this task is active on the connection. */
  | { readonly is: 'active' }
  /** -32602 that gives no reason: unknown task, or an active stream of a server that does not say so. */
  | { readonly is: 'unclear' }
  | { readonly is: 'no-method' }
  | { readonly is: 'passing'; readonly cause: ReconnectCause }
  | { readonly is: 'final'; readonly failure: Failure };

/** The meaning of a JSON-RPC error. */
export function classifyRpc(error: InputOf<'rpc-error'>): RpcMeaning {
  const { code, reason, earliestSeq, message } = error;
  const gone = reason === 'events_gone' || (code === WireCode.eventsGone && earliestSeq !== undefined);
  if (gone) return { is: 'gone', earliestSeq };
  if (reason === 'stream_active') return { is: 'active' };
  if (reason === 'cursor_ahead') return { is: 'final', failure: { code: 'cursor_ahead', message } };
  if (reason === 'limit_reached') return { is: 'passing', cause: 'rate_limited' };
  if (reason === 'temporarily_unavailable' || code === WireCode.internalError) {
    return { is: 'passing', cause: 'unavailable' };
  }
  if (code === WireCode.invalidParams) return { is: 'unclear' };
  if (code === WireCode.methodNotFound) return { is: 'no-method' };
  return { is: 'final', failure: rpcFailure(code, message, error.data) };
}

/** A JSON-RPC error as a failure. */
export function rpcFailure(code: number, message: string, data: unknown): Failure {
  const details = { rpcCode: code, ...(isObject(data) ? data : data === undefined ? {} : { data }) };
  if (code === WireCode.missingClientCapability) return { code: 'missing_capability', message, details };
  if (code === WireCode.unsupportedProtocolVersion) return { code: 'unsupported_protocol', message, details };
  return { code: 'rpc_error', message: `The server answered with error ${code}: ${message}`, details };
}

export type HttpMeaning =
  | { readonly is: 'passing'; readonly cause: ReconnectCause; readonly minWaitMs: number }
  /** This endpoint does not answer as an MCP endpoint; another may. */
  | { readonly is: 'refused'; readonly failure: Failure }
  | { readonly is: 'final'; readonly failure: Failure };

/** The meaning of an HTTP status that came without a JSON-RPC error to go by. */
export function classifyHttp(error: Omit<InputOf<'http-error'>, 'type'>, limits: ClientLimits): HttpMeaning {
  const { status } = error;
  const minWaitMs = Math.min(error.retryAfterMs ?? 0, limits.retryAfterMaxMs);
  const details = { status };
  if (status === 401) {
    const message = 'The server asks for other credentials (HTTP 401)';
    return { is: 'final', failure: { code: 'unauthorized', message, details } };
  }
  if (status === 403) {
    return { is: 'final', failure: { code: 'forbidden', message: 'The server forbids this (HTTP 403)', details } };
  }
  if (status === 429) return { is: 'passing', cause: 'rate_limited', minWaitMs };
  if (status === 408 || status === 425 || status >= 500) return { is: 'passing', cause: 'unavailable', minWaitMs };
  const message = `The endpoint answered with HTTP ${status} and no JSON-RPC error`;
  return { is: 'refused', failure: { code: 'endpoint_refused', message, details } };
}

/** What a follow ends with when `attemptsMax` reconnects in a row brought nothing. */
export function exhausted(cause: ReconnectCause, message: string, gap: boolean, limits: ClientLimits): Failure {
  const tries = `gave up after ${limits.attemptsMax} reconnects without a new event`;
  const details = { cause, attemptsMax: limits.attemptsMax };
  switch (cause) {
    case 'fault':
      return { code: gap ? 'sequence_gap' : 'protocol_fault', message: `${message}; ${tries}`, details };
    case 'stream_active':
    case 'rate_limited':
      return { code: cause, message: `${message}; ${tries}`, details };
    case 'events_gone':
    case 'closed':
    case 'draining':
    case 'rotated':
    case 'slow-reader':
      return { code: 'no_progress', message: `${message}; ${tries}`, details };
    default:
      return { code: 'unavailable', message: `${message}; ${tries}`, details };
  }
}

/** Exponential, between half and all of `backoffBaseMs · 2^n`, at most `backoffMaxMs`. `n` counts from 0. */
export function backoffMs(n: number, random: number, limits: ClientLimits): number {
  const full = Math.min(limits.backoffMaxMs, limits.backoffBaseMs * 2 ** Math.min(n, 30));
  return Math.round(full / 2 + (full / 2) * random);
}

/** The pause between two `tasks/get`, as the server wishes within bounds. */
export function pollWaitMs(asked: number | undefined, limits: ClientLimits): number {
  const wished = asked ?? limits.pollIntervalMs;
  return Math.min(limits.pollIntervalMaxMs, Math.max(limits.pollIntervalMinMs, wished));
}

/** The order of endpoints after one failed: it goes last. */
export function demote(endpoints: readonly number[], failed: number): readonly number[] {
  return endpoints.includes(failed) ? [...endpoints.filter((e) => e !== failed), failed] : endpoints;
}
