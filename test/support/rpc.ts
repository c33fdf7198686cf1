/**
 * A bare 2026-07-28 client for tests: what goes out and what comes back, byte by byte.
 */
import { createParser } from 'eventsource-parser';

const TASKS = 'io.modelcontextprotocol/tasks';
export const CAPABILITIES_WITH_TASKS = { extensions: { [TASKS]: {} } };

export interface RpcOptions {
  readonly capabilities?: Record<string, unknown>;
  readonly headers?: Record<string, string | undefined>;
  readonly meta?: Record<string, unknown>;
  readonly signal?: AbortSignal;
}

export interface JsonRpcError {
  readonly code: number;
  readonly message: string;
  readonly data?: Record<string, unknown>;
}

let lastId = 0;

export function rpcRequest(method: string, params: Record<string, unknown>, options: RpcOptions = {}): RequestInit {
  const name = params['taskId'] ?? params['name'];
  const headers: Record<string, string | undefined> = {
    'content-type': 'application/json',
    accept: 'application/json, text/event-stream',
    'mcp-protocol-version': '2026-07-28',
    'mcp-method': method,
    ...(typeof name === 'string' && /^[\x20-\x7e]*$/.test(name) && { 'mcp-name': name }),
    ...options.headers,
  };
  return {
    method: 'POST',
    headers: Object.entries(headers).filter((h): h is [string, string] => h[1] !== undefined),
    body: JSON.stringify({
      jsonrpc: '2.0',
      id: ++lastId,
      method,
      params: {
        ...params,
        _meta: {
          'io.modelcontextprotocol/protocolVersion': '2026-07-28',
          'io.modelcontextprotocol/clientInfo': { name: 'test', version: '1' },
          'io.modelcontextprotocol/clientCapabilities': options.capabilities ?? CAPABILITIES_WITH_TASKS,
          ...options.meta,
        },
      },
    }),
    ...(options.signal !== undefined && { signal: options.signal }),
  };
}

export interface RpcAnswer {
  readonly status: number;
  readonly result?: Record<string, unknown>;
  readonly error?: JsonRpcError;
}

/** One request with one JSON answer. */
export async function rpc(
  endpoint: string,
  method: string,
  params: Record<string, unknown>,
  options: RpcOptions = {},
): Promise<RpcAnswer> {
  const response = await fetch(endpoint, rpcRequest(method, params, options));
  const body = (await response.json()) as { result?: Record<string, unknown>; error?: JsonRpcError };
  return { status: response.status, ...body };
}

/** Calls a tool and returns the id of its task. */
export async function callTask(endpoint: string, tool: string, args: Record<string, unknown>): Promise<string> {
  const answer = await rpc(endpoint, 'tools/call', { name: tool, arguments: args });
  const taskId = answer.result?.['taskId'];
  if (typeof taskId !== 'string') throw new Error(`no task: ${JSON.stringify(answer)}`);
  return taskId;
}

export interface ReadStream {
  readonly status: number;
  /** The JSON text of every event's params, as it came. */
  readonly params: string[];
  readonly comments: string[];
  readonly result?: Record<string, unknown>;
  readonly error?: JsonRpcError;
  /** Whether the connection broke before the response. */
  readonly broken: boolean;
}

const PARAMS = '"params":';

/** Reads a stream until its response, its break, or until `stop` says so. */
export async function readStream(
  endpoint: string,
  taskId: string,
  after?: number,
  options: RpcOptions & { stop?: (params: string, count: number) => boolean } = {},
): Promise<ReadStream> {
  const abort = new AbortController();
  const signal = options.signal === undefined ? abort.signal : AbortSignal.any([abort.signal, options.signal]);
  const params = { taskId, ...(after !== undefined && { after }) };
  const response = await fetch(endpoint, { ...rpcRequest('tasks/stream', params, options), signal });
  if (response.headers.get('content-type')?.startsWith('application/json') === true) {
    const body = (await response.json()) as { result?: Record<string, unknown>; error?: JsonRpcError };
    return { status: response.status, params: [], comments: [], broken: false, ...body };
  }
  const read: string[] = [];
  const comments: string[] = [];
  let end: { result?: Record<string, unknown>; error?: JsonRpcError } | undefined;
  let stopped = false;
  const parser = createParser({
    onComment: (comment) => comments.push(comment),
    onEvent: ({ data }) => {
      if (stopped) return;
      const message = JSON.parse(data) as { method?: string; result?: Record<string, unknown>; error?: JsonRpcError };
      if (message.method === 'notifications/tasks/event') {
        const text = data.slice(data.indexOf(PARAMS) + PARAMS.length, -1);
        read.push(text);
        if (options.stop?.(text, read.length) === true) {
          stopped = true;
          abort.abort();
        }
      } else if (message.method === undefined) end = message;
    },
  });
  let broken = false;
  try {
    const decoder = new TextDecoder();
    for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
      parser.feed(decoder.decode(chunk, { stream: true }));
      if (stopped) break;
    }
  } catch {
    broken = !stopped;
  }
  if (end === undefined && !stopped) broken = true;
  return { status: response.status, params: read, comments, broken, ...end };
}

export function seqOf(params: string): number {
  return (JSON.parse(params) as { seq: number }).seq;
}

/** Throws unless the events are exactly `first`, `first + 1`, … */
export function expectContiguous(params: ReadonlyArray<string>, first: number): void {
  params.forEach((text, i) => {
    const seq = seqOf(text);
    if (seq !== first + i) throw new Error(`event ${i} has seq ${seq}, expected ${first + i}`);
  });
}
