/**
 * Whatever is sent to `/mcp`, there is a well-formed answer in bounded time, and the process lives on.
 *
 * The tasks that are named are over: every stream that is opened here must end by itself.
 */
import fc from 'fast-check';
import { once } from 'node:events';
import { request, type IncomingMessage } from 'node:http';
import { createParser } from 'eventsource-parser';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { callTask, readStream } from '../../support/rpc.js';
import { openStreams, send, until } from './http.js';
import { startScene, type Scene } from './scene.js';

const ANSWER_MS_MAX = 10_000;
const RUNS = 400;

let scene: Scene;
let taskId: string;

beforeAll(async () => {
  scene = await startScene();
  taskId = await callTask(scene.a.endpoint, 'count', { n: 3 });
  await readStream(scene.a.endpoint, taskId);
});
afterAll(() => scene[Symbol.asyncDispose]());

interface AnyRequest {
  readonly headers: Record<string, string>;
  readonly body: string;
}

interface AnyAnswer {
  readonly status: number;
  readonly type: string;
  readonly text: string;
}

/** The answer; of a subscription, which has no end of its own, what comes first. */
async function answerTo({ headers, body }: AnyRequest): Promise<AnyAnswer> {
  const outgoing = request(scene.a.endpoint, {
    method: 'POST',
    headers,
    agent: false,
    signal: AbortSignal.timeout(ANSWER_MS_MAX),
  });
  outgoing.end(body);
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

const META = 'io.modelcontextprotocol';
const METHODS = [
  'tasks/stream',
  'tasks/get',
  'tasks/cancel',
  'tasks/update',
  'tools/call',
  'tools/list',
  'server/discover',
  'subscriptions/listen',
  'notifications/cancelled',
  'initialize',
  'tasks/result',
  'ping',
];

const junk = fc.jsonValue({ maxDepth: 3 });
/** Mostly the value, sometimes anything. */
const usually = <T>(arb: fc.Arbitrary<T>): fc.Arbitrary<unknown> =>
  fc.oneof({ weight: 40, arbitrary: arb }, { weight: 1, arbitrary: junk });
/** Mostly there, sometimes absent. */
const maybe = <T>(arb: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(arb, { nil: undefined, freq: 40 });
const seldom = <T>(arb: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.oneof({ weight: 15, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: arb });
const method = fc.oneof(
  { weight: 20, arbitrary: fc.constantFrom(...METHODS) },
  { weight: 1, arbitrary: fc.string({ maxLength: 30 }) },
);
const name = fc.constantFrom('quick', 'fail', 'task_only', 'count', 'nope', '__proto__', '');
const version = fc.constantFrom(
  ...Array.from({ length: 12 }, () => '2026-07-28'),
  '2025-11-25',
  '2025-03-26',
  '1999-01-01',
  '',
);

const meta = fc.record(
  {
    [`${META}/protocolVersion`]: usually(version),
    [`${META}/clientInfo`]: usually(fc.constant({ name: 'any', version: '1' })),
    [`${META}/clientCapabilities`]: usually(fc.constantFrom({}, { extensions: { [`${META}/tasks`]: {} } })),
    progressToken: usually(fc.string()),
    'dev.taskstream/idempotencyKey': usually(fc.string({ maxLength: 5 })),
    traceparent: junk,
  },
  { requiredKeys: [`${META}/protocolVersion`, `${META}/clientInfo`, `${META}/clientCapabilities`] },
);

const params = fc.record(
  {
    _meta: usually(meta),
    // Resolved when it is sent: the id is known only by then.
    taskId: usually(fc.constantFrom('$TASK', '$TASK', '$TASK', 'd0-0123456789abcdefghijkl', 'x', '')),
    after: usually(fc.oneof(fc.integer(), fc.nat(10), fc.double(), fc.string({ maxLength: 3 }))),
    name: usually(name),
    arguments: usually(fc.record({ n: usually(fc.nat(3)), how: junk, name: junk }, { requiredKeys: [] })),
    task: junk,
    notifications: usually(
      fc.record(
        { toolsListChanged: usually(fc.boolean()), taskIds: usually(fc.constant(['$TASK'])) },
        { requiredKeys: [] },
      ),
    ),
    inputResponses: junk,
    requestState: junk,
    protocolVersion: usually(version),
  },
  { requiredKeys: ['_meta', 'taskId', 'name'] },
);

const message = fc.record(
  {
    jsonrpc: usually(fc.constant('2.0')),
    id: usually(fc.oneof(fc.integer(), fc.string())),
    method: usually(method),
    params: usually(params),
  },
  { requiredKeys: ['jsonrpc', 'id', 'method', 'params'] },
);

const body = fc.oneof(
  { weight: 30, arbitrary: message.map((m) => JSON.stringify(m)) },
  { weight: 2, arbitrary: fc.array(message, { maxLength: 3 }).map((m) => JSON.stringify(m)) },
  { weight: 1, arbitrary: junk.map((m) => JSON.stringify(m)) },
  { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 50 }) },
);

const headerText = fc.string({
  unit: fc.integer({ min: 0x20, max: 0x7e }).map((c) => String.fromCodePoint(c)),
  maxLength: 20,
});
const headers = fc.record({
  'content-type': maybe(
    fc.oneof({ weight: 30, arbitrary: fc.constant('application/json') }, { weight: 1, arbitrary: headerText }),
  ),
  accept: maybe(
    fc.constantFrom(
      'application/json, text/event-stream',
      'application/json, text/event-stream',
      'application/json',
      '*/*',
    ),
  ),
  'mcp-protocol-version': maybe(
    fc.oneof({ weight: 20, arbitrary: fc.constant('$VERSION') }, { weight: 1, arbitrary: headerText }),
  ),
  'mcp-method': maybe(
    fc.oneof({ weight: 20, arbitrary: fc.constant('$METHOD') }, { weight: 1, arbitrary: headerText }),
  ),
  'mcp-name': maybe(fc.oneof({ weight: 20, arbitrary: fc.constant('$NAME') }, { weight: 1, arbitrary: headerText })),
  'mcp-session-id': seldom(headerText),
  'last-event-id': seldom(headerText),
});

/** What the body says of itself, for headers that should agree with it. */
function saidBy(text: string): Record<'$METHOD' | '$NAME' | '$VERSION', string> {
  const plain = (value: unknown) => (typeof value === 'string' && /^[\x20-\x7e]*$/.test(value) ? value : '');
  try {
    const { method: m, params: p } = JSON.parse(text) as { method?: unknown; params?: Record<string, unknown> };
    const said = (p?.['_meta'] as Record<string, unknown> | undefined)?.[`${META}/protocolVersion`];
    return { $METHOD: plain(m), $NAME: plain(p?.[m === 'tools/call' ? 'name' : 'taskId']), $VERSION: plain(said) };
  } catch {
    return { $METHOD: '', $NAME: '', $VERSION: '2026-07-28' };
  }
}

test('any body under any headers is answered well and in time', async () => {
  const seen = new Map<string, number>();
  await fc.assert(
    fc.asyncProperty(headers, body, async (drawn, drawnBody) => {
      const text = drawnBody.replaceAll('$TASK', taskId);
      const said = saidBy(text);
      const resolved = Object.entries(drawn).flatMap(([key, value]) =>
        value === undefined ? [] : [[key, said[value as keyof typeof said] ?? value] as const],
      );
      const answer = await answerTo({ headers: Object.fromEntries(resolved), body: text });
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
  await until(async () => (await openStreams(scene.a.endpoint)) === 0, 'no stream left open');
  expect((await send(scene.a.endpoint, { method: 'GET', path: '/readyz' })).status).toBe(200);
  expect(scene.a.child.exitCode).toBeNull();
  expect(scene.a.log()).not.toMatch(/"level":(50|60)/);
}, 120_000);
