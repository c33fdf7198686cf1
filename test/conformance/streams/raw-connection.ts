/**
 * One HTTP/1.1 connection in the kit's own hands, for what `fetch` does not do: a second request into the open
 * response of the first. Responses come in the order of the requests.
 */
import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { createParser } from 'eventsource-parser';
import { parseMessage, type Message, type Prepared } from './wire.js';

export interface RawResponse {
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
  readonly complete: boolean;
}

const LINE = '\r\n';
const RECEIVED_BYTES_MAX = 64 * 1024 * 1024;

/** Reads the responses that a byte stream holds so far. Text is latin1: one character a byte. */
export function parseResponses(received: string): RawResponse[] {
  const responses: RawResponse[] = [];
  let at = 0;
  while (at < received.length) {
    const headEnd = received.indexOf(LINE + LINE, at);
    if (headEnd < 0) return responses;
    const [statusLine = '', ...fields] = received.slice(at, headEnd).split(LINE);
    const status = Number(/^HTTP\/1\.[01] (\d{3})/.exec(statusLine)?.[1] ?? 0);
    const headers = new Map(
      fields.map((field) => [
        field.slice(0, field.indexOf(':')).toLowerCase(),
        field.slice(field.indexOf(':') + 1).trim(),
      ]),
    );
    at = headEnd + 4;
    const { body, end } =
      headers.get('transfer-encoding') === 'chunked' ? chunked(received, at) : sized(received, at, headers);
    responses.push({
      status,
      headers,
      body: Buffer.from(body, 'latin1').toString('utf8'),
      complete: end !== undefined,
    });
    if (end === undefined) return responses;
    at = end;
  }
  return responses;
}

/** A response with neither a length nor chunks lasts until the connection ends. */
function sized(text: string, at: number, headers: ReadonlyMap<string, string>) {
  const length = Number(headers.get('content-length') ?? Number.NaN);
  const whole = text.length - at >= length;
  return { body: text.slice(at, whole ? at + length : undefined), end: whole ? at + length : undefined };
}

function chunked(text: string, from: number): { body: string; end: number | undefined } {
  let body = '';
  let at = from;
  for (;;) {
    const lineEnd = text.indexOf(LINE, at);
    if (lineEnd < 0) return { body, end: undefined };
    const size = Number.parseInt(text.slice(at, lineEnd), 16);
    const start = lineEnd + 2;
    if (!(size >= 0) || text.length < start + size + 2) return { body, end: undefined };
    body += text.slice(start, start + size);
    at = start + size + 2;
    if (size === 0) return { body, end: at };
  }
}

/** The JSON-RPC messages of a response. */
export function messagesOf(response: RawResponse): Message[] {
  const texts: string[] = [];
  if (response.headers.get('content-type')?.startsWith('text/event-stream') === true) {
    createParser({ onEvent: ({ data }) => texts.push(data) }).feed(response.body);
  } else if (response.complete) texts.push(response.body);
  return texts.map(parseMessage).filter((m) => typeof m !== 'string');
}

export class RawConnection {
  readonly #url: URL;
  readonly #socket: Socket;
  readonly #deadlineMs: number;
  #received = '';
  #changed: () => void = () => undefined;
  #over = false;

  constructor(url: string, deadlineMs: number) {
    this.#url = new URL(url);
    this.#deadlineMs = deadlineMs;
    const secure = this.#url.protocol === 'https:';
    const host = this.#url.hostname.replace(/^\[|\]$/g, '');
    const port = Number(this.#url.port || (secure ? 443 : 80));
    this.#socket = secure
      ? connectTls({ host, port, servername: host, ALPNProtocols: ['http/1.1'] })
      : connectTcp({ host, port });
    this.#socket.on('data', (chunk: Buffer) => {
      this.#received += chunk.toString('latin1');
      if (this.#received.length > RECEIVED_BYTES_MAX) this.#socket.destroy();
      this.#changed();
    });
    this.#socket.on('error', () => undefined);
    this.#socket.on('close', () => {
      this.#over = true;
      this.#changed();
    });
  }

  send({ headers, body }: Prepared): void {
    const fields = { host: this.#url.host, ...headers, 'content-length': String(Buffer.byteLength(body)) };
    const head = Object.entries(fields).map(([name, value]) => `${name}: ${value}`);
    const path = `${this.#url.pathname}${this.#url.search}`;
    this.#socket.write([`POST ${path} HTTP/1.1`, ...head, '', body].join(LINE));
  }

  /** The responses once they are as wanted; undefined when the connection ended or the deadline passed first. */
  async until(wanted: (responses: readonly RawResponse[]) => boolean): Promise<RawResponse[] | undefined> {
    const deadline = performance.now() + this.#deadlineMs;
    for (;;) {
      const responses = parseResponses(this.#received);
      if (wanted(responses)) return responses;
      const leftMs = deadline - performance.now();
      if (this.#over || leftMs <= 0) return undefined;
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, leftMs);
        this.#changed = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }

  close(): void {
    this.#socket.destroy();
  }
}
