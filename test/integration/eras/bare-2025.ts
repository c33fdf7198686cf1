/**
 * A bare client of revision 2025-11-25: what goes out and what comes back, message by message.
 */
import { createParser } from 'eventsource-parser';
import { until } from '../front-end/http.js';

export interface Message {
  readonly id?: unknown;
  readonly method?: string;
  readonly params?: Record<string, unknown>;
  readonly result?: Record<string, unknown>;
  readonly error?: Record<string, unknown>;
}

export function post(endpoint: string, message: Record<string, unknown>, session?: string): Promise<Response> {
  return fetch(endpoint, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      ...(session !== undefined && { 'mcp-session-id': session, 'mcp-protocol-version': '2025-11-25' }),
    },
    body: JSON.stringify({ jsonrpc: '2.0', ...message }),
  });
}

/** The session id. */
export async function initialize(endpoint: string, capabilities: Record<string, unknown> = {}): Promise<string> {
  const clientInfo = { name: 'bare', version: '1' };
  const params = { protocolVersion: '2025-11-25', capabilities, clientInfo };
  const response = await post(endpoint, { id: 0, method: 'initialize', params });
  await response.text();
  return response.headers.get('mcp-session-id') ?? '';
}

/** A request whose response is read as it comes. */
export interface Waiting {
  readonly messages: Message[];
  /** Resolves when the server has ended the response, however. */
  readonly over: Promise<void>;
  isOver(): boolean;
  /** Waits until a message of this method has come. */
  heard(method: string): Promise<Message>;
}

export async function request(endpoint: string, session: string, message: Record<string, unknown>): Promise<Waiting> {
  const response = await post(endpoint, message, session);
  const messages: Message[] = [];
  const parser = createParser({ onEvent: ({ data }) => void messages.push(JSON.parse(data) as Message) });
  const decoder = new TextDecoder();
  let ended = false;
  const read = async () => {
    if (response.headers.get('content-type')?.startsWith('application/json') === true) {
      messages.push((await response.json()) as Message);
      ended = true;
      return;
    }
    try {
      for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
        parser.feed(decoder.decode(chunk, { stream: true }));
      }
    } catch {
      // A response that is broken off is over too.
    }
    ended = true;
  };
  const heard = async (method: string) => {
    const found = () => messages.find((m) => m.method === method);
    await until(
      () => found() !== undefined,
      () => `${method} in ${JSON.stringify(messages)}`,
    );
    return found() as Message;
  };
  return { messages, over: read(), isOver: () => ended, heard };
}

/** One request with one answer, however it comes. */
export async function ask(endpoint: string, session: string, method: string, params: unknown): Promise<Message> {
  const waiting = await request(endpoint, session, { id: `${method}-${++asked}`, method, params });
  await waiting.over;
  const last = waiting.messages.at(-1);
  if (last === undefined) throw new Error(`no answer to ${method}`);
  return last;
}
let asked = 0;

/** The id in a `CreateTaskResult`. */
export function taskIdOf({ result, error }: Message): string {
  const task = result?.['task'] as { taskId: string } | undefined;
  if (task === undefined) throw new Error(`no task: ${JSON.stringify({ result, error })}`);
  return task.taskId;
}
