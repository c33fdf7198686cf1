/**
 * Streams through the real load balancers with the very files of deploy/: events come at once, any request may go to any
 * node, and a node that drains costs a stream one reconnect and no event.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { pickFreePort } from '@taskstream/embedded';
import { afterAll, beforeAll, describe, expect, it, type TestContext } from 'vitest';
import { DONE, endOf, liveTask, startScene, type Scene } from '../integration/front-end/scene.js';
import { openStreams, until } from '../integration/front-end/http.js';
import { callTask, expectContiguous, readStream, seqOf } from '../support/rpc.js';
import { needsProgram } from '../support/system-binary.js';
import type { FrontEnd } from '../support/system.js';

const deploy = (file: string): string => fileURLToPath(new URL(`../../deploy/${file}`, import.meta.url));

interface Balancer {
  readonly name: string;
  /** Starts it before two front ends; it listens on `port`. */
  start(context: TestContext, frontEnds: readonly [FrontEnd, FrontEnd], port: number): Promise<ChildProcess>;
}

const address = (frontEnd: FrontEnd): string => new URL(frontEnd.endpoint).host;
const opsPort = (frontEnd: FrontEnd): string => new URL(String(frontEnd.ready['ops'])).port;

let scene: Scene;
let directory: string;
const running: ChildProcess[] = [];

const BALANCERS: readonly Balancer[] = [
  {
    name: 'haproxy',
    start: async (context, [first, second], port) =>
      spawn(needsProgram(context, 'haproxy', 'haproxy'), ['-db', '-f', deploy('haproxy/haproxy.cfg')], {
        env: {
          LISTEN: `127.0.0.1:${port}`,
          FRONT_END_1: address(first),
          OPS_PORT_1: opsPort(first),
          FRONT_END_2: address(second),
          OPS_PORT_2: opsPort(second),
        },
        stdio: 'ignore',
      }),
  },
  {
    name: 'nginx',
    start: async (context, [first, second], port) => {
      const file = path.join(directory, 'nginx.conf');
      const conf = readFileSync(deploy('nginx/nginx.conf'), 'utf8')
        .replace('front-end-1:3000', address(first))
        .replace('front-end-2:3000', address(second))
        .replace('listen 8080', `listen 127.0.0.1:${port}`)
        .replace('worker_processes auto', 'worker_processes 1')
        .replace('worker_connections 65536', 'worker_connections 256')
        .replaceAll('/tmp/', `${directory}/`);
      await writeFile(file, conf);
      return spawn(needsProgram(context, 'nginx', 'nginx-light'), ['-c', file, '-g', 'daemon off;'], {
        stdio: 'ignore',
      });
    },
  },
];

beforeAll(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'taskstream-balancer-'));
  scene = await startScene();
}, 90_000);

afterAll(async () => {
  for (const child of running) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    child.kill('SIGTERM');
    await once(child, 'exit');
  }
  await scene?.[Symbol.asyncDispose]();
  await rm(directory, { recursive: true, force: true });
});

describe.each(BALANCERS)('$name', (balancer) => {
  it('hands events on at once, and loses none when a node drains', async (context) => {
    const env = { TASKSTREAM_OPS_PORT: '0', TASKSTREAM_DRAIN_SPREAD_MS: '0' };
    const frontEnds = [await scene.frontEnd(env), await scene.frontEnd(env)] as const;
    const port = await pickFreePort();
    const child = await balancer.start(context, frontEnds, port);
    running.push(child);
    const endpoint = `http://127.0.0.1:${port}/mcp`;
    const answers = async () => (await fetch(endpoint, { method: 'OPTIONS' }).catch(() => undefined))?.status ?? 503;
    await until(async () => (await answers()) !== 503 && (await answers()) !== 502, 'the balancer', 20_000);

    // A whole task, each request wherever it goes.
    const counted = await readStream(endpoint, await callTask(endpoint, 'count', { n: 20 }));
    expectContiguous(counted.params, 0);
    expect(endOf(counted)).toMatchObject({ reason: 'terminal' });

    // One event that comes while nothing follows it: whoever buffers keeps it.
    const { taskId, log } = await liveTask(scene);
    const seen: number[] = [];
    const reading = readStream(endpoint, taskId, undefined, {
      stop: (params) => {
        seen.push(seqOf(params));
        return false;
      },
    });
    await until(() => seen.length === 2, 'the first events');
    await log.append([{ type: 'com.example.step', payload: { alone: true } }]);
    await until(() => seen.length === 3, 'an event that nothing follows');

    // The node that serves it drains; the reader goes on through the same address.
    const open = await Promise.all(frontEnds.map((one) => openStreamsOf(one)));
    const leaving = frontEnds[open[0] === 1 ? 0 : 1];
    leaving.kill('SIGTERM');
    const read = await reading;
    expect(endOf(read)).toMatchObject({ reason: 'draining', nextSeq: 3 });
    await log.append([{ type: 'com.example.step', payload: { after: 'the drain' } }]);
    await log.appendStatus(DONE);
    const rest = await readStream(endpoint, taskId, 2);
    expectContiguous([...read.params, ...rest.params], 0);
    expect(endOf(rest)).toMatchObject({ reason: 'terminal' });
    expect(await leaving.exited).toEqual({ code: 0, signal: null });
  });
});

/** Streams of a front end that has a port of its own for operations. */
function openStreamsOf(frontEnd: FrontEnd): Promise<number> {
  return openStreams(String(frontEnd.ready['ops']));
}
