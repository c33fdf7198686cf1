/**
 * Whatever is sent to `/mcp` or to the plain view, there is a well-formed answer in bounded time, the process lives on,
 * and its memory stays as it was.
 *
 * The tasks that are named are over: every stream that is opened here must end by itself.
 */
import fc from 'fast-check';
import { once } from 'node:events';
import { request, type IncomingMessage } from 'node:http';
import { createParser } from 'eventsource-parser';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { callTask, readStream } from '../../support/rpc.js';
import { initialize } from '../eras/bare-2025.js';
import {
  body,
  bodyOf,
  headers,
  headerText,
  junk,
  maybe,
  message,
  messageWith,
  noUndefined,
  olderMeta,
  resolved,
  seldom,
  usually,
  type AnyRequest,
} from './drawn-requests.js';
import { metric, openConnection, openStreams, send, until, type Answer } from './http.js';
import { startScene, type Scene } from './scene.js';

const ANSWER_MS_MAX = 10_000;
const RUNS = 400;

let scene: Scene;
let taskId: string;

beforeAll(async () => {
  // Attempts are made here as fast as they go; that they are limited is tried elsewhere.
  const many = {
    TASKSTREAM_STREAM_OPENS_PER_MINUTE_MAX: '1000000',
    TASKSTREAM_UNKNOWN_TASKS_PER_MINUTE_MAX: '1000000',
  };
  scene = await startScene({ env: many });
  taskId = await callTask(scene.a.endpoint, 'count', { n: 3 });
  await readStream(scene.a.endpoint, taskId);
});
afterAll(() => scene[Symbol.asyncDispose]());

interface AnyAnswer {
  readonly status: number;
  readonly type: string;
  readonly text: string;
}

/** The answer; of a subscription, which has no end of its own, what comes first. */
async function answerTo(asked: AnyRequest): Promise<AnyAnswer> {
  const outgoing = request(scene.a.endpoint, {
    method: 'POST',
    headers: asked.headers,
    agent: false,
    signal: AbortSignal.timeout(ANSWER_MS_MAX),
  });
  outgoing.end(asked.body);
  const [response] = (await once(outgoing, 'response')) as [IncomingMessage];
  let text = '';
  for await (const chunk of response) {
    text += String(chunk);
    if (text.includes('subscriptions/acknowledged')) break;
  }
  return { status: response.statusCode ?? 0, type: response.headers['content-type'] ?? '', text };
}

function isMessage(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const m = value as Record<string, unknown>;
  if (m['jsonrpc'] !== '2.0') return false;
  if (typeof m['method'] === 'string') return !('result' in m) && !('error' in m);
  if (!('id' in m)) return false;
  if ('result' in m) return typeof m['result'] === 'object' && m['result'] !== null && !('error' in m);
  const error = m['error'] as Record<string, unknown> | null | undefined;
  return (
    typeof error === 'object' &&
    error !== null &&
    Number.isInteger(error['code']) &&
    typeof error['message'] === 'string'
  );
}

function problemWith({ status, type, text }: AnyAnswer): string | undefined {
  if (status === 202) return text === '' ? undefined : 'an accepted notification has no body';
  if (status >= 500) return 'a fault of the server';
  if (type.startsWith('text/event-stream')) {
    const messages: unknown[] = [];
    createParser({ onEvent: ({ data }) => void messages.push(JSON.parse(data)) }).feed(text);
    return messages.length > 0 && messages.every(isMessage) ? undefined : 'a stream of something else than messages';
  }
  if (!type.startsWith('application/json')) return 'neither JSON nor a stream';
  return isMessage(JSON.parse(text)) ? undefined : 'no JSON-RPC message';
}

test('any body under any headers is answered well and in time', async () => {
  const seen = new Map<string, number>();
  await fc.assert(
    fc.asyncProperty(headers, body, async (drawn, drawnBody) => {
      const answer = await answerTo(resolved(drawn, drawnBody, taskId));
      const kind = `${answer.status} ${answer.type.split(';')[0]} ${/"code":(-?\d+)/.exec(answer.text)?.[1] ?? ''}`;
      seen.set(kind, (seen.get(kind) ?? 0) + 1);
      const problem = problemWith(answer);
      if (problem !== undefined)
        throw new Error(`${problem}: ${answer.status} ${answer.type} ${answer.text.slice(0, 500)}`);
    }),
    { numRuns: RUNS, plugins: [fc.interruptAfterTimeLimit(90_000, { failOnInterrupt: true })] },
  );
  // The draw must reach further than the first check.
  expect([...seen.keys()]).toEqual(
    expect.arrayContaining([
      expect.stringMatching(/^200 application\/json $/),
      expect.stringMatching(/^200 text\/event-stream/),
    ]),
  );
  expect(seen.size).toBeGreaterThan(8);
  await expectUnharmed();
}, 120_000);

test('any body in a session of 2025-11-25 is answered well and in time', async () => {
  const session = await initialize(scene.a.endpoint, { elicitation: {}, sampling: {} });
  const inSession = headers.map((drawn) => ({
    ...drawn,
    'mcp-session-id': session,
    'mcp-protocol-version': '2025-11-25',
  }));
  const posted = fc.record(
    {
      jsonrpc: usually(fc.constant('2.0')),
      id: usually(fc.oneof(fc.integer(), fc.string())),
      result: usually(fc.record({ action: usually(fc.constant('accept')), content: junk }, { requiredKeys: [] })),
      error: usually(fc.record({ code: usually(fc.integer()), message: usually(fc.string()) })),
    },
    { requiredKeys: ['jsonrpc', 'id'] },
  );
  const cancelled = fc.record({
    jsonrpc: fc.constant('2.0'),
    method: fc.constant('notifications/cancelled'),
    params: fc.oneof(fc.record({ requestId: junk, reason: junk }, { requiredKeys: [] }), junk),
  });
  const either = fc.oneof(
    { weight: 8, arbitrary: bodyOf(messageWith(olderMeta)) },
    { weight: 1, arbitrary: posted.map((m) => JSON.stringify(m)) },
    { weight: 1, arbitrary: cancelled.map((m) => JSON.stringify(m)) },
  );
  const seen = new Set<string>();
  await fc.assert(
    fc.asyncProperty(inSession, either, async (drawn, drawnBody) => {
      const answer = await answerTo(resolved(drawn, drawnBody, taskId));
      seen.add(`${answer.status} ${answer.type.split(';')[0]}`);
      const problem = problemWith(answer);
      if (problem !== undefined)
        throw new Error(`${problem}: ${answer.status} ${answer.type} ${answer.text.slice(0, 500)}`);
    }),
    { numRuns: RUNS, plugins: [fc.interruptAfterTimeLimit(90_000, { failOnInterrupt: true })] },
  );
  expect([...seen]).toEqual(
    expect.arrayContaining(['200 application/json', '200 text/event-stream', '202 ', '400 application/json']),
  );
  await expectUnharmed();
}, 120_000);

/** The process lives, serves, holds nothing open and has logged no error. */
async function expectUnharmed(): Promise<void> {
  await until(async () => (await openStreams(scene.a.endpoint)) === 0, 'no stream left open');
  expect((await send(scene.a.endpoint, { method: 'GET', path: '/readyz' })).status).toBe(200);
  expect(scene.a.child.exitCode).toBeNull();
  expect(scene.a.log()).not.toMatch(/"level":(50|60)/);
}

const VIEW_PATH = fc.oneof(
  { weight: 8, arbitrary: fc.constant('/tasks/$TASK/events') },
  { weight: 1, arbitrary: fc.constant('/tasks/d0-0123456789abcdefghijkl/events') },
  {
    weight: 2,
    arbitrary: fc.string({ maxLength: 100 }).map((text) => `/tasks/${encodeURIComponent(text)}/events`),
  },
  { weight: 1, arbitrary: fc.constantFrom('/tasks//events', '/tasks/%zz/events', '/tasks/..%2f/events', '/tasks/a/b') },
);
const anyText = fc.oneof(
  fc.integer().map(String),
  fc.double().map(String),
  fc.constantFrom('', '0', '3', '-1', '1e3', '0x1', 'NaN', '9007199254740993', '[1]', '%00', '1&after=2'),
  fc.string({ maxLength: 8 }).map(encodeURIComponent),
);
const query = fc
  .record({ after: anyText, limit: anyText, [`x`]: anyText }, { requiredKeys: [] })
  .map((q) => Object.entries(q).map(([key, value]) => `${key}=${value}`))
  .map((parts) => (parts.length === 0 ? '' : `?${parts.join('&')}`));
const viewHeaders = fc.record({
  accept: maybe(fc.constantFrom('text/event-stream', 'application/x-ndjson', '*/*', 'nonsense')),
  'last-event-id': maybe(fc.oneof(fc.nat(5).map(String), headerText)),
  origin: seldom(fc.constantFrom('http://evil.example', 'http://127.0.0.1', 'null')),
  'x-any': seldom(headerText),
});
const httpMethod = fc.oneof(
  { weight: 12, arbitrary: fc.constant('GET') },
  { weight: 1, arbitrary: fc.constantFrom('POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'HEAD') },
);

/** What is wrong with an answer of the plain view. */
function viewProblem(answer: Answer, sentBy: string): string | undefined {
  const type = answer.headers['content-type'] ?? '';
  if (answer.status >= 500) return 'a fault of the server';
  if (sentBy === 'HEAD' || answer.status === 204) return answer.text === '' ? undefined : 'a body where none may be';
  if (answer.status === 200) {
    if (type.startsWith('text/event-stream')) {
      const ids: number[] = [];
      const parser = createParser({
        onEvent: ({ id, data }) => {
          JSON.parse(data);
          if (id !== undefined) ids.push(Number(id));
        },
      });
      parser.feed(answer.text);
      return ids.every((id, i) => i === 0 || id === ids[i - 1]! + 1) ? undefined : 'events out of order';
    }
    if (!type.startsWith('application/x-ndjson')) return 'neither a stream nor lines';
    for (const line of answer.text.split('\n').filter((l) => l !== '')) JSON.parse(line);
    return undefined;
  }
  if (answer.text === '') return 'an error without a body';
  const { status, statusCode } = JSON.parse(answer.text) as { status?: number; statusCode?: number };
  const own = JSON.parse(answer.text) as { jsonrpc?: string };
  return (status ?? statusCode) === answer.status || own.jsonrpc === '2.0' ? undefined : 'an error that is none';
}

test('any request to the plain view is answered well and in time', async () => {
  const seen = new Map<number, number>();
  await fc.assert(
    fc.asyncProperty(httpMethod, VIEW_PATH, query, viewHeaders, async (drawnMethod, path, drawnQuery, drawn) => {
      const answer = await send(
        scene.a.endpoint,
        { method: drawnMethod, path: `${path.replace('$TASK', taskId)}${drawnQuery}`, headers: noUndefined(drawn) },
        ANSWER_MS_MAX,
      );
      seen.set(answer.status, (seen.get(answer.status) ?? 0) + 1);
      const problem = viewProblem(answer, drawnMethod);
      if (problem !== undefined) throw new Error(`${problem}: ${answer.status} ${answer.text.slice(0, 500)}`);
    }),
    { numRuns: RUNS, plugins: [fc.interruptAfterTimeLimit(60_000, { failOnInterrupt: true })] },
  );
  expect([...seen.keys()]).toEqual(expect.arrayContaining([200, 204, 400, 404]));
  await expectUnharmed();
}, 90_000);

test('any bytes, by any HTTP method, are answered by an error or a result, or the connection ends', async () => {
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 300 }),
    fc.string({ unit: 'binary', maxLength: 60 }).map((text) => Buffer.from(text, 'latin1')),
    message.map((m) => {
      const text = Buffer.from(JSON.stringify(m));
      if (text.length > 3) text[Math.floor(text.length / 2)] = 0xff;
      return text;
    }),
  );
  const anyMethod = fc.constantFrom('POST', 'POST', 'POST', 'GET', 'DELETE', 'PUT', 'PATCH', 'OPTIONS');
  await fc.assert(
    fc.asyncProperty(anyMethod, headers, bytes, async (drawnMethod, drawn, data) => {
      const plain = noUndefined(drawn);
      for (const [key, value] of Object.entries(plain)) if (value.startsWith('$')) plain[key] = 'tasks/get';
      const answer = await send(
        scene.a.endpoint,
        { method: drawnMethod, headers: { ...plain, 'content-length': String(data.length) }, body: Buffer.from(data) },
        ANSWER_MS_MAX,
      );
      expect(answer.status).toBeLessThan(500);
      if (answer.status === 202) return;
      const parsed = JSON.parse(answer.text) as { statusCode?: number };
      expect(isMessage(parsed) || parsed.statusCode === answer.status, answer.text).toBe(true);
    }),
    { numRuns: RUNS / 2, plugins: [fc.interruptAfterTimeLimit(60_000, { failOnInterrupt: true })] },
  );
  // Below HTTP: whatever a socket brings, it is refused or served, and it ends.
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ minLength: 1, maxLength: 200 }), async (data) => {
      const connection = await openConnection(scene.a.endpoint);
      connection.socket.end(data);
      await Promise.race([
        connection.ended,
        new Promise((_resolve, reject) => {
          setTimeout(() => reject(new Error('the connection did not end')), ANSWER_MS_MAX).unref();
        }),
      ]);
      const text = connection.text();
      if (text !== '') expect(text).toMatch(/^HTTP\/1\.1 [2-4]\d\d /);
    }),
    { numRuns: 60 },
  );
  await expectUnharmed();
}, 150_000);

test('and all of it costs no memory that stays', async () => {
  const resident = () => metric(scene.a.endpoint, 'process_resident_memory_bytes');
  const used = () => metric(scene.a.endpoint, 'nodejs_heap_size_used_bytes');
  const again = async () => {
    for (const [drawn, drawnBody] of fc.sample(fc.tuple(headers, body), { numRuns: RUNS, seed: 7 })) {
      await answerTo(resolved(drawn, drawnBody, taskId));
    }
  };
  // What comes before has warmed it up.
  const before = { resident: await resident(), used: await used() };
  await again();
  await again();
  expect(before.resident).toBeGreaterThan(0);
  expect(await resident()).toBeLessThan(before.resident * 1.5);
  expect(await used()).toBeLessThan(before.used * 2.5);
  await expectUnharmed();
}, 120_000);
