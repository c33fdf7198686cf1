/** The examples as their users run them: real processes, real kills, a model behind HTTP. */
import { createTaskClient, type TaskClient, type TaskHandle, type TaskOutcome } from '@taskstream/client';
import { applyEvent, EMPTY_TRANSCRIPT, type Transcript } from '@taskstream/client/transcript';
import type { TaskEvent } from '@taskstream/protocol';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startNats, type TestNats } from '../../support/nats.js';
import { startFrontEnd, startWorker, stopAll, type FrontEnd, type TestProcess } from '../../support/system.js';
import { isAlive, until } from '../cli/support.js';
import { FakeOpenAi } from './fake-openai.js';

const TALKER = fileURLToPath(new URL('./talker.mjs', import.meta.url));
const TOOLS = fileURLToPath(new URL('./all-tools.mjs', import.meta.url));
const talk = (what: string) => [process.execPath, TALKER, what];

let nats: TestNats;
let frontEnd: FrontEnd;
let worker: TestProcess;
let model: FakeOpenAi;
let client: TaskClient;
let dir: string;

async function startExamples(): Promise<TestProcess> {
  return startWorker(nats.url, {
    TASKSTREAM_TOOLS: TOOLS,
    RUN_COMMANDS: JSON.stringify({
      build: talk('build'),
      turns: talk('turns'),
      long: talk('long'),
      hang: talk('hang'),
      missing: [path.join(dir, 'no-such-program')],
    }),
    AGENT_MODEL_URL: model.url,
    AGENT_MODEL: 'small',
    AGENT_MODEL_KEY: 'secret',
    BATCH_ROOT: dir,
  });
}

async function killWorker(): Promise<void> {
  worker.kill('SIGKILL');
  await worker.exited;
  worker = await startExamples();
}

beforeAll(async () => {
  dir = await mkdtemp(path.join(tmpdir(), 'taskstream-examples-'));
  [nats, model] = await Promise.all([startNats(), FakeOpenAi.start()]);
  [frontEnd, worker] = await Promise.all([startFrontEnd(nats.url), startExamples()]);
  client = createTaskClient({ endpoints: [frontEnd.endpoint] });
});

afterAll(async () => {
  await stopAll([worker, frontEnd].filter((p) => p !== undefined));
  await model?.[Symbol.asyncDispose]();
  await nats?.[Symbol.asyncDispose]();
  await rm(dir, { recursive: true, force: true, maxRetries: 5 });
});

/** Follows a call to its end. */
async function follow(
  call: TaskHandle,
  onEvent: (event: TaskEvent) => Promise<void> | void = () => undefined,
): Promise<{ events: TaskEvent[]; outcome: TaskOutcome }> {
  const events: TaskEvent[] = [];
  const following = call.events();
  for await (const item of following) {
    if (item.type !== 'event') throw new Error('a gap');
    events.push(item.event);
    await onEvent(item.event);
  }
  return { events, outcome: await following.outcome };
}

const ofType = (events: ReadonlyArray<TaskEvent>, type: string) => events.filter((e) => e.type === type);

describe('run_command', () => {
  const LINE = 'com.example.command.line';
  const textsOf = (events: ReadonlyArray<TaskEvent>, stream?: string) =>
    ofType(events, LINE)
      .filter((e) => stream === undefined || e.payload['stream'] === stream)
      .map((e) => e.payload['text']);

  it('streams the output line by line, each stream in order, and tells the exit code', async () => {
    const { events, outcome } = await follow(await client.callTool('run_command', { command: 'build' }));
    const lines = Array.from({ length: 300 }, (_e, i) => `line ${i} é`);
    expect(textsOf(events, 'stdout')).toEqual([...lines, 'no line feed at the end']);
    expect(textsOf(events, 'stderr')).toEqual(['warning 50', 'warning 150', 'warning 250']);
    expect(outcome).toMatchObject({
      status: 'completed',
      result: { isError: true, structuredContent: { exitCode: 3, signal: null, lines: 304, truncated: false } },
    });
  });

  it('keeps the order in which both streams spoke', async () => {
    const { events, outcome } = await follow(await client.callTool('run_command', { command: 'turns' }));
    expect(textsOf(events)).toEqual(['turn 0', 'turn 1', 'turn 2', 'turn 3']);
    expect(outcome).toMatchObject({ status: 'completed', result: { isError: false } });
  });

  it('gives long lines in pieces, and drops what is over the limit, saying so', async () => {
    const { events, outcome } = await follow(await client.callTool('run_command', { command: 'long' }));
    const texts = textsOf(events).map(String);
    expect(texts.slice(0, 3).map((t) => t.length)).toEqual([10_000, 10_000, 5_000]);
    expect(Math.max(...texts.map((t) => t.length))).toBe(10_000);
    expect(ofType(events, 'com.example.command.truncated')).toHaveLength(1);
    expect(texts.join('').length).toBeLessThanOrEqual(10_000_000);
    expect(outcome).toMatchObject({ status: 'completed', result: { structuredContent: { truncated: true } } });
  });

  it('kills a command that does not want to stop when its task is cancelled', async () => {
    const call = await client.callTool('run_command', { command: 'hang' });
    let pid = 0;
    const { events, outcome } = await follow(call, async (event) => {
      if (event.type !== LINE || pid !== 0) return;
      pid = Number(event.payload['text']);
      expect(isAlive(pid)).toBe(true);
      await call.cancel();
    });
    expect(outcome.status).toBe('cancelled');
    expect(textsOf(events)).toEqual([String(pid), 'asked to stop']);
    await until(() => !isAlive(pid), 'the command is gone');
  });

  it('refuses what is not allowed, and tells of a program that is not there', async () => {
    await expect(client.callTool('run_command', { command: 'rm' }).then((c) => c.result())).resolves.toMatchObject({
      isError: true,
    });
    const { outcome } = await follow(await client.callTool('run_command', { command: 'missing' }));
    expect(outcome).toMatchObject({ status: 'completed', result: { isError: true } });
    expect(JSON.stringify(outcome)).toContain('ENOENT');
  });
});

describe('agent', () => {
  beforeEach(() => {
    model.requests.length = 0;
  });

  it('shows text, a tool, a helper and a question; a crash while it asks pays for no turn twice', async () => {
    model.answers = [
      {
        text: 'Adding up, é. ',
        toolCalls: [{ id: 'c1', name: 'add', arguments: '{"numbers":[19,23]}' }],
      },
      { status: 503 },
      { toolCalls: [{ id: 'c2', name: 'delegate', arguments: '{"name":"checker","task":"check it"}' }] },
      { text: 'It is 42.' },
      { text: 'One question. ', toolCalls: [{ id: 'c3', name: 'ask_user', arguments: '{"question":"Sure?"}' }] },
      { text: 'All done.' },
    ];
    let asked = 0;
    const call = await client.callTool(
      'agent',
      { prompt: 'What is 19 + 23?' },
      {
        onInputRequest: async (_key, request) => {
          asked++;
          expect(request.params['message']).toBe('Sure?');
          await killWorker();
          return { action: 'accept', content: { answer: 'quite sure' } };
        },
      },
    );
    const { events, outcome } = await follow(call);
    expect(outcome).toMatchObject({ status: 'completed', result: { content: [{ text: 'All done.' }] } });
    expect(asked).toBe(1);
    expect(Math.max(...ofType(events, 'dev.taskstream.attempt.started').map((e) => Number(e.payload['attempt'])))).toBe(
      2,
    );

    // One request a turn, and one more for the fault.
    expect(model.requests).toHaveLength(6);
    const [first, failed, retried, helper, , last] = model.requests;
    expect(first?.headers.authorization).toBe('Bearer secret');
    expect(first?.body).toMatchObject({ model: 'small', stream: true });
    expect(retried?.headers['idempotency-key']).toBe(failed?.headers['idempotency-key']);
    expect(helper?.body.messages.at(-1)).toEqual({ role: 'user', content: 'check it' });
    expect(last?.body.messages.filter((m) => m['role'] === 'tool').map((m) => m['content'])).toEqual([
      '42',
      'It is 42.',
      'quite sure',
    ]);

    expect(outlineOf(events)).toEqual([
      'agent lead finished',
      '  message "Adding up, é. " finished',
      '  tool add "42" finished',
      '  message "" interrupted',
      '  message "" finished',
      '  tool delegate "It is 42." finished',
      '  message "One question. " finished',
      '  tool ask_user "quite sure" finished',
      '  message "All done." finished',
    ]);
    const spawned = ofType(events, 'dev.taskstream.child.spawned');
    expect(spawned).toHaveLength(1);
    const helperEvents = await follow(client.task(String(spawned[0]?.payload['taskId'])));
    expect(outlineOf(helperEvents.events)).toEqual(['agent checker finished', '  message "It is 42." finished']);
  });
});

describe('add_up', () => {
  it('goes on at its last checkpoint after SIGKILL, and counts every record once', async () => {
    const records = 30_000;
    const perChunk = 500;
    const bad = new Set([7, 12_345]);
    const lines = Array.from({ length: records }, (_e, i) =>
      bad.has(i) ? '{"account":"a"}' : JSON.stringify({ account: `a${i % 3}`, amount: i }),
    );
    await writeFile(path.join(dir, 'records.ndjson'), lines.join('\n'));
    const call = await client.callTool('add_up', { file: 'records.ndjson', recordsPerChunk: perChunk });
    let killed = false;
    const { events, outcome } = await follow(call, async (event) => {
      if (killed || event.type !== 'com.example.batch.chunk' || Number(event.payload['first']) < 5_000) return;
      killed = true;
      await killWorker();
    });
    const totals: Record<string, number> = { a0: 0, a1: 0, a2: 0 };
    for (let i = 0; i < records; i++) if (!bad.has(i)) totals[`a${i % 3}`] = (totals[`a${i % 3}`] ?? 0) + i;
    expect(outcome).toMatchObject({
      status: 'completed',
      result: { structuredContent: { records: records - bad.size, rejected: bad.size, totals } },
    });
    expect(killed).toBe(true);
    const firsts = ofType(events, 'com.example.batch.chunk').map((e) => Number(e.payload['first']));
    // Every chunk is there, and at most one of them twice: that which was under way when the worker died.
    expect(new Set(firsts).size).toBe(records / perChunk);
    expect(firsts.length - records / perChunk).toBeLessThanOrEqual(1);
    expect(ofType(events, 'dev.taskstream.attempt.started')).toHaveLength(2);
  });

  it('reads nothing outside its root', async () => {
    const { outcome } = await follow(await client.callTool('add_up', { file: '../../etc/passwd' }));
    expect(outcome).toMatchObject({ status: 'completed', result: { isError: true } });
    expect(JSON.stringify(outcome)).toContain('below the root');
  });
});

/** One line an item, indented by its depth. */
function outlineOf(events: ReadonlyArray<TaskEvent>): string[] {
  const transcript = events.reduce<Transcript>((t, event) => applyEvent(t, event), EMPTY_TRANSCRIPT);
  expect(transcript.anomalies).toEqual([]);
  const lines: string[] = [];
  const walk = (items: Transcript['roots'], depth: number): void => {
    for (const item of items) {
      const text =
        item.kind === 'agent' ? '' : ` ${JSON.stringify(item.kind === 'tool' ? item.ended?.['output'] : item.text)}`;
      const name = item.kind === 'message' ? '' : ` ${String(item.name)}`;
      lines.push(`${'  '.repeat(depth)}${item.kind}${name}${text} ${item.state}`);
      walk(item.children, depth + 1);
    }
  };
  walk(transcript.roots, 0);
  return lines;
}
