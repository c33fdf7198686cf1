/** `up --watch`: what a change of the tools does to running tasks, to the catalogue, and when it is wrong. */
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { isAlive, outcomeOf, run, startUp, taskstream, until } from './support.js';

const NODE_MODULES = path.resolve(import.meta.dirname, '../../../node_modules');

const tools = (more: string) => `
import { defineTool } from '@taskstream/worker';
import * as z from 'zod';
import { version } from './lib/version.js';

const about = { description: 'd', inputSchema: z.object({ hold: z.boolean().default(false) }) };
const hold = defineTool({
  ...about,
  name: 'hold',
  async run({ hold }, task) {
    await task.emit('com.example.here', { version });
    if (hold && task.attempt === 1) {
      await new Promise((resolve) => task.signal.addEventListener('abort', resolve, { once: true }));
      task.signal.throwIfAborted();
    }
    return 'version ' + version + ' attempt ' + task.attempt;
  },
});
export default [hold${more}];
`;

test('running tasks go on with the changed tools; a fault keeps the old ones and is told', async () => {
  const dir = await mkdtemp(path.join(tmpdir(), 'taskstream-watch-'));
  onTestFinished(() => rm(dir, { recursive: true, force: true, maxRetries: 5 }));
  const file = path.join(dir, 'tools.mjs');
  const setVersion = (n: number) => writeFile(path.join(dir, 'lib/version.js'), `export const version = ${n};\n`);
  await symlink(NODE_MODULES, path.join(dir, 'node_modules'));
  await writeFile(path.join(dir, 'package.json'), '{"type":"module"}');
  await mkdir(path.join(dir, 'lib'));
  await setVersion(1);
  await writeFile(file, tools(''));
  const { command, ready } = await startUp(['--tools', file, '--watch']);
  const url = ['--url', String(ready.endpoints[0])];
  const call = (input: object) => run(['call', 'hold', '--input', JSON.stringify(input), '--follow', ...url]);
  const textOf = async (input: object) => {
    const { lines } = await call(input);
    return JSON.stringify(outcomeOf(lines));
  };

  const running = taskstream(['call', 'hold', '--input', '{"hold":true}', '--follow', ...url]);
  await until(() => running.out().includes('com.example.here'), 'the task runs');
  await setVersion(2);
  expect(await running.exit).toBe(0);
  expect(running.out()).toContain('"reason":"handed_over"');
  expect(JSON.stringify(outcomeOf(running.lines()))).toContain('version 2 attempt 2');
  await until(() => !ready.pids.workers.some(isAlive), 'the old worker is gone');

  await writeFile(file, tools(`, defineTool({ ...about, name: 'second', run: () => 'here' })`));
  await until(async () => (await run(['tools', ...url])).out.includes('second'), 'the catalogue has the new tool');

  await writeFile(file, tools(', {{'));
  await until(() => command.err().includes('the workers go on with the tools as they were'), 'the fault is told');
  expect(command.err()).toMatch(/cannot be loaded: Unexpected token.*tools\.mjs:19\)/);
  expect(await textOf({})).toContain('version 2 attempt 1');

  await setVersion(3);
  await writeFile(file, tools(''));
  await until(async () => (await textOf({})).includes('version 3'), 'the mended tools run');
});

test('without --tools it is a usage fault', async () => {
  const { exitCode, err } = await run(['up', '--watch']);
  expect(exitCode).toBe(2);
  expect(err).toContain('--watch needs --tools');
});
