/**
 * JSON-RPC over Streamable HTTP: one POST a message, its response read as messages. Speaks 2026-07-28, and 2025-11-25 to
 * servers that know nothing newer.
 *
 * Invariants: every request can be aborted; a request that is given up closes its connection; waiting for a byte is
 * bounded by the caller; the auth hook is asked for fresh headers at most once a request, and once for all requests
 * that meet a 401 together; an endpoint that answered in one era is not asked in the other, until that fails.
 */
import { WireCode } from '@taskstream/protocol';
import type { ConnectionOptions, RpcError } from './api.js';
import { argument } from './arguments.js';
import {
  within,
  type Call,
  type Channel,
  type Exchange,
  type HttpSender,
  type Posted,
  type Reply,
  type Sent,
} from './channel.js';
import { afterFailure, endpointOrder, isResting, type EndpointRest } from './endpoint-health.js';
import { CLIENT_INFO, PROTOCOL_VERSION, withEnvelope } from './envelope.js';
import { ClientError } from './errors.js';
import { encodeHeaderValue } from './header-values.js';
import type { Http2025 } from './http-2025.js';
import { parseLimits, type ClientLimits } from './limits.js';
import { MessageReader, type Incoming } from './message-reader.js';
import type { Notice, OnNotice } from './notices.js';
import { finish } from './request.js';
import { oneOf, type Check, type JsonObject } from './shape.js';
import { linked, unlessAborted } from './waiting.js';
import { WireFault } from './wire-fault.js';

const NO_CREDENTIALS = 401;
const BAD_REQUEST = 400;
const NOT_FOUND = 404;
const REVISION = oneOf(['auto', PROTOCOL_VERSION, '2025-11-25']);
const ENDPOINTS: Check<readonly (string | URL)[]> = {
  expected: 'at least one URL',
  test: (value): value is readonly (string | URL)[] => Array.isArray(value) && value.length > 0,
};
const ENDPOINT: Check<URL> = {
  expected: 'an http or https URL',
  test: (value): value is URL => value instanceof URL && /^https?:$/.test(value.protocol),
};

/** A request whose response is being read. */
class HttpExchange implements Exchange {
  readonly id: number;
  readonly #reader: MessageReader;
  readonly #abort: AbortController;

  constructor(id: number, reader: MessageReader, abort: AbortController) {
    this.id = id;
    this.#reader = reader;
    this.#abort = abort;
  }

  read(silenceMs: number): Promise<Incoming> {
    const next = this.#reader.ready;
    const read = this.#reader.read();
    return next ? read : within(read, silenceMs, this.#abort);
  }

  /** Closes the connection: over HTTP this is how a request is cancelled. */
  close(): void {
    // Whoever reads gets the error; without a reader nobody is interested in it.
    this.#reader.cancel().catch(() => undefined);
    this.#abort.abort();
  }
}

export class Transport implements Channel, HttpSender {
  readonly limits: ClientLimits;
  readonly endpoints: readonly string[];
  readonly #options: ConnectionOptions;
  readonly #fetch: typeof globalThis.fetch;
  readonly #rests: (EndpointRest | undefined)[];
  #lastId = 0;
  #refreshing: Promise<Readonly<Record<string, string>>> | undefined;
  /** Endpoints that have answered in 2026-07-28. */
  readonly #modern = new Set<number>();
  /** What speaks 2025-11-25: loaded when a server needs it. */
  #older: Promise<Http2025> | undefined;

  constructor(options: ConnectionOptions) {
    this.limits = parseLimits(options.limits);
    this.endpoints = parseEndpoints(options.endpoints);
    this.#rests = this.endpoints.map(() => undefined);
    this.#options = options;
    const { revision = 'auto' } = options;
    argument(revision, REVISION, 'revision');
    this.#fetch = options.fetch ?? ((input, init) => globalThis.fetch(input, init));
  }

  order(): readonly number[] {
    return endpointOrder(this.#rests, performance.now());
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

  endpointFailed(endpoint: number, message: string, waitMs: number, also?: OnNotice): void {
    const nowMs = performance.now();
    const before = this.#rests[endpoint];
    this.#rests[endpoint] = afterFailure(before, nowMs + waitMs, this.limits);
    if (this.endpoints.length < 2 || isResting(before, nowMs)) return;
    this.notify({ type: 'endpoint-failed', endpoint: this.url(endpoint), message }, also);
  }

  async post(endpoint: number, call: Call, signal: AbortSignal, silenceMs: number): Promise<Posted> {
    const { revision = 'auto' } = this.#options;
    const older = await this.#older;
    if (revision === '2025-11-25' || older?.serves(endpoint) === true) {
      return (await this.#speakOlder()).post(endpoint, call, signal, silenceMs);
    }
    const params = withEnvelope(call, this.#options);
    const headers = {
      ...call.headers,
      'mcp-protocol-version': PROTOCOL_VERSION,
      'mcp-method': call.method,
      ...(call.name !== undefined && { 'mcp-name': encodeHeaderValue(call.name) }),
    };
    const { method } = call;
    const sent = await this.send(endpoint, (id) => ({ id, method, params }), headers, signal, silenceMs);
    const posted = await this.classify(sent, silenceMs);
    if (revision !== 'auto') return posted;
    if (!refusesRevision(posted, this.#modern.has(endpoint))) {
      if (posted.type === 'open') this.#modern.add(endpoint);
      return posted;
    }
    const spoken = await this.#speakOlder();
    // A server that does not speak it either is left with its first answer.
    return (await spoken.opens(endpoint, call, signal, silenceMs))
      ? spoken.post(endpoint, call, signal, silenceMs)
      : posted;
  }

  leave(taskId: string): void {
    this.#older?.then(
      (older) => older.leave(taskId),
      () => undefined,
    );
  }

  async send(
    endpoint: number,
    message: (id: number) => JsonObject,
    headers: Readonly<Record<string, string>>,
    signal: AbortSignal,
    silenceMs: number,
  ): Promise<Sent> {
    const first = await this.#send(endpoint, message, headers, false, signal, silenceMs);
    if (first.response.status !== NO_CREDENTIALS || this.#options.auth === undefined) return first;
    first.abort.abort();
    this.notify({ type: 'auth-refreshed', endpoint: this.url(endpoint) });
    return this.#send(endpoint, message, headers, true, signal, silenceMs);
  }

  async #send(
    endpoint: number,
    message: (id: number) => JsonObject,
    more: Readonly<Record<string, string>>,
    refresh: boolean,
    signal: AbortSignal,
    silenceMs: number,
  ): Promise<Sent> {
    const abort = linked(signal);
    this.#lastId += 1;
    const id = this.#lastId;
    const headers = {
      ...this.#options.headers,
      ...(await unlessAborted(this.#auth(endpoint, refresh), signal)),
      ...more,
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
    };
    const body = JSON.stringify({ jsonrpc: '2.0', ...message(id) });
    const init = { method: 'POST', headers, body, signal: abort.signal, cache: 'no-store' } as const;
    const response = await within(this.#fetch(this.url(endpoint), init), silenceMs, abort);
    return { id, response, abort };
  }

  #speakOlder(): Promise<Http2025> {
    this.#older ??= import('./http-2025.js').then(
      ({ Http2025: Older }) =>
        new Older(this, {
          clientInfo: this.#options.clientInfo ?? CLIENT_INFO,
          capabilities: this.#options.capabilities,
        }),
    );
    // A part that could not be loaded is asked for again.
    this.#older.catch(() => (this.#older = undefined));
    return this.#older;
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

  async classify(sent: Sent, silenceMs: number): Promise<Posted> {
    const { response, abort } = sent;
    const { status } = response;
    if (status === 200) return { type: 'open', exchange: this.#exchange(sent) };
    const retryAfterMs = parseRetryAfter(response.headers.get('retry-after'), Date.now());
    // These speak for themselves, whatever their body says.
    const plain = status === 401 || status === 403 || status === 429 || status >= 500;
    const error = plain ? undefined : await this.#errorBody(sent, silenceMs);
    abort.abort();
    return error === undefined ? { type: 'http-error', status, retryAfterMs } : { type: 'rpc-error', error, status };
  }

  finish(posted: Posted, silenceMs: number): Promise<Reply> {
    return finish(posted, silenceMs);
  }

  #exchange({ id, response, abort }: Sent): Exchange {
    try {
      return new HttpExchange(id, this.#reader(response), abort);
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

/**
 * Whether a server that was asked in 2026-07-28 may know older revisions only: HTTP 400 or 404 that is no
 * error of the newer one. One that has answered in it must say so: it may have gone back to an older release.
 * 2026-07-28 Streamable HTTP §Backward Compatibility.
 */
function refusesRevision(posted: Posted, modern: boolean): boolean {
  if (posted.type === 'rpc-error' && posted.error.code === WireCode.unsupportedProtocolVersion) return true;
  if (modern || posted.type === 'open') return false;
  if (posted.type === 'http-error') return posted.status === BAD_REQUEST;
  const { error, status } = posted;
  const newer: readonly number[] = [
    WireCode.headerMismatch,
    WireCode.missingClientCapability,
    WireCode.methodNotFound,
    WireCode.invalidParams,
  ];
  return (status === BAD_REQUEST || status === NOT_FOUND) && !newer.includes(error.code);
}

function parseEndpoints(given: readonly (string | URL)[]): readonly string[] {
  return argument(given, ENDPOINTS, 'endpoints').map((endpoint, at) => {
    const url = URL.canParse(endpoint) ? new URL(endpoint) : endpoint;
    return argument(url, ENDPOINT, `endpoints.${at}`).href;
  });
}

/** `Retry-After` in milliseconds from now: seconds, or an HTTP date. */
export function parseRetryAfter(value: string | null, nowMs: number): number | undefined {
  if (value === null) return undefined;
  if (/^\d{1,9}$/.test(value.trim())) return Number(value) * 1000;
  const at = Date.parse(value);
  return Number.isNaN(at) ? undefined : Math.max(0, at - nowMs);
}
