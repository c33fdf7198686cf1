/**
 * A client of revision 2025-11-25 that forgives nothing: the profile of the one known client of task event streams.
 *
 * What it does: opens without a cursor and resumes with the latest seq; drops what it has; takes a first seq other than
 * 0, and any jump, for a gap; warns of types without a separator and of events that do not name their task; retries
 * after an end while the task is live (500 ms, doubled up to 10 s, ten times in a row, counted anew after any event);
 * takes `events_gone` and an unknown method for final; polls beside the stream and stops reading once it has the result.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { createParser } from 'eventsource-parser';
import * as z from 'zod';

const RELATED_TASK = 'io.modelcontextprotocol/related-task';
const RETRY_MS_BASE = 500;
const RETRY_MS_MAX = 10_000;
const RETRIES_MAX = 10;
const POLL_MS = 250;

const Event = z.looseObject({
  seq: z.int(),
  taskId: z.string(),
  type: z.string(),
  _meta: z.looseObject({ [RELATED_TASK]: z.looseObject({ taskId: z.string() }).optional() }).optional(),
});
const Message = z.looseObject({
  id: z.union([z.string(), z.number()]).optional(),
  method: z.string().optional(),
  params: z.unknown().optional(),
  result: z.record(z.string(), z.unknown()).optional(),
  error: z.looseObject({ code: z.int(), message: z.string(), data: z.unknown().optional() }).optional(),
});
type Message = z.infer<typeof Message>;
const Created = z.object({ task: z.looseObject({ taskId: z.string() }) });
const Polled = z.looseObject({ status: z.string() });

/** What the client makes of the events that it reads. */
export class StrictReader {
  readonly #taskId: string;
  /** The events that count, each as the JSON text of its params. */
  readonly events: string[] = [];
  readonly warnings: string[] = [];
  latest: number | undefined;

  constructor(taskId: string) {
    this.#taskId = taskId;
  }

  /** Takes the params of one `notifications/tasks/event`. */
  accept(params: unknown): void {
    const event = Event.safeParse(params);
    if (!event.success) {
      this.warnings.push(`not an event: ${event.error.message}`);
      return;
    }
    const { seq, type, _meta } = event.data;
    if (this.latest !== undefined && seq <= this.latest) return;
    const expected = this.latest === undefined ? 0 : this.latest + 1;
    if (seq !== expected) this.warnings.push(`gap: seq ${seq}, expected ${expected}`);
    if (!/[./:]/.test(type)) this.warnings.push(`type without a separator: ${type}`);
    const related = _meta?.[RELATED_TASK]?.taskId;
    if (related !== this.#taskId) this.warnings.push(`seq ${seq} belongs to the task ${String(related)}`);
    this.latest = seq;
    this.events.push(JSON.stringify(params));
  }
}

export interface StrictRun {
  readonly taskId: string;
  readonly result: Record<string, unknown>;
  readonly events: ReadonlyArray<string>;
  readonly warnings: ReadonlyArray<string>;
  /** How often the stream was opened. */
  readonly opened: number;
}

export class StrictClient {
  readonly #endpoint: string;
  readonly #headers: Record<string, string>;
  #lastId = 0;

  private constructor(endpoint: string, headers: Record<string, string>) {
    this.#endpoint = endpoint;
    this.#headers = headers;
  }

  static async connect(endpoint: string): Promise<StrictClient> {
    const client = new StrictClient(endpoint, {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
    });
    const response = await client.#post({
      id: 0,
      method: 'initialize',
      params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'strict', version: '1' } },
    });
    const session = response.headers.get('mcp-session-id');
    await response.text();
    if (session === null) throw new Error('the server gave no session');
    Object.assign(client.#headers, { 'mcp-session-id': session, 'mcp-protocol-version': '2025-11-25' });
    await (await client.#post({ method: 'notifications/initialized' })).text();
    return client;
  }

  /** Runs a tool as a task and reads its stream beside. `onEvent` is told how many events have come. */
  async run(tool: string, args: Record<string, unknown>, onEvent?: (count: number) => void): Promise<StrictRun> {
    const params = { name: tool, arguments: args, task: {} };
    const { taskId } = Created.parse(await this.#request('tools/call', params)).task;
    const reader = new StrictReader(taskId);
    const stop = new AbortController();
    const following = this.#follow(taskId, reader, stop.signal, onEvent);
    const result = await this.#outcome(taskId);
    stop.abort();
    return { taskId, result, events: reader.events, warnings: reader.warnings, opened: await following };
  }

  /** Polls until the task is over, then fetches its result. A request that breaks is sent again. */
  async #outcome(taskId: string): Promise<Record<string, unknown>> {
    for (;;) {
      const polled = await this.#patient('tasks/get', { taskId });
      if (['completed', 'failed', 'cancelled'].includes(Polled.parse(polled).status)) break;
      await delay(POLL_MS);
    }
    return this.#patient('tasks/result', { taskId });
  }

  async #follow(
    taskId: string,
    reader: StrictReader,
    signal: AbortSignal,
    onEvent: ((count: number) => void) | undefined,
  ): Promise<number> {
    let opened = 0;
    let inARow = 0;
    while (!signal.aborted) {
      opened++;
      const before = reader.events.length;
      const end = await this.#readStream(taskId, reader, signal, onEvent);
      if (signal.aborted) break;
      const reason = (end?.error?.data as { reason?: unknown } | undefined)?.reason;
      if (end?.error?.code === -32601 || reason === 'events_gone') {
        reader.warnings.push(`the stream is over for good: ${end?.error?.message}`);
        break;
      }
      inARow = reader.events.length > before ? 0 : inARow + 1;
      if (inARow > RETRIES_MAX) {
        reader.warnings.push('gave up: ten streams in a row without an event');
        break;
      }
      await delay(Math.min(RETRY_MS_MAX, RETRY_MS_BASE * 2 ** inARow), undefined, { signal }).catch(() => undefined);
    }
    return opened;
  }

  /** Reads one stream to its response; undefined when it broke. */
  async #readStream(
    taskId: string,
    reader: StrictReader,
    signal: AbortSignal,
    onEvent: ((count: number) => void) | undefined,
  ): Promise<Message | undefined> {
    const params = { taskId, ...(reader.latest !== undefined && { after: reader.latest }) };
    let end: Message | undefined;
    try {
      const response = await this.#post({ id: ++this.#lastId, method: 'tasks/stream', params }, signal);
      await readMessages(response, (message) => {
        if (message.method === undefined) end = message;
        else if (message.method === 'notifications/tasks/event') {
          reader.accept(message.params);
          onEvent?.(reader.events.length);
        }
      });
    } catch (error) {
      if (!isBroken(error) && !signal.aborted) throw error;
    }
    return end;
  }

  async #patient(method: string, params: Record<string, unknown>): Promise<Record<string, unknown>> {
    for (let tries = 1; ; tries++) {
      try {
        return await this.#request(method, params);
      } catch (error) {
        if (!isBroken(error) || tries > RETRIES_MAX) throw error;
        await delay(POLL_MS);
      }
    }
  }

  async #request(method: string, params: Record<string, unknown>): Promise<Record<string, unknown>> {
    let answer: Message | undefined;
    const response = await this.#post({ id: ++this.#lastId, method, params });
    await readMessages(response, (message) => {
      if (message.method === undefined) answer = message;
    });
    if (answer?.result === undefined) throw new RequestFailed(method, answer);
    return answer.result;
  }

  #post(message: Record<string, unknown>, signal?: AbortSignal): Promise<Response> {
    return fetch(this.#endpoint, {
      method: 'POST',
      headers: this.#headers,
      body: JSON.stringify({ jsonrpc: '2.0', ...message }),
      ...(signal !== undefined && { signal }),
    });
  }
}

class RequestFailed extends Error {
  readonly broken: boolean;

  constructor(method: string, answer: Message | undefined) {
    super(`${method}: ${answer === undefined ? 'no response' : JSON.stringify(answer.error)}`);
    const reason = (answer?.error?.data as { reason?: unknown } | undefined)?.reason;
    this.broken = answer === undefined || reason === 'temporarily_unavailable';
  }
}

/** Whether another try may help: the connection broke, or the node said that another one will. */
function isBroken(error: unknown): boolean {
  if (error instanceof RequestFailed) return error.broken;
  // `fetch` throws a TypeError for every fault of the network.
  return error instanceof TypeError;
}

/** Every JSON-RPC message of a response, whether it is a stream or not. */
async function readMessages(response: Response, onMessage: (message: Message) => void): Promise<void> {
  if (response.headers.get('content-type')?.startsWith('text/event-stream') !== true) {
    const text = await response.text();
    if (text !== '') onMessage(Message.parse(JSON.parse(text)));
    return;
  }
  const parser = createParser({ onEvent: ({ data }) => onMessage(Message.parse(JSON.parse(data))) });
  const decoder = new TextDecoder();
  for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
    parser.feed(decoder.decode(chunk, { stream: true }));
  }
}
