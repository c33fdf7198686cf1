/**
 * The kit's own bare client of revision 2026-07-28 over Streamable HTTP. It shares no code with any implementation.
 *
 * Invariants: nothing that a server sends makes it throw, except that it cannot be reached; every wait has a deadline.
 */
import { createParser } from 'eventsource-parser';
import * as z from 'zod';

export const REVISION = '2026-07-28';
export const EVENT_METHOD = 'notifications/tasks/event';
export const RELATED_TASK = 'io.modelcontextprotocol/related-task';
const TASKS_EXTENSION = 'io.modelcontextprotocol/tasks';

const ErrorShape = z.looseObject({ code: z.number(), message: z.string(), data: z.unknown().optional() });
export type RpcError = z.infer<typeof ErrorShape>;
const Members = z.record(z.string(), z.unknown());
export const MessageShape = z.looseObject({
  id: z.union([z.string(), z.number(), z.null()]).optional(),
  method: z.string().optional(),
  params: Members.optional(),
  result: Members.optional(),
  error: ErrorShape.optional(),
});
export type Message = z.infer<typeof MessageShape>;

/** How a request ended. `broken`: the response stopped before its JSON-RPC response came. */
export type End =
  | { readonly kind: 'result'; readonly result: Readonly<Record<string, unknown>> }
  | { readonly kind: 'error'; readonly error: RpcError }
  | { readonly kind: 'broken' | 'stopped' | 'deadline' }
  | { readonly kind: 'unreadable'; readonly what: string };

export interface Answer {
  readonly httpStatus: number;
  /** Everything that came before the response. */
  readonly notifications: readonly Message[];
  readonly end: End;
}

export interface WireEvent {
  /** NaN when it is no number. */
  readonly seq: number;
  readonly params: Readonly<Record<string, unknown>>;
}

/** One `tasks/stream` request and what came of it. */
export interface Leg {
  readonly after: unknown;
  readonly events: readonly WireEvent[];
  readonly others: readonly Message[];
  readonly end: End;
}

export interface RequestOptions {
  readonly meta?: Readonly<Record<string, unknown>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
  /** Asked after each notification; true ends the request by closing its response. */
  readonly stop?: (message: Message) => boolean;
}

export interface Prepared {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export function describeEnd(end: End): string {
  switch (end.kind) {
    case 'result':
      return `the result ${JSON.stringify(end.result)}`;
    case 'error':
      return `the error ${end.error.code} (${end.error.message})`;
    case 'broken':
      return 'no response: the connection or the body ended first';
    case 'stopped':
      return 'no response: the kit closed it';
    case 'deadline':
      return 'no response in time';
    case 'unreadable':
      return end.what;
  }
}

/** Values beyond plain ASCII go behind the sentinel of Streamable HTTP. */
function headerValue(text: string): string {
  return /^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/.test(text)
    ? text
    : `=?base64?${Buffer.from(text).toString('base64')}?=`;
}

export function eventOf(message: Message): WireEvent {
  const params = message.params ?? {};
  return { seq: typeof params['seq'] === 'number' ? params['seq'] : Number.NaN, params };
}

export class Endpoint {
  readonly url: string;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #deadlineMs: number;
  #lastId = 0;

  constructor(url: string, headers: Readonly<Record<string, string>>, deadlineMs: number) {
    this.url = url;
    this.#headers = headers;
    this.#deadlineMs = deadlineMs;
  }

  /** The same server for someone else. */
  as(headers: Readonly<Record<string, string>>): Endpoint {
    return new Endpoint(this.url, headers, this.#deadlineMs);
  }

  prepare(method: string, params: Readonly<Record<string, unknown>>, meta: RequestOptions['meta'] = {}): Prepared {
    this.#lastId++;
    const name = params['taskId'] ?? params['name'];
    return {
      headers: {
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        'mcp-protocol-version': REVISION,
        'mcp-method': method,
        ...(typeof name === 'string' && { 'mcp-name': headerValue(name) }),
        ...this.#headers,
      },
      body: JSON.stringify({
        jsonrpc: '2.0',
        id: this.#lastId,
        method,
        params: {
          ...params,
          _meta: {
            'io.modelcontextprotocol/protocolVersion': REVISION,
            'io.modelcontextprotocol/clientInfo': { name: 'sep-2694-kit', version: '1' },
            'io.modelcontextprotocol/clientCapabilities': { extensions: { [TASKS_EXTENSION]: {} } },
            ...meta,
          },
        },
      }),
    };
  }

  /** Sends a request and reads until its response. @throws Error when the server cannot be reached */
  async request(
    method: string,
    params: Readonly<Record<string, unknown>>,
    options: RequestOptions = {},
  ): Promise<Answer> {
    const { headers, body } = this.prepare(method, params, options.meta);
    const stopping = new AbortController();
    const deadline = AbortSignal.timeout(this.#deadlineMs);
    const signal = AbortSignal.any([
      stopping.signal,
      deadline,
      ...(options.signal === undefined ? [] : [options.signal]),
    ]);
    const notifications: Message[] = [];
    const cut = (): End => {
      if (stopping.signal.aborted || options.signal?.aborted === true) return { kind: 'stopped' };
      return { kind: deadline.aborted ? 'deadline' : 'broken' };
    };
    let response: Response;
    try {
      response = await fetch(this.url, { method: 'POST', headers: { ...headers, ...options.headers }, body, signal });
    } catch (error) {
      if (signal.aborted) return { httpStatus: 0, notifications, end: cut() };
      throw new Error(`${this.url} cannot be reached`, { cause: error });
    }
    const httpStatus = response.status;
    let end: End | undefined;
    const take = (text: string): void => {
      if (end !== undefined || stopping.signal.aborted) return;
      const message = parseMessage(text);
      if (typeof message === 'string') end = { kind: 'unreadable', what: `HTTP ${httpStatus}: ${message}` };
      else if (message.error !== undefined) end = { kind: 'error', error: message.error };
      else if (message.result !== undefined) end = { kind: 'result', result: message.result };
      else {
        notifications.push(message);
        if (options.stop?.(message) === true) stopping.abort();
      }
    };
    try {
      if (response.headers.get('content-type')?.startsWith('text/event-stream') === true) {
        const parser = createParser({ onEvent: ({ data }) => data !== '' && take(data) });
        const decoder = new TextDecoder();
        for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
          parser.feed(decoder.decode(chunk, { stream: true }));
          if (stopping.signal.aborted) break;
        }
      } else take(await response.text());
    } catch {
      // Cut off; what it was is told by `cut`.
    }
    return { httpStatus, notifications, end: end ?? cut() };
  }

  /** One `tasks/stream`. `after` is left out when undefined. `stop` is asked after each event. */
  async stream(
    taskId: string,
    after?: unknown,
    options: Omit<RequestOptions, 'stop'> & { stop?: (event: WireEvent, count: number) => boolean } = {},
  ): Promise<Leg> {
    const { stop, ...rest } = options;
    const events: WireEvent[] = [];
    const others: Message[] = [];
    const { end } = await this.request(
      'tasks/stream',
      { taskId, ...(after !== undefined && { after }) },
      {
        ...rest,
        stop: (message) => {
          if (message.method !== EVENT_METHOD) {
            others.push(message);
            return false;
          }
          const event = eventOf(message);
          events.push(event);
          return stop?.(event, events.length) === true;
        },
      },
    );
    return { after, events, others, end };
  }
}

/** A message, or what is wrong with it. */
export function parseMessage(text: string): Message | string {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return `${JSON.stringify(text.slice(0, 80))} is not JSON`;
  }
  const parsed = MessageShape.safeParse(value);
  return parsed.success ? parsed.data : `${text.slice(0, 200)} is no JSON-RPC message`;
}
