/**
 * What is drawn to be sent: messages and headers of either revision, mostly right, sometimes anything.
 *
 * Invariant: the task that all of them name is never deleted.
 */
import fc from 'fast-check';

export interface AnyRequest {
  readonly headers: Record<string, string>;
  readonly body: string;
}

const META = 'io.modelcontextprotocol';
const DELETE = 'dev.taskstream/delete';
const UNKNOWN_TASK = 'd0-0123456789abcdefghijkl';
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
  'dev.taskstream/steer',
  'dev.taskstream/pause',
  'dev.taskstream/resume',
  DELETE,
];

export const junk = fc.jsonValue({ maxDepth: 3 });
/** Mostly the value, sometimes anything. */
export const usually = <T>(arb: fc.Arbitrary<T>): fc.Arbitrary<unknown> =>
  fc.oneof({ weight: 40, arbitrary: arb }, { weight: 1, arbitrary: junk });
/** Mostly there, sometimes absent. */
export const maybe = <T>(arb: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.option(arb, { nil: undefined, freq: 40 });
export const seldom = <T>(arb: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
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

/** That of 2025-11-25 knows no envelope. */
export const olderMeta = fc.record(
  { progressToken: usually(fc.string()), 'dev.taskstream/idempotencyKey': usually(fc.string({ maxLength: 5 })) },
  { requiredKeys: [] },
);

const paramsWith = (metaOfEra: fc.Arbitrary<unknown>) =>
  fc.record(
    {
      _meta: usually(metaOfEra),
      // Resolved when it is sent: the id is known only by then.
      taskId: usually(fc.constantFrom('$TASK', '$TASK', '$TASK', UNKNOWN_TASK, 'x', '')),
      after: usually(fc.oneof(fc.integer(), fc.nat(10), fc.double(), fc.string({ maxLength: 3 }))),
      name: usually(name),
      arguments: usually(fc.record({ n: usually(fc.nat(3)), how: junk, name: junk }, { requiredKeys: [] })),
      task: usually(fc.record({ ttl: usually(fc.nat(90_000)) }, { requiredKeys: [] })),
      message: junk,
      requestId: fc.oneof(fc.integer(), junk),
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

export const messageWith = (metaOfEra: fc.Arbitrary<unknown>) =>
  fc.record(
    {
      jsonrpc: usually(fc.constant('2.0')),
      // Without one it is a notification.
      id: fc.option(usually(fc.oneof(fc.integer(), fc.string())), { nil: undefined, freq: 8 }),
      method: usually(method),
      params: usually(paramsWith(metaOfEra)),
    },
    { requiredKeys: ['jsonrpc', 'id', 'method', 'params'] },
  );

export const message = messageWith(meta);

export const bodyOf = (m: typeof message) =>
  fc.oneof(
    { weight: 30, arbitrary: m.map((one) => JSON.stringify(one)) },
    { weight: 2, arbitrary: fc.array(m, { maxLength: 3 }).map((some) => JSON.stringify(some)) },
    { weight: 1, arbitrary: junk.map((any) => JSON.stringify(any)) },
    { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 50 }) },
  );
export const body = bodyOf(message);

export const headerText = fc.string({
  unit: fc.integer({ min: 0x20, max: 0x7e }).map((c) => String.fromCodePoint(c)),
  maxLength: 20,
});
export const headers = fc.record({
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

/** The request that was drawn, with the task's id and with headers that agree with the body where they should. */
export function resolved(drawn: Record<string, string | undefined>, drawnBody: string, taskId: string): AnyRequest {
  // The one task that all others name stays.
  const text = drawnBody.replaceAll('$TASK', drawnBody.includes(DELETE) ? UNKNOWN_TASK : taskId);
  const said = saidBy(text);
  const entries = Object.entries(noUndefined(drawn)).map(
    ([key, value]) => [key, said[value as keyof typeof said] ?? value] as const,
  );
  return { headers: Object.fromEntries(entries), body: text };
}

export const noUndefined = (record: Record<string, string | undefined>): Record<string, string> =>
  Object.fromEntries(Object.entries(record).flatMap(([key, value]) => (value === undefined ? [] : [[key, value]])));
