import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { expect, it, onTestFinished } from 'vitest';

const DEMO = path.resolve(import.meta.dirname, '../../../services/cli/dist/demo/main.js');

it('the demo ends well: two processes are killed, and the stream is whole', async () => {
  const demo = spawn(process.execPath, [DEMO], { stdio: ['ignore', 'pipe', 'pipe'] });
  onTestFinished(() => void demo.kill('SIGKILL'));
  let text = '';
  for (const stream of [demo.stdout, demo.stderr]) stream.on('data', (chunk: Buffer) => (text += chunk.toString()));
  const [code] = await once(demo, 'close');
  expect(text).toMatch(/SIGKILL for front-end-\d/);
  expect(text).toMatch(/SIGKILL for worker-\d/);
  expect(text).toMatch(
    /gaps +0\n.*received \/ delivered +\d+ \/ 0\n.*out of order +0\n.*read again +0\n.*attempts +2\n/,
  );
  expect({ code, text }).toMatchObject({ code: 0 });
}, 200_000);
