import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { parseJsonOption } from '../src/arguments.js';
import { DEFAULT_URL, readCliConfig } from '../src/config.js';
import { ExitCode, UsageError } from '../src/exit-codes.js';
import { runProgram } from '../src/program.js';
import { temporaryDirectory } from './support.js';

async function run(...argv: string[]) {
  const action = () => vi.fn<() => Promise<ExitCode>>(async () => ExitCode.ok);
  const actions = {
    up: action(),
    call: action(),
    tail: action(),
    get: action(),
    cancel: action(),
    answer: action(),
    export: action(),
    import: action(),
    verify: action(),
    steer: action(),
    pause: action(),
    resume: action(),
    delete: action(),
    tools: action(),
    doctor: action(),
  };
  let out = '';
  let err = '';
  const exitCode = await runProgram(argv, actions, {
    out: (text) => (out += text),
    err: (text) => (err += text),
  });
  const called = Object.entries(actions).filter(([, one]) => one.mock.calls.length > 0);
  return { exitCode, out, err, called: called.map(([name, one]) => [name, ...(one.mock.calls[0] as unknown[])]) };
}

describe('the command line', () => {
  it('up has defaults for everything', async () => {
    const { called, exitCode } = await run('up');
    const options = {
      port: 3000,
      frontEnds: 1,
      workers: 1,
      data: '.taskstream',
      json: false,
      restart: true,
      watch: false,
    };
    expect(called).toEqual([['up', options]]);
    expect(exitCode).toBe(0);
  });

  it('up takes all its options', async () => {
    const argv = '--port 0 --front-ends 2 --workers 3 --data d --tools t.mjs --json --no-restart'.split(' ');
    const { called } = await run('up', ...argv);
    const options = {
      port: 0,
      frontEnds: 2,
      workers: 3,
      data: 'd',
      tools: 't.mjs',
      json: true,
      restart: false,
      watch: false,
    };
    expect(called).toEqual([['up', options]]);
  });

  it('call takes a tool, an input and several URLs', async () => {
    const url = ['http://a/mcp', 'https://b/mcp'];
    const { called } = await run('call', 'greet', '--input', '{}', '--follow', '--url', url[0]!, '--url', url[1]!);
    expect(called).toEqual([['call', 'greet', { input: '{}', follow: true, verbose: false, url }]]);
  });

  it('tail, get, cancel, delete, tools and doctor take theirs', async () => {
    expect((await run('tail', 't1', '--after', '0', '-v', '--cursor-file', 'c')).called).toEqual([
      ['tail', 't1', { after: 0, verbose: true, cursorFile: 'c', transcript: false }],
    ]);
    expect((await run('get', 't1')).called).toEqual([['get', 't1', {}]]);
    expect((await run('cancel', 't1')).called).toEqual([['cancel', 't1', {}]]);
    expect((await run('delete', 't1')).called).toEqual([['delete', 't1', {}]]);
    expect((await run('tools')).called).toEqual([['tools', {}]]);
    expect((await run('doctor')).called).toEqual([['doctor', { port: 3000, data: '.taskstream' }]]);
  });

  it('steer, pause and resume take theirs', async () => {
    expect((await run('steer', 't1', 'hurry up', '--data', '{"n":1}')).called).toEqual([
      ['steer', 't1', 'hurry up', { data: '{"n":1}' }],
    ]);
    expect((await run('steer', 't1')).exitCode).toBe(ExitCode.usage);
    expect((await run('pause', 't1', '--url', 'http://a/mcp')).called).toEqual([
      ['pause', 't1', { url: ['http://a/mcp'] }],
    ]);
    expect((await run('resume', 't1')).called).toEqual([['resume', 't1', {}]]);
  });

  it('answer, export, import and verify take theirs', async () => {
    expect((await run('answer', 't1', '--key', 'k', '--json', '{}')).called).toEqual([
      ['answer', 't1', { key: 'k', json: '{}', decline: false, cancel: false }],
    ]);
    expect((await run('export', 't1', '-o', 'f', '--after', '3')).called).toEqual([
      ['export', 't1', { output: 'f', after: 3, verbose: false }],
    ]);
    expect((await run('import', '-', '--transcript')).called).toEqual([
      ['import', '-', { transcript: true, json: false }],
    ]);
    expect((await run('verify', 'f', '--after', '0')).called).toEqual([['verify', 'f', { after: 0 }]]);
    expect((await run('verify', '--help')).out).toContain('5    gap-free, but the beginning or the end');
  });

  it.each([
    [['answer', 't', '--json', '{}', '--decline'], "option '--json <json>' cannot be used with option '--decline'"],
    [['answer', 't', '--decline', '--cancel'], "option '--decline' cannot be used with option '--cancel'"],
    [['tail', 't', '--transcript', '--after', '3'], "option '--transcript' cannot be used with option '--after <seq>'"],
    [['verify'], "missing required argument 'file'"],
    [['up', '--port', '70000'], 'from 0 to 65535'],
    [['up', '--port', '3e3'], 'from 0 to 65535'],
    [['up', '--workers', '0'], 'from 1 to 16'],
    [['up', '--front-ends', '1.5'], 'from 1 to 16'],
    [['up', 'extra'], 'too many arguments'],
    [['call', 'greet'], '--input'],
    [['call', '--input', '{}'], "missing required argument 'tool'"],
    [['tail', 't', '--after', '-1'], 'whole number'],
    [['tail', 't', '--after', '9007199254740993'], 'whole number'],
    [['tail', 't', '--url', 'localhost:3000'], 'http or https URL'],
    [['tail', 't', '--url', '/mcp'], 'http or https URL'],
    [['frobnicate'], "unknown command 'frobnicate'"],
    [['up', '--prot', '1'], 'Did you mean --port?'],
  ])('refuses %j with exit code 2 and without an action', async (argv, message) => {
    const { exitCode, err, called } = await run(...argv);
    expect(called).toEqual([]);
    expect(exitCode).toBe(2);
    expect(err).toContain(message);
  });

  it('shows help with the exit codes', async () => {
    const { exitCode, out, called } = await run('--help');
    expect(exitCode).toBe(0);
    expect(called).toEqual([]);
    for (const part of ['up [options]', 'call [options] <tool>', 'doctor', '3    the task was cancelled']) {
      expect(out).toContain(part);
    }
  });
});

describe('--input', () => {
  it('is a JSON object, or a file that holds one', async () => {
    const file = path.join(await temporaryDirectory(), 'arguments.json');
    await writeFile(file, '{"path":"."}');
    expect(await parseJsonOption('--input', '{"a":[1]}')).toEqual({ a: [1] });
    expect(await parseJsonOption('--json', `@${file}`)).toEqual({ path: '.' });
  });

  it.each([
    ['{', 'is not JSON'],
    ['', 'is not JSON'],
    ['[]', 'expected a JSON object, got array'],
    ['null', 'expected a JSON object, got null'],
    ['5', 'expected a JSON object, got integer'],
    ['@/nonexistent', 'cannot read /nonexistent'],
  ])('refuses %j', async (text, message) => {
    await expect(parseJsonOption('--input', text)).rejects.toThrow(message);
    await expect(parseJsonOption('--input', text)).rejects.toBeInstanceOf(UsageError);
  });
});

describe('the environment', () => {
  it('gives the endpoints, and a default', () => {
    expect(readCliConfig({}).urls).toEqual([DEFAULT_URL]);
    expect(readCliConfig({ TASKSTREAM_URL: 'http://a/mcp, http://b/mcp' }).urls).toEqual([
      'http://a/mcp',
      'http://b/mcp',
    ]);
  });

  it('names a NATS server in two ways, NATS_URL first; empty values count as absent', () => {
    expect(readCliConfig({ NATS_URL: 'nats://a', TASKSTREAM_NATS_URL: 'nats://b' }).natsUrl).toBe('nats://a');
    expect(readCliConfig({ NATS_URL: '', TASKSTREAM_NATS_URL: 'nats://b' }).natsUrl).toBe('nats://b');
    expect(readCliConfig({ NATS_URL: ' ' }).natsUrl).toBeUndefined();
  });

  it('is passed on to the services without what only this program knows', () => {
    const { serviceEnvironment } = readCliConfig({ TASKSTREAM_URL: 'http://a', TASKSTREAM_SLOTS: '2', HOME: '/h' });
    expect(serviceEnvironment).toEqual({ TASKSTREAM_SLOTS: '2', HOME: '/h' });
  });
});
