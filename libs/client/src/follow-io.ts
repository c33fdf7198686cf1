/**
 * The requests of one followed task: `tasks/stream` and `tasks/get`, turned into inputs of the state machine.
 *
 * Invariants: at most one request is in flight; nothing is read ahead of the consumer; an event in hand belongs to
 * the last input that was returned.
 */
import { EVENT_NOTIFICATION, STREAM_METHOD, WireCode, type TaskEvent } from '@taskstream/protocol';
import type { DetailedTask } from './api.js';
import { SilenceError, type Channel, type Exchange, type Posted } from './channel.js';
import { ClientError } from './errors.js';
import { checkEvent, type Remark } from './event-check.js';
import type { FollowInput } from './follow-types.js';
import { WireFault } from './message-reader.js';
import { checkId, networkMessage, receive, rpcInput } from './request.js';
import { ShapeError, type JsonObject } from './shape.js';
import { parseDetailedTask, parseStreamEnd, ResultTypeError, type Message } from './wire.js';

const RAW_HEAD = `{"jsonrpc":"2.0","method":"${EVENT_NOTIFICATION}","params":`;
const GONE = 410;

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
  readonly #elicitation: boolean;
  readonly #questions: boolean;
  #exchange: Exchange | undefined;

  constructor(transport: Channel, taskId: string, signal: AbortSignal, elicitation: boolean, questions: boolean) {
    this.#transport = transport;
    this.#taskId = taskId;
    this.#signal = signal;
    this.#elicitation = elicitation;
    this.#questions = questions;
  }

  /** Opens `tasks/stream`. */
  open(endpoint: number, after: number | undefined): Promise<Received> {
    return this.#received(async () => {
      const params = { taskId: this.#taskId, ...(after !== undefined && { after }) };
      const call = { method: STREAM_METHOD, params, name: this.#taskId, elicitation: this.#elicitation };
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
        elicitation: this.#elicitation,
        questions: this.#questions,
      };
      const posted = await this.#transport.post(endpoint, call, this.#signal, silenceMs);
      if (posted.type !== 'open') return { inputs: [refusal(posted)] };
      const answer = await receive(posted.exchange, silenceMs);
      if (answer.is === 'rpc-error') return { inputs: [rpcInput(answer.error)] };
      const task = parseDetailedTask(answer.result, this.#taskId);
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
    if (this.#questions) this.#transport.leave(this.#taskId);
  }

  #message(message: Message, text: string, id: unknown): Received {
    switch (message.kind) {
      case 'notification':
        if (message.method === EVENT_NOTIFICATION) return this.#event(message.params, text);
        return { inputs: [{ type: 'activity', heartbeat: message.method === 'notifications/progress' }] };
      case 'request': {
        const remark: Remark = { fault: 'unexpected_request', message: 'The server sent a request on the stream' };
        return { inputs: [{ type: 'fault', consequence: 'note', ...remark }] };
      }
      case 'error':
        checkId(message, id);
        return { inputs: [rpcInput(message.error)] };
      case 'result':
        checkId(message, id);
        return { inputs: [...emptyFault(message.result), { type: 'end', ...parseStreamEnd(message.result) }] };
    }
  }

  #event(params: unknown, text: string): Received {
    const checked = checkEvent(params, this.#taskId);
    switch (checked.is) {
      case 'malformed':
        return { inputs: [{ type: 'fault', consequence: 'reconnect', ...checked.remark }] };
      case 'foreign':
        return { inputs: [{ type: 'fault', consequence: 'note', ...checked.remark }] };
      case 'event': {
        const { event, remarks } = checked;
        const { seq } = event;
        const notes = remarks.map((remark) => ({ type: 'fault', consequence: 'note', seq, ...remark }) as const);
        return { inputs: [...notes, { type: 'event', seq }], inHand: { event, text } };
      }
    }
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
      const consequence = error.fault === 'message_too_large' ? 'give-up' : 'reconnect';
      return { type: 'fault', fault: error.fault, message: error.message, consequence };
    }
    if (error instanceof ShapeError) {
      const unknownType = error instanceof ResultTypeError;
      const fault = unknownType ? 'unknown_result_type' : 'malformed_result';
      const consequence = unknownType ? 'give-up' : 'reconnect';
      return { type: 'fault', fault, message: `Malformed result: ${error.message}`, consequence };
    }
    return { type: 'network-error', message: networkMessage(error) };
  }
}

/** SEP-2694: the result of a stream is empty; its type and `_meta` do not count. */
function emptyFault(result: JsonObject): readonly FollowInput[] {
  if (Object.keys(result).every((key) => key === 'resultType' || key === '_meta')) return [];
  const fault = { fault: 'result_not_empty', message: 'The result of the stream is not empty' } as const;
  return [{ type: 'fault', consequence: 'note', ...fault }];
}

function refusal(posted: Exclude<Posted, { type: 'open' }>): FollowInput {
  if (posted.type === 'rpc-error') return rpcInput(posted.error);
  const { status, retryAfterMs } = posted;
  if (status !== GONE) return { type: 'http-error', status, retryAfterMs };
  // SEP-2694 lets a transport map events_gone to 410.
  return { type: 'rpc-error', code: WireCode.eventsGone, message: 'Gone (HTTP 410)', reason: 'events_gone' };
}

/** The JSON text of an event's params: as it came if the message is framed in the usual order, else encoded again. */
export function rawParams({ event, text }: EventInHand): string {
  return text.startsWith(RAW_HEAD) ? text.slice(RAW_HEAD.length, -1) : JSON.stringify(event);
}
