/** The template, copied into a folder of its own: it compiles, its tests pass, and it runs. */
import { execFile } from 'node:child_process';
import { cp, mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { expect, onTestFinished, test } from 'vitest';
import { outcomeOf, run, startUp } from './support.js';

const ROOT = path.resolve(import.meta.dirname, '../../..');
const npm = promisify(execFile);

test('a copy of the template builds, passes its tests and runs', async () => {
  const dir = await mkdtemp(path.join(tmpdir(), 'taskstream-template-'));
  onTestFinished(() => rm(dir, { recursive: true, force: true, maxRetries: 5 }));
  await cp(path.join(ROOT, 'templates/tool'), dir, {
    recursive: true,
    filter: (source) => !/\/(?:dist|node_modules)$/.test(source),
  });
  await symlink(path.join(ROOT, 'node_modules'), path.join(dir, 'node_modules'));
  await npm('npm', ['run', '--silent', 'build'], { cwd: dir });
  const { stdout } = await npm('npm', ['test', '--silent', '--', '--reporter=json'], { cwd: dir });
  expect(JSON.parse(stdout)).toMatchObject({ numPassedTests: 3, numFailedTests: 0 });

  const { ready } = await startUp(['--tools', path.join(dir, 'dist/tools.js')]);
  const input = JSON.stringify({ texts: ['one two', 'three'] });
  const { exitCode, lines } = await run([
    'call',
    'count_words',
    '--input',
    input,
    '--follow',
    '--url',
    String(ready.endpoints[0]),
  ]);
  expect(exitCode).toBe(0);
  expect(JSON.stringify(outcomeOf(lines))).toContain('3 words');
  expect(lines.filter((line) => line.includes('com.example.counted'))).toHaveLength(2);
});
