/** A scriptable MCP endpoint on 127.0.0.1: each test says what it answers, right or wrong. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export const TASK = 'task-1';

export interface Received {
  readonly method: string;
  readonly params: Readonly<Record<string, unknown>>;
  readonly id: unknown;
  readonly headers: IncomingMessage['headers'];
}

export type Handler = (request: Received, reply: Reply, count: number) => void | Promise<void>;

/** One response. */
export class Reply {
  readonly response: ServerResponse;
  readonly #id: unknown;

  constructor(response: ServerResponse, id: unknown) {
    this.response = response;
    this.#id = id;
  }

  json(result: Record<string, unknown>): void {
    this.body(200, { jsonrpc: '2.0', id: this.#id, result });
  }

  error(code: number, data?: Record<string, unknown>, status = 200, message = 'refused'): void {
    this.body(status, { jsonrpc: '2.0', id: this.#id, error: { code, message, ...(data && { data }) } });
  }

  body(status: number, value: unknown, headers: Record<string, string> = {}): void {
    this.response.writeHead(status, { 'content-type': 'application/json', ...headers });
    this.response.end(typeof value === 'string' ? value : JSON.stringify(value));
  }

  http(status: number, headers: Record<string, string> = {}): void {
    this.response.writeHead(status, { 'content-type': 'text/plain', ...headers }).end('no');
  }

  /** Starts an event stream; the first comment is the heartbeat that our servers open with. */
  sse(comment = true): this {
    this.response.writeHead(200, { 'content-type': 'text/event-stream' });
    this.response.flushHeaders();
    if (comment) this.write(': open\n\n');
    return this;
  }

  write(data: string | Uint8Array): this {
    this.response.write(data);
    return this;
  }

  message(value: unknown): this {
    return this.write(`event: message\ndata: ${JSON.stringify(value)}\n\n`);
  }

  event(seq: number, over: Record<string, unknown> = {}): this {
    return this.message({ jsonrpc: '2.0', method: 'notifications/tasks/event', params: event(seq, over) });
  }

  /** The empty result, with or without why. */
  result(end?: Record<string, unknown>, over: Record<string, unknown> = {}): void {
    const meta = end === undefined ? {} : { _meta: { 'dev.taskstream/stream': end } };
    const message = { jsonrpc: '2.0', id: this.#id, result: { resultType: 'complete', ...meta }, ...over };
    this.message(message).response.end();
  }

  terminal(nextSeq: number): void {
    this.result({ reason: 'terminal', status: 'completed', nextSeq });
  }

  /** Cuts the connection after what was written has left. */
  async cut(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.response.write('', () => resolve());
    });
    this.response.destroy();
  }
}

export function event(seq: number, over: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    seq,
    taskId: TASK,
    type: 'com.example.step',
    payload: { n: seq },
    _meta: { 'io.modelcontextprotocol/related-task': { taskId: TASK } },
    ...over,
  };
}

export function task(status: string, over: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    resultType: 'complete',
    taskId: TASK,
    status,
    createdAt: '2026-01-01T00:00:00Z',
    lastUpdatedAt: '2026-01-01T00:00:00Z',
    ttlMs: 60_000,
    pollIntervalMs: 1,
    ...(status === 'completed' && { result: { content: [{ type: 'text', text: 'done' }] } }),
    ...(status === 'failed' && { error: { code: -32603, message: 'broken' } }),
    ...over,
  };
}

export class FakeServer {
  readonly requests: Received[] = [];
  readonly #server: Server;
  readonly #handlers: Readonly<Record<string, Handler>>;
  /** Errors of handlers: a test that ends with one is wrong. */
  readonly errors: unknown[] = [];

  private constructor(handlers: Readonly<Record<string, Handler>>) {
    this.#handlers = { 'tasks/get': (_request, reply) => reply.json(task('completed')), ...handlers };
    this.#server = createServer((request, response) => {
      this.#answer(request, response).catch((error: unknown) => {
        this.errors.push(error);
        response.destroy();
      });
    });
  }

  static async start(handlers: Readonly<Record<string, Handler>>): Promise<FakeServer> {
    const server = new FakeServer(handlers);
    server.#server.listen(0, '127.0.0.1');
    await once(server.#server, 'listening');
    return server;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/mcp`;
  }

  calls(method: string): Received[] {
    return this.requests.filter((request) => request.method === method);
  }

  /** The cursors of all `tasks/stream` requests. */
  cursors(): unknown[] {
    return this.calls('tasks/stream').map(({ params }) => params['after']);
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = JSON.parse(Buffer.concat(chunks).toString('utf8')) as Received;
    const received = { ...body, headers: request.headers };
    this.requests.push(received);
    const reply = new Reply(response, body.id);
    const handler = this.#handlers[body.method];
    if (handler === undefined) {
      reply.error(-32601, undefined, 404, 'Method not found');
      return;
    }
    await handler(received, reply, this.calls(body.method).length);
  }
}
