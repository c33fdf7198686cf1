import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, it, onTestFinished } from 'vitest';
import { startNatsServer, type NatsServer, type NatsServerOptions } from '../src/nats-server.js';
import { isPortFree, nextFreePort } from '../src/ports.js';
import { isAlive, temporaryDirectory, until } from './support.js';

async function start(options: Partial<NatsServerOptions> = {}): Promise<NatsServer> {
  const server = await startNatsServer({ dataDir: await temporaryDirectory(), ...options });
  onTestFinished(async () => {
    await server.stop('SIGKILL');
  });
  return server;
}

async function occupyPort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  return (server.address() as AddressInfo).port;
}

async function publishOne(url: string): Promise<void> {
  const connection = await connect({ servers: url });
  await (await jetstreamManager(connection)).streams.add({ name: 'KEPT', subjects: ['kept.>'] });
  await jetstream(connection).publish('kept.one', 'one');
  await connection.close();
}

async function countKept(url: string): Promise<number> {
  const connection = await connect({ servers: url });
  const info = await (await jetstreamManager(connection)).streams.info('KEPT');
  await connection.close();
  return info.state.messages;
}

it('keeps port and data over a restart and over a kill', async () => {
  const server = await start({ syncInterval: 'always' });
  await publishOne(server.url);
  const { pid: firstPid, url } = server;

  await server.restart();
  expect(server.url).toBe(url);
  expect(server.pid).not.toBe(firstPid);
  expect(isAlive(firstPid)).toBe(false);
  expect(await countKept(url)).toBe(1);

  const { exited } = server;
  expect(server.kill('SIGKILL')).toBe(true);
  expect(await exited).toEqual({ code: null, signal: 'SIGKILL' });
  expect(server.running).toBe(false);
  await server.restart();
  expect(server.running).toBe(true);
  expect(await countKept(url)).toBe(1);
});

it('stops even when it was halted by SIGSTOP', async () => {
  const server = await start();
  server.kill('SIGSTOP');
  await expect(fetch(`${server.monitorUrl}/healthz`, { signal: AbortSignal.timeout(200) })).rejects.toThrow('timeout');
  await server.stop();
  expect(isAlive(server.pid)).toBe(false);
});

it('says that a port is taken, and finds a free one when asked for any', async () => {
  const taken = await occupyPort();
  await expect(start({ port: taken })).rejects.toMatchObject({
    code: 'port_taken',
    message: expect.stringContaining(`${taken}`),
  });
  expect(await isPortFree(taken)).toBe(false);
  expect(await nextFreePort(taken)).toBeGreaterThan(taken);
  const server = await start({ port: 0 });
  expect(server.port).not.toBe(taken);
});

it('refuses to work on data that another server works on', async () => {
  const server = await start();
  await expect(start({ dataDir: server.dataDir, predecessorMsMax: 200 })).rejects.toMatchObject({
    code: 'data_dir_in_use',
    message: expect.stringContaining(`pid ${server.pid}`),
  });
});

it('starts over a pid file that an unclean end left behind', async () => {
  const dataDir = await temporaryDirectory();
  await mkdir(dataDir, { recursive: true });
  // Our own pid: alive, but no nats-server.
  await writeFile(path.join(dataDir, 'nats-server.pid'), String(process.pid));
  const server = await start({ dataDir });
  expect(Number(await readFile(path.join(dataDir, 'nats-server.pid'), 'utf8'))).toBe(server.pid);
});

it('shows what nats-server refuses, with and without a check of the configuration', async () => {
  const extraConfig = 'no_such_option: 1';
  await expect(start({ extraConfig, checkConfig: true })).rejects.toMatchObject({
    code: 'config_refused',
    message: expect.stringContaining('no_such_option'),
  });
  await expect(start({ extraConfig })).rejects.toMatchObject({
    code: 'start_failed',
    message: expect.stringContaining('no_such_option'),
  });
  await expect(start({ binary: '/nonexistent/nats-server' })).rejects.toMatchObject({ code: 'server_not_found' });
});

it('gives up on a server that does not become ready, and leaves nothing behind', async () => {
  const dataDir = await temporaryDirectory();
  const binary = path.join(dataDir, 'nats-server');
  const pidFile = path.join(dataDir, 'sleeper.pid');
  await writeFile(binary, `#!/bin/sh\necho $$ > ${pidFile}\nexec sleep 600\n`, { mode: 0o755 });
  await expect(start({ dataDir, binary, startMsMax: 500 })).rejects.toMatchObject({ code: 'start_failed' });
  expect(isAlive(Number(await readFile(pidFile, 'utf8')))).toBe(false);
});

/** A process that starts a server, prints its pid and then waits or leaves. */
async function startInOtherProcess(afterwards: string): Promise<{ child: ReturnType<typeof spawn>; pid: number }> {
  const dataDir = await temporaryDirectory();
  const library = pathToFileURL(path.resolve(import.meta.dirname, '../src/index.ts')).href;
  const source = `import { startNatsServer } from '${library}';
    const server = await startNatsServer({ dataDir: ${JSON.stringify(dataDir)} });
    console.log(server.pid);
    ${afterwards}`;
  const script = path.join(dataDir, 'other.mts');
  await writeFile(script, source);
  const child = spawn(process.execPath, ['--import', 'tsx', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
    cwd: path.resolve(import.meta.dirname, '../../..'),
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  const [line] = await once(child.stdout, 'data');
  return { child, pid: Number(String(line)) };
}

it('ends with the process that started it: on a normal exit', async () => {
  const { child, pid } = await startInOtherProcess('setTimeout(() => process.exit(0), 100);');
  if (child.exitCode === null) await once(child, 'exit');
  await until(() => !isAlive(pid), 'the server is gone');
  expect(isAlive(pid)).toBe(false);
});

it('ends with the process that started it: when that is killed', async () => {
  const { child, pid } = await startInOtherProcess('setInterval(() => {}, 1000);');
  expect(isAlive(pid)).toBe(true);
  child.kill('SIGKILL');
  await until(() => !isAlive(pid), 'the server is gone');
  expect(isAlive(pid)).toBe(false);
});
