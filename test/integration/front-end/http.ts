/**
 * HTTP below the comfort of `fetch`: any header, any body, any connection, and what a front end says of itself.
 */
import { once } from 'node:events';
import { request, type Agent, type IncomingHttpHeaders, type IncomingMessage } from 'node:http';
import { connect, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { rpcRequest, type JsonRpcError, type RpcOptions } from '../../support/rpc.js';

export interface Sent {
  readonly method?: string;
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string | undefined>>;
  readonly body?: string | Buffer;
  readonly agent?: Agent;
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

export interface JsonRpcAnswer {
  readonly jsonrpc?: unknown;
  readonly id?: unknown;
  readonly result?: Record<string, unknown>;
  readonly error?: JsonRpcError;
}

/** One request on a connection of its own, unless an agent is given. The whole answer, at most `msMax` later. */
export async function send(endpoint: string, sent: Sent, msMax = 10_000): Promise<Answer> {
  const url = new URL(sent.path ?? '/mcp', endpoint);
  const headers = Object.fromEntries(Object.entries(sent.headers ?? {}).filter(([, v]) => v !== undefined));
  const outgoing = request(url, {
    method: sent.method ?? 'POST',
    headers: headers,
    agent: sent.agent ?? false,
    signal: AbortSignal.timeout(msMax),
  });
  outgoing.end(sent.body);
  const [response] = (await once(outgoing, 'response')) as [IncomingMessage];
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  return { status: response.statusCode ?? 0, headers: response.headers, text: Buffer.concat(chunks).toString('utf8') };
}

export function jsonRpc(answer: Answer): JsonRpcAnswer {
  return JSON.parse(answer.text) as JsonRpcAnswer;
}

/** The headers and body that `rpc` would send, to be changed before they go out. */
export function asSent(
  method: string,
  params: Record<string, unknown>,
  options: RpcOptions = {},
): Sent & { body: string } {
  const init = rpcRequest(method, params, options);
  return { headers: Object.fromEntries(init.headers as Array<[string, string]>), body: init.body as string };
}

/** A request as bytes for a socket. */
export function asBytes(sent: Sent & { body: string }): string {
  const headers = { host: '127.0.0.1', 'content-length': String(Buffer.byteLength(sent.body)), ...sent.headers };
  const lines = Object.entries(headers).flatMap(([k, v]) => (v === undefined ? [] : [`${k}: ${v}`]));
  return `${sent.method ?? 'POST'} ${sent.path ?? '/mcp'} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n${sent.body}`;
}

export interface RawConnection {
  readonly socket: Socket;
  text(): string;
  readonly ended: Promise<void>;
  /** Waits until the text fits. */
  until(fits: (text: string) => boolean, msMax?: number): Promise<string>;
}

export async function openConnection(endpoint: string): Promise<RawConnection> {
  const { hostname, port } = new URL(endpoint);
  const socket = connect(Number(port), hostname);
  await once(socket, 'connect');
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  socket.on('error', () => undefined);
  const ended = once(socket, 'close').then(() => undefined);
  const text = () => Buffer.concat(chunks).toString('utf8');
  return {
    socket,
    text,
    ended,
    until: async (fits, msMax = 10_000) => {
      await until(
        () => fits(text()),
        () => `it in what came:\n${text().slice(-2_000)}`,
        msMax,
      );
      return text();
    },
  };
}

/** Waits until something is true; says what it waited for when it never was. */
export async function until(
  condition: () => boolean | Promise<boolean>,
  what: string | (() => string),
  msMax = 10_000,
): Promise<void> {
  const deadline = performance.now() + msMax;
  while (!(await condition())) {
    if (performance.now() > deadline) {
      throw new Error(`not within ${msMax} ms: ${typeof what === 'string' ? what : what()}`);
    }
    await delay(20);
  }
}

/** The value of one sample of `/metrics`; 0 when there is none. */
export async function metric(endpoint: string, name: string, labels: Record<string, string> = {}): Promise<number> {
  const { text } = await send(endpoint, { method: 'GET', path: '/metrics' });
  const line = text
    .split('\n')
    .find((l) => l.startsWith(`${name}{`) && Object.entries(labels).every(([k, v]) => l.includes(`${k}="${v}"`)));
  return line === undefined ? 0 : Number(line.slice(line.lastIndexOf(' ') + 1));
}

export const openStreams = (endpoint: string): Promise<number> => metric(endpoint, 'taskstream_open_streams');
