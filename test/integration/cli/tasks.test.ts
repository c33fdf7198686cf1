/**
 * The commands that read and answer tasks, as processes against a real system: front ends that restart, terminals,
 * pipes and files.
 */
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startNats, type TestNats } from '../../support/nats.js';
import { callTask, CAPABILITIES_WITH_TASKS, readStream, rpc } from '../../support/rpc.js';
import { startFrontEnd, startWorker, stopAll, type FrontEnd, type TestProcess } from '../../support/system.js';
import { BIN, run, seqsOf, taskstream, until } from './support.js';

const TOOLS = fileURLToPath(new URL('./form-tools.mjs', import.meta.url));

let nats: TestNats;
let frontEnd: FrontEnd;
let worker: TestProcess;
let directory: string;
const started: TestProcess[] = [];

beforeAll(async () => {
  nats = await startNats();
  directory = await mkdtemp(path.join(tmpdir(), 'taskstream-tasks-'));
  [frontEnd, worker] = await Promise.all([startFrontEnd(nats.url), startWorker(nats.url, { TASKSTREAM_TOOLS: TOOLS })]);
  started.push(frontEnd, worker);
});

afterAll(async () => {
  await stopAll(started);
  await nats?.[Symbol.asyncDispose]();
  if (directory !== undefined) await rm(directory, { recursive: true, force: true });
});

const env = () => ({ TASKSTREAM_URL: frontEnd.endpoint });
const ASKABLE = { ...CAPABILITIES_WITH_TASKS, elicitation: {} };
const file = (name: string) => path.join(directory, name);

async function isAsking(taskId: string): Promise<boolean> {
  return (await rpc(frontEnd.endpoint, 'tasks/get', { taskId })).result?.['status'] === 'input_required';
}

async function order(): Promise<string> {
  const call = { name: 'order', arguments: {} };
  const { result } = await rpc(frontEnd.endpoint, 'tools/call', call, { capabilities: ASKABLE });
  const taskId = String(result?.['taskId']);
  await until(() => isAsking(taskId), 'the task asks');
  return taskId;
}

async function answerOf(taskId: string): Promise<unknown> {
  let result: unknown;
  await until(async () => {
    result = (await rpc(frontEnd.endpoint, 'tasks/get', { taskId })).result?.['result'];
    return result !== undefined;
  }, 'the task completes');
  const { content } = result as { content: { text: string }[] };
  return JSON.parse(content[0]?.text ?? 'null') as unknown;
}

/** Kills the front end and starts it again on the same port. */
async function restart(): Promise<void> {
  const { port } = new URL(frontEnd.endpoint);
  frontEnd.kill('SIGKILL');
  await frontEnd.exited;
  frontEnd = await startFrontEnd(nats.url, { TASKSTREAM_PORT: port });
  started.push(frontEnd);
}

it('tail survives front ends that restart, and says so with -v only', async () => {
  const taskId = await callTask(frontEnd.endpoint, 'talk', { words: 40, everyMs: 50 });
  const quiet = taskstream(['tail', taskId], { env: env() });
  const verbose = taskstream(['tail', taskId, '-v'], { env: env() });
  for (const seen of [6, 30]) {
    await until(() => Math.min(quiet.lines().length, verbose.lines().length) > seen, `more than ${seen} events`);
    await restart();
  }
  expect([await quiet.exit, await verbose.exit]).toEqual([0, 0]);
  const whole = await readStream(frontEnd.endpoint, taskId);
  expect(quiet.lines().slice(0, -1)).toEqual(whole.params);
  expect(verbose.lines()).toEqual(quiet.lines());
  expect(quiet.err()).toBe('');
  expect(verbose.err()).toContain('resuming after event');
});

it('--cursor-file goes on where the last run stopped', async () => {
  const taskId = await callTask(frontEnd.endpoint, 'talk', { words: 20, everyMs: 20 });
  const argv = ['tail', taskId, '--cursor-file', file('cursors.json')];
  const first = taskstream(argv, { env: env() });
  await until(() => first.lines().length > 10, 'some events');
  first.child.kill('SIGINT');
  expect(await first.exit).toBe(130);
  const second = await run(argv, { env: env() });
  expect(second.exitCode).toBe(0);
  const seqs = [...seqsOf(first.lines()), ...seqsOf(second.lines)];
  expect(seqs).toEqual(seqs.map((_, index) => index));
  expect(seqs.length).toBeGreaterThan(60);
  const third = await run(argv, { env: env() });
  expect(seqsOf(third.lines)).toEqual([]);
});

it('answer asks field by field over a pipe', async () => {
  const { lines } = await run(['call', 'order', '--input', '{}'], { env: env() });
  const { taskId } = JSON.parse(lines[0] ?? '') as { taskId: string };
  await until(() => isAsking(taskId), 'the task asks');
  const command = taskstream(['answer', taskId], { env: env(), input: true });
  command.child.stdin?.end(['A', 'Ada', 'many', '36', '', 'yes', '3', '2', ''].join('\n'));
  expect(await command.exit).toBe(0);
  expect(JSON.parse(command.out())).toMatchObject({ taskId, action: 'accept' });
  expect(command.err()).toContain('What shall it be?');
  expect(command.err()).toContain('age: expected whole number, 1 to 120');
  expect(await answerOf(taskId)).toEqual({
    action: 'accept',
    content: { name: 'Ada', age: 36, agree: true, size: 'large' },
  });
  const again = await run(['answer', taskId], { env: env() });
  expect(again).toMatchObject({ exitCode: 1, out: '' });
  expect(again.err).toContain('The task asks for nothing now; its status is completed');
});

it('answer takes its answer from the command line, and checks it', async () => {
  const taskId = await order();
  const wrong = await run(['answer', taskId, '--json', '{"name":"A","agree":true,"shoe":1}'], { env: env() });
  expect(wrong).toMatchObject({ exitCode: 2, out: '' });
  for (const part of ['name: expected text', 'age: missing', 'shoe: no such field']) expect(wrong.err).toContain(part);
  expect(await run(['answer', taskId, '--key', 'other', '--decline'], { env: env() })).toMatchObject({ exitCode: 1 });
  const short = taskstream(['answer', taskId], { env: env(), input: true });
  short.child.stdin?.end('Ada\n');
  expect(await short.exit).toBe(1);
  expect(short.err()).toContain('the question stays open');
  expect(await isAsking(taskId)).toBe(true);
  const content = { name: 'Ada', age: 36, agree: false, size: 'small' };
  const right = await run(['answer', taskId, '--json', JSON.stringify(content)], { env: env() });
  expect(right.exitCode).toBe(0);
  expect(await answerOf(taskId)).toEqual({ action: 'accept', content });
  const refused = await order();
  expect((await run(['answer', refused, '--decline'], { env: env() })).exitCode).toBe(0);
  expect(await answerOf(refused)).toMatchObject({ action: 'decline' });
});

it('answer works on a terminal, and leaves the question open at Ctrl-C', async () => {
  const taskId = await order();
  // util-linux's script gives the command a terminal of its own.
  const onTerminal = (argv: readonly string[]) => {
    const words = [process.execPath, BIN, ...argv].map((word) => `'${word}'`).join(' ');
    const child = spawn('script', ['-qefc', words, file('typescript')], {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { ...process.env, ...env(), TERM: 'xterm' },
    });
    let shown = '';
    child.stdout.on('data', (chunk: Buffer) => (shown += chunk.toString()));
    const exit = new Promise<number | null>((resolve) => child.once('close', resolve));
    return { child, exit, shown: () => shown };
  };
  const left = onTerminal(['answer', taskId]);
  await until(() => left.shown().includes('name (text'), 'it asks');
  left.child.stdin.write('\u0003');
  expect(await left.exit).toBe(130);
  expect(await isAsking(taskId)).toBe(true);
  const typed = onTerminal(['answer', taskId]);
  for (const [prompt, text] of [
    ['name (text', 'Ad\u007f\u007fEve'],
    ['age (whole', '36'],
    ['share (number', '0.5'],
    ['agree (yes', 'n'],
    ['size (one', 'small'],
  ] as const) {
    await until(() => typed.shown().includes(prompt), `it asks for ${prompt}`);
    typed.child.stdin.write(`${text}\r`);
  }
  expect(await typed.exit).toBe(0);
  expect(typed.shown()).toMatch(/order.*: accept/);
  expect(await answerOf(taskId)).toEqual({
    action: 'accept',
    content: { name: 'Eve', age: 36, share: 0.5, agree: false, size: 'small' },
  });
});

it('export, verify and import: the log byte for byte, checked, and shown without a server', async () => {
  const taskId = await callTask(frontEnd.endpoint, 'talk', { words: 3, everyMs: 0 });
  const exported = await run(['export', taskId, '-o', file('task.ndjson')], { env: env() });
  expect(exported).toMatchObject({ exitCode: 0, out: '' });
  const whole = await readStream(frontEnd.endpoint, taskId);
  const lines = whole.params.map((line) => `${line}\n`);
  expect(await readFile(file('task.ndjson'), 'utf8')).toBe(lines.join(''));

  const verified = await run(['verify', file('task.ndjson')]);
  expect(verified.exitCode).toBe(0);
  expect(JSON.parse(verified.out)).toMatchObject({ complete: true, taskId, events: lines.length, faults: [] });
  const piped = taskstream(['verify', '-'], { input: true });
  piped.child.stdin?.end(lines.toSpliced(4, 1).join(''));
  expect(await piped.exit).toBe(1);
  expect(JSON.parse(piped.out())).toMatchObject({ gapFree: false, faults: [{ fault: 'gap', line: 5, seq: 5 }] });

  const tree = 'agent talker\n' + [0, 1, 2].map((i) => `  message assistant\n    word ${i}\n`).join('');
  expect(await run(['import', file('task.ndjson'), '--transcript'])).toMatchObject({ exitCode: 0, out: tree });
  expect(await run(['tail', taskId, '--transcript'], { env: env() })).toMatchObject({ exitCode: 0, out: tree });
});
