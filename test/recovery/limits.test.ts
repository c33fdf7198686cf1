/**
 * The limits of a NATS account, of a stream and of a server are reached, and raised: what clients, workers and operators
 * see meanwhile, and that all goes on. docs/recovery.md §Limits. How a stream fills up: test/integration/log/stream-full.
 */
import { provision } from '@taskstream/jetstream';
import { nanoid } from 'nanoid';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { connectStore, startNats, type TestNats } from '../support/nats.js';
import { callTask, rpc } from '../support/rpc.js';
import { testSpec } from '../support/specs.js';
import { startFrontEnd, startWorker, stopAll, type TestProcess } from '../support/system.js';
import { createTask, readTask, runningTask, storedLines, STEP } from '../support/task-logs.js';

const MB = 1024 * 1024;
const OPTIONS = {
  retentionClasses: [{ name: 'd', ttlMsMax: 86_400_000 }],
  streamBytesMax: 60 * MB,
  workBytesMax: 10 * MB,
};
const ENV = {
  TASKSTREAM_RETENTION_CLASSES: 'd:86400000',
  TASKSTREAM_STREAM_BYTES_MAX: String(OPTIONS.streamBytesMax),
  TASKSTREAM_WORK_BYTES_MAX: String(OPTIONS.workBytesMax),
  TASKSTREAM_LEASE_MS: '1000',
};
const account = (fileMb: number) => `accounts {
  A { jetstream { max_file: ${fileMb}MB }, users: [ { user: a, password: a } ] }
}
no_auth_user: a`;

let processes: TestProcess[] = [];

afterEach(async () => {
  await stopAll(processes, 'SIGKILL');
  processes = [];
});

/** Changes the server's configuration as an operator would: edit, reload. Resolves when the server has taken it. */
async function reconfigure({ server }: TestNats, from: string, to: string): Promise<void> {
  const file = join(server.dataDir, 'nats-server.conf');
  const text = await readFile(file, 'utf8');
  if (!text.includes(from)) throw new Error(`${file} does not say ${from}`);
  await writeFile(file, text.replace(from, to));
  const reloads = async () => (await readFile(server.logFile, 'utf8')).split('Reloaded server configuration').length;
  const before = await reloads();
  server.kill('SIGHUP');
  await expect.poll(reloads, { timeout: 20_000 }).toBe(before + 1);
}

describe('the storage of an account', () => {
  it('too small for the streams: the start is refused with both numbers at hand', async () => {
    await using nats = await startNats(undefined, account(50));
    const starting = startWorker(nats.url, ENV).catch((error: unknown) => String(error));
    expect(await starting).toMatch(/max_bytes 62914560 failed: insufficient storage resources/);
    await reconfigure(nats, 'max_file: 50MB', 'max_file: 200MB');
    processes.push(await startWorker(nats.url, ENV));
  });

  it('used up: writes are refused as a limit, reads go on; raised, running tasks end and new ones begin', async () => {
    await using nats = await startNats(undefined, account(200));
    await using on = await connectStore(nats.url, OPTIONS);
    const frontEnd = await startFrontEnd(nats.url, ENV);
    const worker = await startWorker(nats.url, ENV);
    processes.push(frontEnd, worker);
    const padded = await createTask(on, { queue: 'elsewhere', arguments: { pad: 'x'.repeat(900_000) } });
    const going = await createTask(on, { arguments: { n: 60, everyMs: 50 }, attemptsMax: 50 });
    await expect
      .poll(async () => (await on.store.tasks.read(going.taskId))?.nextSeq ?? 0, { timeout: 20_000 })
      .toBeGreaterThan(5);

    await reconfigure(nats, 'max_file: 200MB', 'max_file: 64KB');
    const durable = await storedLines(on, going.taskId);
    const refused = await rpc(frontEnd.endpoint, 'tools/call', { name: 'count', arguments: { n: 1 } });
    expect(refused.error?.data).toMatchObject({ limit: 'streamBytesMax' });
    await expect(on.store.tasks.send(padded.taskId, { type: 'cancel' })).rejects.toMatchObject({
      code: 'stream_full',
      message: expect.stringMatching(/storage limit of the NATS account/) as string,
    });
    expect((await rpc(frontEnd.endpoint, 'tasks/get', { taskId: going.taskId })).result).toMatchObject({
      status: 'working',
    });
    await expect.poll(() => worker.log(), { timeout: 20_000 }).toMatch(/stream_full/);

    await reconfigure(nats, 'max_file: 64KB', 'max_file: 200MB');
    const read = await readTask(on, going.taskId);
    expect(read.end).toMatchObject({ type: 'end', reason: 'terminal' });
    expect(read.lines.slice(0, durable.length)).toEqual(durable);
    const next = await callTask(frontEnd.endpoint, 'count', { n: 1 });
    expect((await readTask(on, next)).end).toMatchObject({ status: 'completed' });
  });
});

describe('max_bytes of a stream', () => {
  it('reached, then raised by a configuration: the next process raises it, and tasks are taken again', async () => {
    await using nats = await startNats();
    const small = { ...OPTIONS, streamBytesMax: 512 * 1024 };
    await using on = await connectStore(nats.url, small);
    const { spec, log } = await runningTask(on);
    const create = () =>
      on.store.tasks.create(testSpec({ taskId: `d0-${nanoid(22)}`, arguments: { pad: 'x'.repeat(90_000) } }));
    const filling = async () => {
      for (;;) await create();
    };
    await expect(filling()).rejects.toMatchObject({ code: 'stream_full' });
    const { raised } = await provision(on.broker, { ...on.options, streamBytesMax: 8 * MB });
    expect(raised).toEqual(['TASKS_d_0.max_bytes']);
    await expect.poll(() => create().catch((error: unknown) => error), { timeout: 10_000 }).toBe(true);
    await log.append([{ type: STEP, payload: {} }]);
    await log.appendStatus({ status: 'completed', result: {} });
    expect((await readTask(on, spec.taskId)).end).toMatchObject({ status: 'completed' });
  });
});

describe('max_connections of a server', () => {
  it('reached: who is connected goes on, who comes waits, and is let in when it is raised', async () => {
    await using nats = await startNats(undefined, 'max_connections: 1');
    await using on = await connectStore(nats.url);
    const waiting = startWorker(nats.url);
    const spec = await createTask(on, { arguments: { n: 2 } });
    // The server's own log tells the operator; a client only sees a connection that is closed.
    const told = async () => (await readFile(nats.server.logFile, 'utf8')).includes('maximum connections exceeded');
    await expect.poll(told, { timeout: 20_000 }).toBe(true);
    await reconfigure(nats, 'max_connections: 1', 'max_connections: 50');
    processes.push(await waiting);
    expect((await readTask(on, spec.taskId)).end).toMatchObject({ status: 'completed' });
  });

  it('for longer than connectMsMax: the start fails, and says where to look', async () => {
    await using nats = await startNats(undefined, 'max_connections: 1');
    await using held = await connectStore(nats.url);
    const failed = startWorker(nats.url, { TASKSTREAM_CONNECT_MS_MAX: '500' }).catch((error: unknown) => String(error));
    expect(await failed).toMatch(/took no connection within 500 ms.*max_connections/s);
    expect(held.broker.connected).toBe(true);
  });
});
