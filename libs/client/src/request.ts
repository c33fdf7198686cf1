/**
 * One-shot requests: send, wait for the response, try again where that is safe.
 *
 * Invariants: the number of tries is bounded; a request that may have been executed is repeated only if the caller
 * said that repeating is safe.
 */
import type { RpcError } from './api.js';
import { SilenceError, type Call, type Channel, type Posted, type Refusal, type Reply } from './channel.js';
import { ClientError, type Failure } from './errors.js';
import { backoffMs, classifyHttp, classifyRpc, rpcFailure } from './follow-classify.js';
import type { OnNotice } from './notices.js';
import { isObject, isWhole, type JsonObject } from './shape.js';
import type { InputOf } from './follow-types.js';
import { pause } from './waiting.js';
import { faultFailure, WireFault } from './wire-fault.js';

/** The connection ended before its response. */
export class CutError extends Error {}

/** Reads a response to its end, past notifications. */
export async function finish(posted: Posted, silenceMs: number): Promise<Reply> {
  if (posted.type !== 'open') return posted;
  const { exchange } = posted;
  try {
    for (;;) {
      const next = await exchange.read(silenceMs);
      if (next.type === 'eof') throw new CutError('The connection was cut before the response');
      if (next.type !== 'message') continue;
      const { message } = next;
      if (message.kind !== 'result' && message.kind !== 'error') continue;
      checkId(message, exchange.id);
      return message.kind === 'error'
        ? { type: 'rpc-error', error: message.error }
        : { type: 'result', result: message.result };
    }
  } finally {
    exchange.close();
  }
}

/** Throws `WireFault` for a response to another request; an error may come without an id. */
export function checkId(message: { readonly kind: 'result' | 'error'; readonly id: unknown }, id: unknown): void {
  if (message.id === id) return;
  if (message.kind === 'error' && (message.id === null || message.id === undefined)) return;
  throw new WireFault('wrong_response_id', 'The server answered another request than the one that was sent');
}

/** A JSON-RPC error as the input that the classification takes. */
export function rpcInput(error: RpcError): InputOf<'rpc-error'> {
  const data = isObject(error.data) ? error.data : {};
  return {
    type: 'rpc-error',
    code: error.code,
    message: error.message,
    reason: typeof data['reason'] === 'string' ? data['reason'] : undefined,
    earliestSeq: isWhole(data['earliestSeq']) ? data['earliestSeq'] : undefined,
    data: error.data,
  };
}

/** What an error of the connection means to a reader, without addresses or stack traces. */
export function networkMessage(error: unknown): string {
  if (error instanceof CutError) return error.message;
  const cause: unknown = error instanceof Error ? error.cause : undefined;
  const code = isObject(cause) || cause instanceof Error ? (cause as { code?: unknown }).code : undefined;
  return `The connection failed${typeof code === 'string' ? ` (${code})` : ''}`;
}

export interface RequestPlan {
  readonly call: Call;
  readonly signal: AbortSignal;
  readonly silenceMs: number;
  /** Sending it twice has the effect of sending it once. */
  readonly repeatable: boolean;
  readonly onNotice?: OnNotice | undefined;
}

type Trouble =
  /** `executed`: the server may have acted on the request. */
  | {
      readonly is: 'passing';
      readonly failure: Failure;
      readonly minWaitMs: number;
      readonly executed: boolean;
      readonly blame: boolean;
    }
  | { readonly is: 'refused'; readonly failure: Failure }
  | { readonly is: 'final'; readonly failure: Failure; readonly cause?: unknown };

/** The result; throws `ClientError`. */
export async function request(transport: Channel, plan: RequestPlan): Promise<JsonObject> {
  const { limits } = transport;
  let refusals = 0;
  for (let tries = 1; ; tries += 1) {
    const endpoint = transport.order()[0] ?? 0;
    const answer = await attempt(transport, plan, endpoint);
    if (answer.type === 'result') return answer.result;
    const { trouble } = answer;
    if (trouble.is === 'final') throw new ClientError(trouble.failure, trouble.cause);
    if (trouble.is === 'refused') {
      refusals += 1;
      if (refusals >= transport.endpoints.length) throw new ClientError(trouble.failure);
      transport.endpointFailed(endpoint, trouble.failure.message, 0, plan.onNotice);
      continue;
    }
    refusals = 0;
    const { message } = trouble.failure;
    const waitMs = Math.max(backoffMs(tries - 1, Math.random(), limits), trouble.minWaitMs);
    if (trouble.blame) transport.endpointFailed(endpoint, message, waitMs, plan.onNotice);
    if (trouble.executed && !plan.repeatable) {
      const executed = `${message}; the server may have executed ${plan.call.method}`;
      throw new ClientError({ code: 'maybe_executed', message: executed });
    }
    if (tries >= limits.requestAttemptsMax) throw new ClientError(trouble.failure);
    transport.notify({ type: 'retrying-request', method: plan.call.method, waitMs, message }, plan.onNotice);
    await pause(waitMs, plan.signal);
  }
}

async function attempt(
  transport: Channel,
  plan: RequestPlan,
  endpoint: number,
): Promise<Extract<Reply, { type: 'result' }> | { type: 'trouble'; trouble: Trouble }> {
  try {
    const posted = await transport.post(endpoint, plan.call, plan.signal, plan.silenceMs);
    const reply = await finish(posted, plan.silenceMs);
    return reply.type === 'result' ? reply : { type: 'trouble', trouble: troubleOf(reply, transport) };
  } catch (error) {
    return { type: 'trouble', trouble: troubleFrom(error, plan) };
  }
}

function troubleOf(answer: Refusal, transport: Channel): Trouble {
  if (answer.type === 'http-error') {
    const meaning = classifyHttp(answer, transport.limits);
    if (meaning.is !== 'passing') return meaning;
    const code = meaning.cause === 'rate_limited' ? 'rate_limited' : 'unavailable';
    const message = `The server answered with HTTP ${answer.status}`;
    const failure: Failure = { code, message, details: { status: answer.status } };
    const executed = answer.status !== 429 && answer.status !== 503;
    return { is: 'passing', failure, minWaitMs: meaning.minWaitMs, executed, blame: code === 'unavailable' };
  }
  const { error } = answer;
  const meaning = classifyRpc(rpcInput(error));
  const failure = rpcFailure(error.code, error.message, error.data);
  if (meaning.is !== 'passing') return { is: 'final', failure };
  const limited = meaning.cause === 'rate_limited';
  return { is: 'passing', failure, minWaitMs: 0, executed: !limited, blame: !limited };
}

function troubleFrom(error: unknown, plan: RequestPlan): Trouble {
  if (plan.signal.aborted) {
    return {
      is: 'final',
      failure: { code: 'aborted', message: `${plan.call.method} was aborted` },
      cause: plan.signal.reason,
    };
  }
  if (error instanceof ClientError) throw error;
  const passing = (failure: Failure): Trouble => ({
    is: 'passing',
    failure,
    minWaitMs: 0,
    executed: true,
    blame: true,
  });
  if (error instanceof SilenceError) return passing({ code: 'unavailable', message: error.message });
  if (error instanceof WireFault) {
    const failure = faultFailure(error);
    return failure.code === 'protocol_fault' ? passing(failure) : { is: 'final', failure };
  }
  return passing({ code: 'unavailable', message: networkMessage(error) });
}
