/**
 * A small correct server of `tasks/stream` in memory, and the same server with one fault. For the kit to be tried on.
 *
 * It knows `server/discover`, `tools/call` of `count {n, everyMs, untilRead}`, `tasks/get`, `tasks/cancel` and `tasks/stream`.
 * The owner of a task is the `authorization` header. Without a fault it keeps every rule of SEP-2694.
 */
import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import * as z from 'zod';

export const FAULTS = [
  'drops an event',
  'repeats an event',
  'starts at 1',
  'skips an event at the live hand-off',
  'forgets related-task',
  'relates events to another task',
  'skips trimmed events silently',
  'takes the cursor as inclusive',
  'emits an unprefixed type',
  'emits a type of the standard',
  'emits an array as payload',
  'sends events after a terminal cursor',
  'does not answer a terminal cursor',
  'accepts what is no cursor',
  'swaps two events',
  'ends a live stream without a result',
  'ends with a result that is not empty',
  'starts with live events without a cursor',
  'allows a second stream on a connection',
  'refuses a second stream with another code',
  'cancels the task with its stream',
  'streams tasks of others',
  'shows each reader another event',
  'numbers progress as events',
  'sends events with tools/call',
  'tells another status than tasks/get',
  'names no earliest event',
  'numbers the events of all tasks together',
] as const;
export type Fault = (typeof FAULTS)[number];

interface StoredEvent {
  readonly seq: number;
  readonly type: string;
  readonly payload: unknown;
}

interface StoredTask {
  readonly taskId: string;
  readonly owner: string;
  readonly events: StoredEvent[];
  /** Seq of the first event that is kept. */
  earliest: number;
  nextSeq: number;
  status: 'working' | 'completed' | 'cancelled';
  readonly readers: Set<(event: StoredEvent | 'over') => void>;
  timer: NodeJS.Timeout | undefined;
  /** Whether anybody has opened its stream. */
  read: boolean;
}

export interface SmallServer extends AsyncDisposable {
  readonly url: string;
  /** A finished task of that owner, of which only the events from `earliestSeq` on are kept. */
  addTrimmed(owner: string, earliestSeq: number): string;
}

const Request = z.looseObject({
  id: z.union([z.string(), z.number()]),
  method: z.string(),
  params: z.looseObject({ _meta: z.looseObject({ progressToken: z.unknown().optional() }).optional() }).optional(),
});
const CountArgs = z.object({
  n: z.int(),
  everyMs: z.int().default(0),
  /** Half way it waits for its first reader, so that he finds stored events, and live ones after them. */
  untilRead: z.boolean().default(false),
});
const TRIMMED_EVENTS = 12;
const ODD_SEQ = 3;
const RELATED = 'io.modelcontextprotocol/related-task';

class Tasks {
  readonly #fault: Fault | undefined;
  readonly #tasks = new Map<string, StoredTask>();
  #sharedSeq = 0;

  constructor(fault: Fault | undefined) {
    this.#fault = fault;
  }

  create(owner: string): StoredTask {
    const task: StoredTask = {
      taskId: `task-${randomUUID()}`,
      owner,
      events: [],
      earliest: 0,
      nextSeq: this.#fault === 'starts at 1' ? 1 : 0,
      status: 'working',
      readers: new Set(),
      timer: undefined,
      read: false,
    };
    this.#tasks.set(task.taskId, task);
    this.append(task, 'com.example.task.status', { status: 'working' });
    return task;
  }

  find(taskId: unknown, owner: string | undefined): StoredTask | undefined {
    const task = typeof taskId === 'string' ? this.#tasks.get(taskId) : undefined;
    return owner === undefined || task?.owner === owner ? task : undefined;
  }

  append(task: StoredTask, type: string, payload: unknown): void {
    const seq = this.#fault === 'numbers the events of all tasks together' ? this.#sharedSeq++ : task.nextSeq;
    task.nextSeq = seq + 1;
    const event = { seq, type, payload };
    task.events.push(event);
    for (const tell of task.readers) tell(event);
  }

  count(task: StoredTask, { n, everyMs, untilRead }: z.infer<typeof CountArgs>): void {
    let i = 0;
    const step = () => {
      const odd = i === ODD_SEQ;
      const type =
        odd && this.#fault === 'emits an unprefixed type'
          ? 'step'
          : odd && this.#fault === 'emits a type of the standard'
            ? 'content.partial'
            : 'com.example.count';
      this.append(task, type, odd && this.#fault === 'emits an array as payload' ? [i] : { i });
      i++;
    };
    if (everyMs === 0) {
      while (i < n) step();
      this.end(task, 'completed');
      return;
    }
    task.timer = setInterval(() => {
      if (untilRead && !task.read && i >= n / 2) return;
      if (i < n) step();
      else this.end(task, 'completed');
    }, everyMs);
  }

  end(task: StoredTask, status: 'completed' | 'cancelled'): void {
    if (task.status !== 'working') return;
    clearInterval(task.timer);
    const told = this.#fault === 'tells another status than tasks/get' ? 'failed' : status;
    this.append(task, 'com.example.task.status', { status: told });
    task.status = status;
    for (const tell of task.readers) tell('over');
    task.readers.clear();
  }

  stop(): void {
    for (const { timer } of this.#tasks.values()) clearInterval(timer);
  }
}

function paramsOf(task: StoredTask, event: StoredEvent, fault: Fault | undefined, reader: number) {
  const related = fault === 'relates events to another task' && event.seq === ODD_SEQ ? 'task-of-others' : task.taskId;
  const forgets = fault === 'forgets related-task' && event.seq === ODD_SEQ;
  return {
    seq: event.seq,
    taskId: task.taskId,
    type: event.type,
    payload: fault === 'shows each reader another event' && event.seq === ODD_SEQ ? { reader } : event.payload,
    ...(!forgets && { _meta: { [RELATED]: { taskId: related } } }),
  };
}

/** `fault` undefined: a correct one. Listens on the loopback interface until it is disposed. */
export async function startSmallServer(fault?: Fault): Promise<SmallServer> {
  const tasks = new Tasks(fault);
  const active = new WeakMap<Socket, Set<string>>();
  let readers = 0;

  const server = createServer((request, response) => {
    void readBody(request).then((body) => answer(request, response, body));
  });

  function answer(request: IncomingMessage, response: ServerResponse, body: unknown): void {
    const parsed = Request.safeParse(body);
    if (!parsed.success) return void response.writeHead(400).end();
    const { id, method, params } = parsed.data;
    const owner = request.headers.authorization ?? 'nobody';
    const reply = (outcome: Record<string, unknown>, status = 200) =>
      void response
        .writeHead(status, { 'content-type': 'application/json' })
        .end(JSON.stringify({ jsonrpc: '2.0', id, ...outcome }));
    const invalid = (why: string) => reply({ error: { code: -32_602, message: why } });
    if (method === 'server/discover') return reply({ result: { capabilities: {} } });
    if (method === 'tools/call') {
      const args = CountArgs.safeParse(params?.['arguments']);
      if (!args.success) return invalid('arguments: expected n and everyMs');
      const task = tasks.create(owner);
      tasks.count(task, args.data);
      const result = { resultType: 'task', ...described(task) };
      if (fault !== 'sends events with tools/call') return reply({ result });
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write(notification(paramsOf(task, task.events[0]!, fault, 0)));
      return void response.end(message({ id, result }));
    }
    if (method !== 'tasks/get' && method !== 'tasks/cancel' && method !== 'tasks/stream') {
      return reply({ error: { code: -32_601, message: 'Method not found' } }, 404);
    }
    const openToAll = method === 'tasks/stream' && fault === 'streams tasks of others';
    const task = tasks.find(params?.['taskId'], openToAll ? undefined : owner);
    if (task === undefined) return invalid('Unknown task');
    if (method === 'tasks/get') return reply({ result: { resultType: 'complete', ...described(task) } });
    if (method === 'tasks/cancel') {
      tasks.end(task, 'cancelled');
      return reply({ result: {} });
    }
    const after = params?.['after'];
    const isCursor = after === undefined || (Number.isSafeInteger(after) && (after as number) >= 0);
    if (!isCursor && fault !== 'accepts what is no cursor') return invalid('after: expected a non-negative integer');
    const cursor = isCursor && after !== undefined ? (after as number) : undefined;
    if (cursor !== undefined && cursor + 1 < task.earliest && fault !== 'skips trimmed events silently') {
      const data = { reason: 'events_gone', taskId: task.taskId, earliestSeq: task.earliest };
      const told = fault === 'names no earliest event' ? { reason: data.reason, taskId: data.taskId } : data;
      return reply({ error: { code: -32_010, message: 'Task events are no longer available', data: told } });
    }
    const open = active.get(request.socket) ?? new Set<string>();
    active.set(request.socket, open);
    if (open.has(task.taskId) && fault !== 'allows a second stream on a connection') {
      const code = fault === 'refuses a second stream with another code' ? -32_603 : -32_602;
      return reply({ error: { code, message: 'This connection has an open stream of the task' } });
    }
    open.add(task.taskId);
    response.once('close', () => open.delete(task.taskId));
    stream(response, id, task, cursor, params?._meta?.progressToken);
  }

  function stream(
    response: ServerResponse,
    id: string | number,
    task: StoredTask,
    cursor: number | undefined,
    progressToken: unknown,
  ): void {
    const reader = ++readers;
    let held: StoredEvent | undefined;
    let shift = 0;
    const write = (event: StoredEvent) => {
      const seen = shift === 0 ? event : { ...event, seq: event.seq + shift };
      response.write(notification(paramsOf(task, seen, fault, reader)));
    };
    const deliver = (event: StoredEvent) => {
      const odd = event.seq === ODD_SEQ;
      if (odd && fault === 'drops an event') return;
      if (odd && fault === 'swaps two events') {
        held = event;
        return;
      }
      write(event);
      if (odd && fault === 'repeats an event') write(event);
      if (odd && fault === 'numbers progress as events' && progressToken !== undefined) {
        shift++;
        write({ seq: event.seq, type: 'com.example.progress', payload: { progress: 1 } });
      }
      if (held !== undefined) {
        write(held);
        held = undefined;
      }
    };
    const end = () => {
      if (fault === 'ends a live stream without a result' && joined) return void response.end();
      const result = fault === 'ends with a result that is not empty' ? { events: task.nextSeq } : {};
      response.end(message({ id, result: { resultType: 'complete', ...result } }));
    };
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write(': open\n\n');
    task.read = true;
    const from =
      cursor === undefined
        ? fault === 'starts with live events without a cursor' && task.status === 'working'
          ? task.nextSeq
          : 0
        : fault === 'takes the cursor as inclusive'
          ? cursor
          : cursor + 1;
    const kept = task.events.filter((e) => e.seq >= from);
    let joined = false;
    const terminal = task.status !== 'working';
    if (terminal && kept.length === 0 && fault === 'does not answer a terminal cursor') return;
    if (terminal && kept.length === 0 && fault === 'sends events after a terminal cursor')
      kept.push(task.events.at(-1)!);
    for (const event of kept) deliver(event);
    if (terminal) return end();
    joined = true;
    let skips = fault === 'skips an event at the live hand-off' ? 1 : 0;
    const tell = (event: StoredEvent | 'over') => {
      if (event === 'over') end();
      else if (skips-- <= 0) deliver(event);
    };
    task.readers.add(tell);
    if (progressToken !== undefined) {
      const params = { progressToken, progress: 1 };
      response.write(message({ method: 'notifications/progress', params }));
    }
    response.once('close', () => {
      task.readers.delete(tell);
      if (fault === 'cancels the task with its stream') tasks.end(task, 'cancelled');
    });
  }

  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`,
    addTrimmed(owner, earliestSeq) {
      const task = tasks.create(owner);
      tasks.count(task, CountArgs.parse({ n: TRIMMED_EVENTS }));
      task.events.splice(
        0,
        task.events.findIndex((e) => e.seq === earliestSeq),
      );
      task.earliest = earliestSeq;
      return task.taskId;
    },
    async [Symbol.asyncDispose]() {
      tasks.stop();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** A task as the Tasks extension describes it. */
function described(task: StoredTask): Record<string, unknown> {
  const at = new Date(0).toISOString();
  const { taskId, status } = task;
  const inlined = status === 'completed' && { result: { content: [] } };
  return { taskId, status, createdAt: at, lastUpdatedAt: at, ttlMs: null, ...inlined };
}

function message(members: Record<string, unknown>): string {
  return `data: ${JSON.stringify({ jsonrpc: '2.0', ...members })}\n\n`;
}

function notification(params: Record<string, unknown>): string {
  return message({ method: 'notifications/tasks/event', params });
}

async function readBody(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  try {
    return JSON.parse(Buffer.concat(chunks).toString('utf8'));
  } catch {
    return undefined;
  }
}
