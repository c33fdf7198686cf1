import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, it } from 'vitest';
import { isAlive, outcomeOf, run, seqsOf, startUp, taskstream, until } from './support.js';

/** Each test starts many processes; other tests may run beside it. */
const TEST_MS_MAX = 180_000;
const TOOLS = path.join(import.meta.dirname, 'tools.mjs');
const counting = (steps: number, pauseMs: number): string => JSON.stringify({ steps, pauseMs });

it(
  'runs the example tool of a fresh system, and gives every event once to whoever asks',
  async () => {
    const { ready, cwd } = await startUp(['--front-ends', '2', '--workers', '1']);
    const [first = '', second = ''] = ready.endpoints;
    await mkdir(path.join(cwd, 'project'));
    for (const name of ['a.ts', 'b.ts', 'c.md']) await writeFile(path.join(cwd, 'project', name), '// TODO: nothing\n');

    const called = await run(['call', 'audit_repository', '--input', '{"path":"project"}', '--follow', '--url', first]);
    expect(called).toMatchObject({ exitCode: 0, err: '' });
    const events = called.lines.slice(0, -1);
    expect(seqsOf(events)).toEqual(events.map((_, index) => index));
    expect(events.filter((line) => line.includes('"type":"org.taskstream-examples.audit.file"'))).toHaveLength(3);
    expect(outcomeOf(called.lines)).toMatchObject({ status: 'completed', result: { content: [{ type: 'text' }] } });

    const { taskId } = outcomeOf(called.lines) as { taskId: string };
    const again = await run(['tail', taskId, '--url', second]);
    expect(again.lines).toEqual(called.lines);
    const rest = await run(['tail', taskId, '--after', '2', '--url', second]);
    expect(rest.lines).toEqual(called.lines.slice(3));
    const got = await run(['get', taskId], { env: { TASKSTREAM_URL: second } });
    expect(JSON.parse(got.out)).toMatchObject({ taskId, status: 'completed' });
  },
  TEST_MS_MAX,
);

it(
  'takes tools of the user, and tells by the exit code how a task ended',
  async () => {
    const { ready } = await startUp(['--tools', TOOLS]);
    const url = ['--url', ready.endpoints[0] ?? ''];
    expect((await run(['tools', ...url])).lines.map((line) => (JSON.parse(line) as { name: string }).name)).toEqual(
      expect.arrayContaining(['count', 'refuse']),
    );

    const refused = await run(['call', 'refuse', '--input', '{}', '--follow', ...url]);
    expect(refused.exitCode).toBe(1);
    expect(outcomeOf(refused.lines)).toMatchObject({ status: 'completed', result: { isError: true } });

    const started = await run(['call', 'count', '--input', counting(1_000, 100), ...url]);
    const { taskId } = JSON.parse(started.out) as { taskId: string };
    const tail = taskstream(['tail', taskId, ...url]);
    await until(() => tail.lines().length > 3, 'events come');
    expect(await run(['cancel', taskId, ...url])).toMatchObject({ exitCode: 0 });
    expect(await tail.exit).toBe(3);
    expect(outcomeOf(tail.lines())).toEqual({ taskId, status: 'cancelled' });
    const deleted = await run(['delete', taskId, ...url]);
    expect(deleted).toMatchObject({ exitCode: 0 });
    expect((await run(['get', taskId, ...url])).exitCode).toBe(1);

    expect(await run(['tail', 'no-such-task', ...url])).toMatchObject({ exitCode: 1, out: '' });
    expect(await run(['call', 'no_such_tool', '--input', '{}', ...url])).toMatchObject({ exitCode: 1 });
    expect(await run(['call', 'count', '--input', '{"steps":"many"}', ...url])).toMatchObject({ exitCode: 1 });
    expect(await run(['call', 'count', '--input', 'many', ...url])).toMatchObject({ exitCode: 2 });
    expect(await run(['get', taskId, '--url', 'http://127.0.0.1:9/mcp'])).toMatchObject({ exitCode: 4 });
  },
  TEST_MS_MAX,
);

it(
  'keeps a position in a file, over an interruption',
  async () => {
    const { ready, cwd } = await startUp(['--tools', TOOLS]);
    const url = ['--url', ready.endpoints[0] ?? ''];
    const started = await run(['call', 'count', '--input', counting(60, 50), ...url]);
    const { taskId } = JSON.parse(started.out) as { taskId: string };
    const tail = ['tail', taskId, '--cursor-file', path.join(cwd, 'cursors.json'), ...url];

    const interrupted = taskstream(tail);
    await until(() => interrupted.lines().length > 10, 'events come');
    interrupted.child.kill('SIGINT');
    expect(await interrupted.exit).toBe(130);
    expect(interrupted.err()).toContain(`npx taskstream tail ${taskId} --after`);

    const resumed = await run(tail);
    expect(resumed.exitCode).toBe(0);
    const [firstAgain = -1, ...rest] = seqsOf(resumed.lines);
    const before = seqsOf(interrupted.lines());
    expect(before).toEqual(before.map((_, index) => index));
    // The last event may come again: its processing was not confirmed before the interruption.
    expect(before.length - firstAgain).toBeLessThanOrEqual(1);
    expect(firstAgain).toBeLessThanOrEqual(before.length);
    expect(rest).toEqual(rest.map((_, index) => firstAgain + 1 + index));
    expect(rest.at(-1)).toBeGreaterThan(60);
  },
  TEST_MS_MAX,
);

it(
  'follows on through another front end when the one that is read from is killed',
  async () => {
    const { ready, command } = await startUp(['--front-ends', '2', '--tools', TOOLS]);
    const urls = ready.endpoints.flatMap((endpoint) => ['--url', endpoint]);
    const call = taskstream(['call', 'count', '--input', counting(100, 30), '--follow', '-v', ...urls]);
    await until(() => call.lines().length > 20, 'events come');
    process.kill(ready.pids.frontEnds[0]!, 'SIGKILL');
    expect(await call.exit).toBe(0);
    const events = call.lines().slice(0, -1);
    expect(seqsOf(events)).toEqual(events.map((_, index) => index));
    expect(events.filter((line) => line.includes('com.example.count.step'))).toHaveLength(100);
    expect(call.err()).toContain('resuming after event');
    await until(() => command.err().includes('front-end-1 (pid'), 'the end is told');
    await until(async () => (await fetch(ready.endpoints[0]!).catch(() => undefined)) !== undefined, 'it is back');
  },
  TEST_MS_MAX,
);

it(
  'leaves nothing behind, whether it is stopped or killed',
  async () => {
    for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
      const { ready, command } = await startUp(['--front-ends', '2', '--workers', '2', '--tools', TOOLS]);
      const pids = Object.values(ready.pids).flat();
      expect(pids.filter(isAlive)).toHaveLength(5);
      command.child.kill(signal);
      expect(await command.exit).toBe(signal === 'SIGTERM' ? 0 : null);
      await until(() => pids.filter(isAlive).length === 0, `all are gone after ${signal}`, 40_000);
      expect(pids.filter(isAlive)).toEqual([]);
    }
  },
  TEST_MS_MAX,
);

it(
  'says that another system works on the same data',
  async () => {
    const { cwd } = await startUp(['--tools', TOOLS]);
    const second = await run(['up', '--json', '--port', '0', '--data', path.join(cwd, '.taskstream')], { cwd });
    expect(second).toMatchObject({ exitCode: 1, out: '' });
    expect(second.err).toMatch(/A nats-server \(pid \d+\) already works in .*choose another data directory/);
  },
  TEST_MS_MAX,
);
