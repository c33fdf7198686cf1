/**
 * JSON-RPC over Streamable HTTP, revision 2026-07-28: one POST a request, its response read as messages.
 *
 * Invariants: every request can be aborted; a request that is given up closes its connection; waiting for a byte is
 * bounded by the caller; the auth hook is asked for fresh headers at most once a request, and once for all requests
 * that meet a 401 together.
 */
import { TASKS_EXTENSION } from '@taskstream/protocol';
import type { ConnectionOptions, RpcError } from './api.js';
import { ClientError } from './errors.js';
import { encodeHeaderValue } from './header-values.js';
import { parseLimits, type ClientLimits } from './limits.js';
import { MessageReader, WireFault, type Incoming } from './message-reader.js';
import type { Notice, OnNotice } from './notices.js';
import { isObject, type JsonObject, typeName } from './shape.js';
import { linked } from './waiting.js';

export const PROTOCOL_VERSION = '2026-07-28';
const CLIENT_INFO = { name: 'taskstream-client', version: '0.1.0' };
const NO_CREDENTIALS = 401;

export interface Call {
  readonly method: string;
  readonly params: JsonObject;
  /** Source of `Mcp-Name`: a tool's name or a task's id. */
  readonly name?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Whether questions can be answered: declares elicitation. */
  readonly elicitation?: boolean;
}

export type Posted =
  | { readonly type: 'open'; readonly exchange: Exchange }
  | { readonly type: 'rpc-error'; readonly error: RpcError }
  | { readonly type: 'http-error'; readonly status: number; readonly retryAfterMs: number | undefined };

/** Not one byte came for as long as the caller wanted to wait. */
export class SilenceError extends Error {}

/** A request whose response is being read. */
export class Exchange {
  readonly id: number;
  readonly #reader: MessageReader;
  readonly #abort: AbortController;

  constructor(id: number, reader: MessageReader, abort: AbortController) {
    this.id = id;
    this.#reader = reader;
    this.#abort = abort;
  }

  /** The next thing on the response. Throws `SilenceError`, `WireFault`, or what the connection throws. */
  read(silenceMs: number): Promise<Incoming> {
    return within(this.#reader.read(), silenceMs, this.#abort);
  }

  /** Closes the connection: over HTTP this is how a request is cancelled. */
  close(): void {
    // Whoever reads gets the error; without a reader nobody is interested in it.
    this.#reader.cancel().catch(() => undefined);
    this.#abort.abort();
  }
}

export class Transport {
  readonly limits: ClientLimits;
  readonly endpoints: readonly string[];
  readonly #options: ConnectionOptions;
  readonly #fetch: typeof globalThis.fetch;
  #order: readonly number[];
  #lastId = 0;
  #refreshing: Promise<Readonly<Record<string, string>>> | undefined;

  constructor(options: ConnectionOptions) {
    this.limits = parseLimits(options.limits);
    this.endpoints = parseEndpoints(options.endpoints);
    this.#order = this.endpoints.map((_url, at) => at);
    this.#options = options;
    this.#fetch = options.fetch ?? ((input, init) => globalThis.fetch(input, init));
  }

  /** Endpoint numbers, best first. */
  order(): readonly number[] {
    return this.#order;
  }

  url(endpoint: number): string {
    return this.endpoints[endpoint] ?? '';
  }

  notify(notice: Notice, also?: OnNotice): void {
    try {
      also?.(notice);
      this.#options.onNotice?.(notice);
    } catch (error) {
      throw new ClientError({ code: 'callback_failed', message: 'onNotice threw' }, error);
    }
  }

  /** The endpoint is tried last from now on; told only when there is another. */
  endpointFailed(endpoint: number, message: string, also?: OnNotice): void {
    if (this.#order.length < 2 || this.#order.at(-1) === endpoint) return;
    this.#order = [...this.#order.filter((other) => other !== endpoint), endpoint];
    this.notify({ type: 'endpoint-failed', endpoint: this.url(endpoint), message }, also);
  }

  /** Sends a request and waits for the head of its response. Throws like `Exchange.read`, and `ClientError`. */
  async post(endpoint: number, call: Call, signal: AbortSignal, silenceMs: number): Promise<Posted> {
    const first = await this.#send(endpoint, call, false, signal, silenceMs);
    if (first.response.status !== NO_CREDENTIALS || this.#options.auth === undefined) {
      return this.#classify(first, silenceMs);
    }
    first.abort.abort();
    this.notify({ type: 'auth-refreshed', endpoint: this.url(endpoint) });
    return this.#classify(await this.#send(endpoint, call, true, signal, silenceMs), silenceMs);
  }

  async #send(endpoint: number, call: Call, refresh: boolean, signal: AbortSignal, silenceMs: number): Promise<Sent> {
    const abort = linked(signal);
    this.#lastId += 1;
    const id = this.#lastId;
    const headers = {
      ...this.#options.headers,
      ...(await this.#auth(endpoint, refresh)),
      ...call.headers,
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      'mcp-protocol-version': PROTOCOL_VERSION,
      'mcp-method': call.method,
      ...(call.name !== undefined && { 'mcp-name': encodeHeaderValue(call.name) }),
    };
    const body = JSON.stringify({ jsonrpc: '2.0', id, method: call.method, params: this.#params(call) });
    const init = { method: 'POST', headers, body, signal: abort.signal, cache: 'no-store' } as const;
    const response = await within(this.#fetch(this.url(endpoint), init), silenceMs, abort);
    return { id, response, abort };
  }

  #params(call: Call): JsonObject {
    const capabilities = this.#options.capabilities ?? {};
    const extensions = isObject(capabilities['extensions']) ? capabilities['extensions'] : {};
    return {
      ...call.params,
      _meta: {
        ...(isObject(call.params['_meta']) ? call.params['_meta'] : {}),
        'io.modelcontextprotocol/protocolVersion': PROTOCOL_VERSION,
        'io.modelcontextprotocol/clientInfo': this.#options.clientInfo ?? CLIENT_INFO,
        'io.modelcontextprotocol/clientCapabilities': {
          ...(call.elicitation === true && { elicitation: {} }),
          ...capabilities,
          extensions: { ...extensions, [TASKS_EXTENSION]: {} },
        },
      },
    };
  }

  async #auth(endpoint: number, refresh: boolean): Promise<Readonly<Record<string, string>>> {
    const { auth } = this.#options;
    if (auth === undefined) return {};
    const ask = async (): Promise<Readonly<Record<string, string>>> => auth({ refresh, endpoint: this.url(endpoint) });
    try {
      if (!refresh) return await ask();
      this.#refreshing ??= ask().finally(() => {
        this.#refreshing = undefined;
      });
      return await this.#refreshing;
    } catch (error) {
      throw new ClientError({ code: 'unauthorized', message: 'The auth hook gave no headers' }, error);
    }
  }

  async #classify(sent: Sent, silenceMs: number): Promise<Posted> {
    const { response, abort } = sent;
    const { status } = response;
    if (status === 200) return { type: 'open', exchange: this.#exchange(sent) };
    const retryAfterMs = parseRetryAfter(response.headers.get('retry-after'), Date.now());
    // These speak for themselves, whatever their body says.
    const plain = status === 401 || status === 403 || status === 429 || status >= 500;
    const error = plain ? undefined : await this.#errorBody(sent, silenceMs);
    abort.abort();
    return error === undefined ? { type: 'http-error', status, retryAfterMs } : { type: 'rpc-error', error };
  }

  #exchange({ id, response, abort }: Sent): Exchange {
    try {
      return new Exchange(id, this.#reader(response), abort);
    } catch (error) {
      abort.abort();
      throw error;
    }
  }

  #reader(response: Response): MessageReader {
    const contentType = response.headers.get('content-type') ?? '';
    const body: ReadableStream<Uint8Array> = response.body ?? new Blob([]).stream();
    return new MessageReader(body, contentType, this.limits.messageCharsMax);
  }

  /** The JSON-RPC error in the body of an HTTP error, if there is one. */
  async #errorBody(sent: Sent, silenceMs: number): Promise<RpcError | undefined> {
    try {
      const exchange = this.#exchange(sent);
      for (;;) {
        const next = await exchange.read(silenceMs);
        if (next.type === 'eof') return undefined;
        if (next.type === 'message') return next.message.kind === 'error' ? next.message.error : undefined;
      }
    } catch (error) {
      // Not a JSON-RPC answer: then the HTTP status is all that there is to go by.
      if (error instanceof WireFault) return undefined;
      throw error;
    }
  }
}

interface Sent {
  readonly id: number;
  readonly response: Response;
  readonly abort: AbortController;
}

function parseEndpoints(given: readonly (string | URL)[]): readonly string[] {
  const refuse = (at: string, problem: string): never => {
    throw new ClientError({ code: 'invalid_argument', message: `${at}: ${problem}` });
  };
  if (!Array.isArray(given) || given.length === 0) {
    return refuse('endpoints', `expected at least one URL, got ${typeName(given)}`);
  }
  return given.map((endpoint: string | URL, at) => {
    const url = URL.canParse(endpoint) ? new URL(endpoint) : undefined;
    if (url?.protocol === 'http:' || url?.protocol === 'https:') return url.href;
    return refuse(`endpoints.${at}`, 'expected an http or https URL');
  });
}

/** `Retry-After` in milliseconds from now: seconds, or an HTTP date. */
export function parseRetryAfter(value: string | null, nowMs: number): number | undefined {
  if (value === null) return undefined;
  if (/^\d{1,9}$/.test(value.trim())) return Number(value) * 1000;
  const at = Date.parse(value);
  return Number.isNaN(at) ? undefined : Math.max(0, at - nowMs);
}

/** The value, unless it takes longer than `ms`: then the request is aborted and `SilenceError` is thrown. */
async function within<T>(value: Promise<T>, ms: number, abort: AbortController): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      reject(new SilenceError(`Nothing came for ${ms} ms`));
      abort.abort();
    }, ms);
  });
  try {
    return await Promise.race([value, late]);
  } finally {
    clearTimeout(timer);
  }
}
