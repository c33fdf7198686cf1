/**
 * The Inspector's command line against a front end: revision 2025-11-25, over Streamable HTTP, with a bearer token. Its
 * version 1 is the one that runs on every Node that we support; the next one wants a newer Node.
 */
import { execFile } from 'node:child_process';
import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startScene, type Scene } from '../front-end/scene.js';

/** It looks for its own package.json from where it is run. */
const INSPECTOR = createRequire(import.meta.url).resolve('@modelcontextprotocol/inspector-cli/build/cli.js');
const TOKEN = 'a-token-of-some-length';

let scene: Scene;
beforeAll(async () => {
  scene = await startScene({ env: { TASKSTREAM_AUTH: 'static', TASKSTREAM_STATIC_TOKENS: `ann:${TOKEN}` } });
});
afterAll(() => scene[Symbol.asyncDispose]());

interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

function inspect(token: string, ...args: string[]): Promise<Ran> {
  const all = ['--cli', scene.a.endpoint, '--transport', 'http', '--header', `Authorization: Bearer ${token}`, ...args];
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [INSPECTOR, ...all],
      { timeout: 60_000, cwd: dirname(INSPECTOR) },
      (error, stdout, stderr) => resolve({ code: error === null ? 0 : Number(error.code ?? -1), stdout, stderr }),
    );
  });
}

test('it lists the tools with what each supports, and calls one', async () => {
  const listed = await inspect(TOKEN, '--method', 'tools/list');
  expect(listed.code, listed.stderr).toBe(0);
  const { tools } = JSON.parse(listed.stdout) as { tools: Array<{ name: string; execution?: unknown }> };
  expect(tools.find((tool) => tool.name === 'count')).toMatchObject({ execution: { taskSupport: 'optional' } });
  const called = await inspect(TOKEN, '--method', 'tools/call', '--tool-name', 'count', '--tool-arg', 'n=3');
  expect(called.code, called.stderr).toBe(0);
  expect(JSON.parse(called.stdout)).toEqual({ content: [{ type: 'text', text: '3' }] });
}, 90_000);

test('it says what is wrong: a tool that nobody has, a token that is none', async () => {
  const unknown = await inspect(TOKEN, '--method', 'tools/call', '--tool-name', 'nope');
  expect(unknown.code).not.toBe(0);
  expect(unknown.stderr).toContain('nope');
  const refused = await inspect('another-token-of-some-length', '--method', 'tools/list');
  expect(refused.code).not.toBe(0);
  expect(refused.stdout).not.toContain('count');
}, 90_000);
