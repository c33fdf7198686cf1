/**
 * The requests of one followed task: `tasks/stream` and `tasks/get`, turned into inputs of the state machine.
 *
 * Invariants: at most one request is in flight; nothing is read ahead of the consumer; an event in hand belongs to
 * the last input that was returned.
 */
import { EVENT_NOTIFICATION, STREAM_METHOD, WireCode, type TaskEvent } from '@taskstream/protocol';
import type { DetailedTask } from './api.js';
import { SilenceError, type Call, type Channel, type Exchange, type Refusal } from './channel.js';
import { ClientError } from './errors.js';
import { checkEvent } from './event-check.js';
import type { FollowInput } from './follow-types.js';
import { checkId, finish, networkMessage, rpcInput } from './request.js';
import type { JsonObject } from './shape.js';
import { parseDetailedTask, parseStreamEnd, type Message } from './wire.js';
import { parsed, WireFault, type Remark } from './wire-fault.js';

const GONE = 410;

/** What every request says of questions. */
export type Asks = Pick<Call, 'elicitation' | 'questions'>;

export interface EventInHand {
  readonly event: TaskEvent;
  readonly text: string;
}

/** Inputs in order. With an event among them, `inHand` holds it; with a status, `task` does. */
export interface Received {
  readonly inputs: readonly FollowInput[];
  readonly inHand?: EventInHand;
  readonly task?: DetailedTask;
}

export class FollowIo {
  readonly #transport: Channel;
  readonly #taskId: string;
  readonly #signal: AbortSignal;
  readonly #asks: Asks;
  #exchange: Exchange | undefined;

  constructor(transport: Channel, taskId: string, signal: AbortSignal, asks: Asks) {
    this.#transport = transport;
    this.#taskId = taskId;
    this.#signal = signal;
    this.#asks = asks;
  }

  /** Opens `tasks/stream`. */
  open(endpoint: number, after: number | undefined): Promise<Received> {
    return this.#received(async () => {
      const params = { taskId: this.#taskId, ...(after !== undefined && { after }) };
      const call = { method: STREAM_METHOD, params, name: this.#taskId, ...this.#asks };
      const posted = await this.#transport.post(endpoint, call, this.#signal, this.#transport.limits.silenceTimeoutMs);
      if (posted.type !== 'open') return { inputs: [refusal(posted)] };
      this.#exchange = posted.exchange;
      return { inputs: [{ type: 'opened' }] };
    });
  }

  /** Reads what comes next on the open stream. */
  read(): Promise<Received> {
    return this.#received(async () => {
      const exchange = this.#exchange;
      if (exchange === undefined) throw new Error('No stream is open');
      const next = await exchange.read(this.#transport.limits.silenceTimeoutMs);
      switch (next.type) {
        case 'message':
          return this.#message(next.message, next.text, exchange.id);
        case 'heartbeat':
          return { inputs: [{ type: 'activity', heartbeat: true }] };
        case 'bytes':
          return { inputs: [{ type: 'activity', heartbeat: false }] };
        case 'eof':
          return { inputs: [{ type: 'network-error', message: 'The stream was cut before its result' }] };
      }
    });
  }

  /** Asks `tasks/get`. */
  ask(endpoint: number): Promise<Received> {
    return this.#received(async () => {
      const silenceMs = this.#transport.limits.requestTimeoutMs;
      const call = {
        method: 'tasks/get',
        params: { taskId: this.#taskId },
        name: this.#taskId,
        ...this.#asks,
      };
      const posted = await this.#transport.post(endpoint, call, this.#signal, silenceMs);
      const reply = await finish(posted, silenceMs);
      if (reply.type !== 'result') return { inputs: [refusal(reply)] };
      const task = parsed('result', () => parseDetailedTask(reply.result, this.#taskId));
      const { status, pollIntervalMs } = task;
      return { inputs: [{ type: 'status', status, pollIntervalMs }], task };
    });
  }

  /** Gives the open stream up. */
  abort(): void {
    this.#exchange?.close();
    this.#exchange = undefined;
  }

  /** Nothing is asked any more. */
  leave(): void {
    this.abort();
    if (this.#asks.questions === true) this.#transport.leave(this.#taskId);
  }

  #message(message: Message, text: string, id: unknown): Received {
    switch (message.kind) {
      case 'notification':
        if (message.method === EVENT_NOTIFICATION) return this.#event(message.params, text);
        return { inputs: [{ type: 'activity', heartbeat: message.method === 'notifications/progress' }] };
      case 'request':
        return {
          inputs: [noted({ fault: 'unexpected_request', message: 'The server sent a request on the stream' })],
        };
      case 'error':
        checkId(message, id);
        return { inputs: [rpcInput(message.error)] };
      case 'result':
        checkId(message, id);
        return {
          inputs: [
            ...emptyFault(message.result),
            { type: 'end', ...parsed('result', () => parseStreamEnd(message.result)) },
          ],
        };
    }
  }

  #event(params: unknown, text: string): Received {
    const { event, remarks } = checkEvent(params, this.#taskId);
    const seq = event?.seq;
    const notes = remarks.map((remark) => noted(remark, seq));
    if (event === undefined) return { inputs: notes };
    return { inputs: [...notes, { type: 'event', seq: event.seq }], inHand: { event, text } };
  }

  /** Runs a request; what goes wrong on the wire becomes an input, everything else is thrown. */
  async #received(work: () => Promise<Received>): Promise<Received> {
    try {
      return await work();
    } catch (error) {
      return { inputs: [this.#inputFor(error)] };
    }
  }

  #inputFor(error: unknown): FollowInput {
    if (this.#signal.aborted) return { type: 'stop' };
    if (error instanceof ClientError) throw error;
    if (error instanceof SilenceError) return { type: 'silence' };
    if (error instanceof WireFault) {
      return { type: 'fault', consequence: 'reconnect', fault: error.fault, message: error.message };
    }
    return { type: 'network-error', message: networkMessage(error) };
  }
}

/** SEP-2694: the result of a stream is empty; its type and `_meta` do not count. */
function emptyFault(result: JsonObject): readonly FollowInput[] {
  if (Object.keys(result).every((key) => key === 'resultType' || key === '_meta')) return [];
  return [noted({ fault: 'result_not_empty', message: 'The result of the stream is not empty' })];
}

function noted(remark: Remark, seq?: number): FollowInput {
  return { type: 'fault', consequence: 'note', seq, ...remark };
}

function refusal(posted: Refusal): FollowInput {
  if (posted.type === 'rpc-error') return rpcInput(posted.error);
  const { status, retryAfterMs } = posted;
  if (status !== GONE) return { type: 'http-error', status, retryAfterMs };
  // SEP-2694 lets a transport map events_gone to 410.
  return { type: 'rpc-error', code: WireCode.eventsGone, message: 'Gone (HTTP 410)', reason: 'events_gone' };
}
