/**
 * A channel through a connected client of the official SDK: messages are sent on its transport, and answers to ours are
 * taken out of what the transport brings.
 *
 * Invariants: everything that does not belong to a request of ours reaches the SDK unchanged; an event belongs to the
 * open stream of its task; the messages that wait for a reader are bounded; a transport that the client replaces (a
 * reconnect) is taken up with the next request.
 */
import { EVENT_NOTIFICATION, STREAM_METHOD } from '@taskstream/protocol';
import type { ConnectionOptions } from './api.js';
import { invalidArgument } from './arguments.js';
import { SilenceError, type Call, type Channel, type Exchange, type Posted } from './channel.js';
import { PROTOCOL_VERSION, withEnvelope } from './envelope.js';
import { Era2025 } from './era-2025.js';
import { runsTools, type Link2025 } from './link-2025.js';
import { ClientError } from './errors.js';
import { parseLimits, type ClientLimits } from './limits.js';
import type { Incoming } from './message-reader.js';
import type { Notice, OnNotice } from './notices.js';
import { finish } from './request.js';
import { isObject, isWhole, type JsonObject } from './shape.js';
import { OwnEvents, StaleStreams } from './stale-streams.js';
import { parseMessageValue, type Message } from './wire.js';
import { parsed, WireFault } from './wire-fault.js';

/** What both versions of the SDK's transports have. */
export interface OfficialTransport {
  send(message: never, options?: never): Promise<void>;
  onmessage?: unknown;
  onerror?: unknown;
  onclose?: unknown;
}

/** What is used of the SDK's `Client`. */
export interface OfficialClient {
  readonly transport?: OfficialTransport | undefined;
  getServerCapabilities(): unknown;
  /** Version 2 only. */
  getNegotiatedProtocolVersion?(): string | undefined;
}

type Listener = (this: void, ...args: unknown[]) => unknown;
type Send = (message: JsonObject, options: JsonObject) => Promise<void>;

export class AttachedChannel implements Channel {
  readonly limits: ClientLimits;
  readonly endpoints = ['attached'] as const;
  readonly #client: OfficialClient;
  readonly #options: Pick<ConnectionOptions, 'onNotice' | 'clientInfo' | 'capabilities'>;
  readonly #era: Era2025;
  readonly #exchanges = new Map<string, AttachedExchange>();
  readonly #stale = new StaleStreams();
  #transport: OfficialTransport | undefined;
  #lastId = 0;

  constructor(client: OfficialClient, options: ConstructorOptions) {
    this.limits = parseLimits(options.limits);
    this.#client = client;
    this.#options = options;
    this.#era = new Era2025(this.limits);
    this.#connected();
  }

  order(): readonly number[] {
    return [0];
  }

  url(): string {
    return this.endpoints[0];
  }

  notify(notice: Notice, also?: OnNotice): void {
    try {
      also?.(notice);
      this.#options.onNotice?.(notice);
    } catch (error) {
      throw new ClientError({ code: 'callback_failed', message: 'onNotice threw' }, error);
    }
  }

  /** There is no other. */
  endpointFailed(): void {}

  leave(taskId: string): void {
    this.#era.leave(taskId);
  }

  post(_endpoint: number, call: Call, signal: AbortSignal, silenceMs: number): Promise<Posted> {
    const modern = this.#client.getNegotiatedProtocolVersion?.() === PROTOCOL_VERSION;
    if (modern) return this.#request(call, withEnvelope(call, this.#options), signal, silenceMs);
    const request: Link2025['request'] = (inner, innerSignal, ms) =>
      this.#request(inner, inner.params, innerSignal, ms);
    const link: Link2025 = {
      tasks: runsTools(this.#client.getServerCapabilities()),
      request,
      ask: async (inner, innerSignal, ms) => finish(await request(inner, innerSignal, ms), ms),
      // The SDK's own handlers answer.
      respond: undefined,
    };
    return this.#era.post(link, call, signal, silenceMs);
  }

  async #request(call: Call, params: JsonObject, signal: AbortSignal, silenceMs: number): Promise<Posted> {
    const transport = this.#connected();
    this.#lastId += 1;
    const id = `taskstream-${this.#lastId}`;
    const meta = isObject(params['_meta']) ? params['_meta'] : {};
    const streams = call.method === STREAM_METHOD;
    // The SDK drops comments, so heartbeats are asked for as progress.
    const sent = streams ? { ...params, _meta: { ...meta, progressToken: id } } : params;
    const events = streams ? this.#events(params) : undefined;
    const exchange = new AttachedExchange(id, events, this.limits.attachedMessagesMax, (answered) => {
      this.#exchanges.delete(id);
      if (!answered) this.#cancel(transport, id);
    });
    this.#exchanges.set(id, exchange);
    const onAbort = (): void => exchange.close();
    signal.addEventListener('abort', onAbort, { once: true, signal: exchange.over });
    try {
      if (signal.aborted) throw new Error('aborted');
      const send = transport.send.bind(transport) as unknown as Send;
      const options = {
        requestSignal: exchange.over,
        onRequestStreamEnd: () => exchange.end(),
        ...(call.headers !== undefined && { headers: call.headers }),
      };
      // A response that is a stream counts from its first message on; some transports resolve only after it.
      const failed = send({ jsonrpc: '2.0', id, method: call.method, params: sent }, options).catch(
        (error: unknown) => {
          exchange.fail(error);
        },
      );
      await Promise.race([failed, exchange.begun(silenceMs)]);
      const status = exchange.httpStatus();
      if (status === undefined) return { type: 'open', exchange };
      exchange.close();
      return { type: 'http-error', status, retryAfterMs: undefined };
    } catch (error) {
      exchange.close();
      throw error;
    }
  }

  #events(params: JsonObject): { readonly taskId: string; readonly own: OwnEvents } {
    const taskId = String(params['taskId']);
    const after = isWhole(params['after']) ? params['after'] : undefined;
    return { taskId, own: new OwnEvents(taskId, after, this.#stale) };
  }

  /** The transport, with our listener in front of the SDK's. */
  #connected(): OfficialTransport {
    const { transport } = this.#client;
    if (transport === undefined) {
      throw invalidArgument('client: expected a connected one');
    }
    if (transport === this.#transport) return transport;
    this.#transport = transport;
    listenBefore(transport, 'onmessage', (message) => this.#take(message));
    listenBefore(transport, 'onclose', () => {
      for (const exchange of this.#exchanges.values()) exchange.fail(new Error('The transport was closed'));
      return false;
    });
    listenBefore(transport, 'onerror', () => {
      // Version 1 does not say which response was cut: every open stream is resumed.
      for (const exchange of this.#exchanges.values()) if (exchange.taskId !== undefined) exchange.end();
      return false;
    });
    return transport;
  }

  /** Whether the message was for us. */
  #take(message: unknown): boolean {
    if (!isObject(message)) return false;
    const exchange = this.#exchanges.get(String(message['id'])) ?? this.#reader(message);
    if (exchange === undefined) return this.#isStale(message);
    exchange.take(message);
    return true;
  }

  /** An event that nobody reads any more. */
  #isStale({ method, params }: JsonObject): boolean {
    if (method !== EVENT_NOTIFICATION || !isObject(params)) return false;
    const { taskId, seq } = params;
    return isWhole(seq) && this.#stale.brings(String(taskId), seq, performance.now());
  }

  /** The exchange that a notification belongs to. */
  #reader({ method, params, id }: JsonObject): AttachedExchange | undefined {
    if (id !== undefined || !isObject(params)) return undefined;
    if (method === 'notifications/progress') return this.#exchanges.get(String(params['progressToken']));
    if (method !== EVENT_NOTIFICATION) return undefined;
    return [...this.#exchanges.values()].findLast(({ taskId }) => taskId === params['taskId']);
  }

  #cancel(transport: OfficialTransport, requestId: string): void {
    if (this.#client.getNegotiatedProtocolVersion?.() === PROTOCOL_VERSION) return;
    const send = transport.send.bind(transport) as unknown as Send;
    // A server that does not take it has lost the connection, too.
    send({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId } }, {}).catch(() => undefined);
  }
}

type ConstructorOptions = Pick<ConnectionOptions, 'limits' | 'onNotice' | 'clientInfo' | 'capabilities'>;

/** Calls `first` before the listener that is set; a message that it takes goes no further. */
function listenBefore(
  transport: OfficialTransport,
  slot: 'onmessage' | 'onerror' | 'onclose',
  first: (value: unknown) => boolean,
): void {
  const before = transport[slot] as Listener | undefined;
  transport[slot] = (...args: unknown[]) => {
    if (!first(args[0])) before?.(...args);
  };
}

class AttachedExchange implements Exchange {
  readonly id: string;
  /** The task whose events are read. */
  readonly taskId: string | undefined;
  readonly #own: OwnEvents | undefined;
  readonly #queueMax: number;
  readonly #onClose: (answered: boolean) => void;
  readonly #queue: Incoming[] = [];
  readonly #over = new AbortController();
  /** Who waits for something to happen. */
  readonly #waiting = new Set<() => void>();
  #end: { readonly error: unknown } | 'eof' | undefined;
  #begun = false;
  #answered = false;
  #closed = false;

  constructor(
    id: string,
    events: { readonly taskId: string; readonly own: OwnEvents } | undefined,
    queueMax: number,
    onClose: (answered: boolean) => void,
  ) {
    this.id = id;
    this.taskId = events?.taskId;
    this.#own = events?.own;
    this.#queueMax = queueMax;
    this.#onClose = onClose;
  }

  /** Aborts when the exchange is closed. */
  get over(): AbortSignal {
    return this.#over.signal;
  }

  take(value: JsonObject): void {
    if (this.#closed || this.#end !== undefined) return;
    this.#begun = true;
    try {
      const message: Message = parsed('message', () => parseMessageValue(value));
      if (this.#isOthers(message)) return;
      if (message.kind === 'result' && this.#own?.complete === false) {
        this.end();
        return;
      }
      if (message.kind === 'result' || message.kind === 'error') this.#answered = true;
      this.#queue.push({ type: 'message', message, text: '' });
    } catch (error) {
      if (!(error instanceof WireFault)) throw error;
      this.fail(error);
    }
    // The reader is too far behind: what it has is read, then it resumes.
    if (this.#queue.length >= this.#queueMax && !this.#answered) this.end();
    this.#wake();
  }

  /** An event of a stream that was given up. */
  #isOthers(message: Message): boolean {
    if (message.kind !== 'notification' || message.method !== EVENT_NOTIFICATION) return false;
    const seq = isObject(message.params) ? message.params['seq'] : undefined;
    return isWhole(seq) && this.#own?.takes(seq, performance.now()) === false;
  }

  end(): void {
    if (!this.#answered) this.#end ??= 'eof';
    this.#begun = true;
    this.#wake();
  }

  fail(error: unknown): void {
    if (!this.#answered) this.#end ??= { error };
    this.#begun = true;
    this.#wake();
  }

  /** Resolves when something came or went wrong, and after the time that a stream may stay silent: it is open then. */
  async begun(silenceMs: number): Promise<void> {
    while (!this.#begun) {
      if (!(await this.#woken(silenceMs))) throw new SilenceError(`Nothing came for ${silenceMs} ms`);
    }
  }

  /** The HTTP status that the request was refused with. */
  httpStatus(): number | undefined {
    if (typeof this.#end !== 'object' || !isObject(this.#end.error)) return undefined;
    const { status, code, name } = this.#end.error as { status?: unknown; code?: unknown; name?: unknown };
    if (name === 'UnauthorizedError') return 401;
    return [status, code].find((n): n is number => typeof n === 'number' && n >= 400 && n < 600);
  }

  async read(silenceMs: number): Promise<Incoming> {
    for (;;) {
      const next = this.#queue.shift();
      if (next !== undefined) return next;
      if (this.#end === 'eof') return { type: 'eof' };
      if (this.#end !== undefined) throw this.#end.error;
      if (this.#closed) return { type: 'eof' };
      if (!(await this.#woken(silenceMs))) {
        this.close();
        throw new SilenceError(`Nothing came for ${silenceMs} ms`);
      }
    }
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#over.abort();
    if (!this.#answered) this.#own?.giveUp(performance.now());
    this.#onClose(this.#answered);
    this.#begun = true;
    this.#wake();
  }

  /** Whether something happened within the time. */
  #woken(ms: number): Promise<boolean> {
    return new Promise((resolve) => {
      const wake = (): void => {
        clearTimeout(timer);
        this.#waiting.delete(wake);
        resolve(true);
      };
      const timer = setTimeout(() => {
        this.#waiting.delete(wake);
        resolve(false);
      }, ms);
      this.#waiting.add(wake);
    });
  }

  #wake(): void {
    for (const wake of this.#waiting) wake();
  }
}
