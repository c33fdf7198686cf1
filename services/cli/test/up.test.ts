import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { up, type UpContext } from '../src/commands/up.js';
import { readCliConfig } from '../src/config.js';
import type { UpOptions } from '../src/program.js';
import { capture, isAlive, occupyPort, readJournal, temporaryDirectory, until } from './support.js';

const fake = path.join(import.meta.dirname, 'fixtures/fake-service.mjs');

/** `up` with fake services; NATS is real unless `env` names one. */
async function startUp(given: { options?: Partial<UpOptions>; env?: Record<string, string>; natsPort?: number } = {}) {
  const workingDirectory = await temporaryDirectory();
  const journalFile = path.join(workingDirectory, 'journal');
  const abort = new AbortController();
  const out = capture();
  let log = '';
  let onSecond: () => void = () => undefined;
  const context: UpContext = {
    config: readCliConfig({ PATH: '', NATS_URL: 'nats://127.0.0.1:9', FAKE_JOURNAL: journalFile, ...given.env }),
    out,
    signal: abort.signal,
    log: (text) => (log += text),
    colorize: false,
    workingDirectory,
    onSecondSignal: (listener) => (onSecond = listener),
    programs: { frontEnd: fake, worker: fake },
    natsPort: given.natsPort ?? 0,
    restartLimits: { windowMs: 60_000, restartsMax: 3, backoffBaseMs: 20, backoffMsMax: 100 },
  };
  const options: UpOptions = {
    port: 0,
    frontEnds: 1,
    workers: 1,
    data: 'data',
    json: true,
    restart: true,
    watch: false,
    ...given.options,
  };
  const ended = up(context, options);
  ended.catch(() => undefined);
  onTestFinished(async () => {
    abort.abort();
    await ended.catch(() => undefined);
  });
  const journal = () => readJournal(journalFile);
  return {
    out,
    log: () => log,
    journal,
    ended,
    workingDirectory,
    stop: () => abort.abort(),
    second: () => onSecond(),
    ready: async () => {
      await Promise.race([until(() => out.text() !== '', 'up is ready', 20_000), ended]);
      const [line = ''] = out.lines();
      return JSON.parse(line) as { endpoints: string[]; nats: string; pids: Record<string, number[]> };
    },
  };
}

describe('up', () => {
  it('prints exactly one JSON line, with every process, when all is ready', async () => {
    const running = await startUp({ options: { frontEnds: 2, workers: 2 }, env: { NATS_URL: '' } });
    const ready = await running.ready();
    expect(Object.keys(ready)).toEqual(['ready', 'endpoints', 'nats', 'pids']);
    expect(ready.endpoints).toHaveLength(2);
    for (const endpoint of ready.endpoints) expect((await fetch(endpoint)).status).toBe(200);
    const pids = Object.values(ready.pids).flat();
    expect(pids).toHaveLength(5);
    expect(pids.filter((pid) => !isAlive(pid))).toEqual([]);
    const conf = await readFile(path.join(running.workingDirectory, 'data/nats/nats-server.conf'), 'utf8');
    expect(conf).toContain(`listen: "${ready.nats.replace('nats://', '')}"`);

    running.stop();
    expect(await running.ended).toBe(0);
    expect(running.out.lines()).toHaveLength(1);
    expect(pids.filter(isAlive)).toEqual([]);
  });

  it('stops front ends before workers', async () => {
    const running = await startUp({ options: { frontEnds: 2, workers: 2 } });
    await running.ready();
    running.stop();
    await running.ended;
    const stops = (await running.journal()).filter((entry) => entry.what === 'stop').map((entry) => entry.kind);
    expect(stops).toEqual(['front-end', 'front-end', 'worker', 'worker']);
  });

  it('gives the services what an embedded system needs, and what the user has set', async () => {
    const tools = fake;
    const running = await startUp({
      options: { tools },
      env: { TASKSTREAM_SLOTS: '3', TASKSTREAM_LEASE_MS: '900', TASKSTREAM_URL: 'http://x', TASKSTREAM_OPS_PORT: '9' },
    });
    const { nats } = await running.ready();
    const entries = await running.journal();
    const frontEnd = entries.find((entry) => entry.kind === 'front-end')!.env;
    const worker = entries.find((entry) => entry.kind === 'worker')!.env;
    for (const env of [frontEnd, worker]) {
      expect(env).toMatchObject({ TASKSTREAM_NATS_URL: nats, TASKSTREAM_REPLICAS: '1', TASKSTREAM_SLOTS: '3' });
      expect(env).toMatchObject({ TASKSTREAM_OPS_PORT: '0', TASKSTREAM_LOG_PRETTY: 'false' });
      expect(env).not.toHaveProperty('TASKSTREAM_URL');
    }
    expect(frontEnd).toMatchObject({ TASKSTREAM_HOST: '127.0.0.1' });
    expect(frontEnd['TASKSTREAM_SESSION_KEY']).toMatch(/^[0-9a-f]{64}$/);
    expect(worker).toMatchObject({
      TASKSTREAM_TOOLS: tools,
      TASKSTREAM_LEASE_MS: '900',
      TASKSTREAM_AUDIT_ROOTS: running.workingDirectory,
    });
    expect(worker).not.toHaveProperty('TASKSTREAM_PORT');
  });

  it('says when the ports are taken, and takes free ones', async () => {
    const port = await occupyPort();
    const natsPort = await occupyPort();
    const running = await startUp({ options: { port, frontEnds: 2 }, natsPort, env: { NATS_URL: '' } });
    const { endpoints, nats } = await running.ready();
    expect(running.log()).toContain(`port ${port} is taken; the front end takes ${new URL(endpoints[0]!).port}`);
    expect(running.log()).toContain(`port ${natsPort} is taken; nats-server takes a free one`);
    expect(new Set([port, natsPort, ...[...endpoints, nats].map((url) => Number(new URL(url).port))]).size).toBe(5);
  });

  it('keeps the logs of the children to warnings with --json, and prefixes them', async () => {
    const running = await startUp();
    await running.ready();
    expect(running.log()).toContain('[front-end-1]');
    expect(running.log()).toContain('a warning line');
    expect(running.log()).toContain('[worker-1] a line that is no JSON');
    expect(running.log()).not.toContain('an informative line');
  });

  it('shows all logs and what to do next without --json', async () => {
    const running = await startUp({ options: { json: false, frontEnds: 2 } });
    await until(() => running.out.text().includes('Ctrl-C'), 'up is ready');
    expect(running.log()).toMatch(/\[worker-1\] .*INFO \(worker\): an informative line/);
    expect(running.out.text()).toMatch(/npx taskstream tools --url http:\/\/127\.0\.0\.1:\d+\/mcp/);
    running.stop();
    await running.ended;
    expect(running.log()).toContain('[up] INFO: stopped');
  });

  it('starts killed processes again: front ends on the same port, nats-server with the same data', async () => {
    const running = await startUp({ env: { NATS_URL: '' } });
    const { pids, endpoints, nats } = await running.ready();
    const [frontEnd = 0] = pids['frontEnds']!;
    const [natsPid = 0] = pids['nats']!;
    process.kill(frontEnd, 'SIGKILL');
    process.kill(natsPid, 'SIGKILL');
    await until(
      async () => (await running.journal()).filter((entry) => entry.kind === 'front-end').length === 2,
      'again',
    );
    await until(async () => (await fetch(endpoints[0]!).catch(() => undefined))?.status === 200, 'the same port');
    const pidFile = path.join(running.workingDirectory, 'data/nats/nats-server.pid');
    await until(async () => Number(await readFile(pidFile, 'utf8').catch(() => natsPid)) !== natsPid, 'nats is back');
    const conf = await readFile(path.join(running.workingDirectory, 'data/nats/nats-server.conf'), 'utf8');
    expect(conf).toContain(nats.replace('nats://', ''));
    expect(running.log()).toContain(`front-end-1 (pid ${frontEnd}) ended unexpectedly: SIGKILL`);
    expect(running.log()).toContain(`nats (pid ${natsPid}) ended unexpectedly: SIGKILL`);
  });

  it('leaves killed processes as they are with --no-restart', async () => {
    const running = await startUp({ options: { restart: false } });
    const { pids } = await running.ready();
    process.kill(pids['workers']![0]!, 'SIGKILL');
    await until(() => running.log().includes('ended unexpectedly'), 'the end is noticed');
    expect((await running.journal()).filter((entry) => entry.kind === 'worker')).toHaveLength(1);
    running.stop();
    expect(await running.ended).toBe(0);
  });

  it('fails loudly when a process keeps ending, and takes everything down', async () => {
    const running = await startUp({ env: { FAKE_WORKER: 'crashes' } });
    const { pids } = await running.ready();
    await expect(running.ended).rejects.toThrow('worker-1 ended 4 times within 1 min');
    expect(Object.values(pids).flat().filter(isAlive)).toEqual([]);
  });

  it.each([
    ['FAKE_FRONT_END', 'fails', 'front-end-1 did not start: exit code 1'],
    ['FAKE_WORKER', 'fails', 'cannot start: no luck'],
    ['FAKE_WORKER', 'bad-ready', 'worker-1 sent a ready message of another shape'],
  ])('tells why a service does not start, and leaves nothing behind: %s=%s', async (name, mode, message) => {
    const running = await startUp({ env: { [name]: mode, NATS_URL: '' }, options: { frontEnds: 2 } });
    await expect(running.ended).rejects.toThrow(message);
    expect(running.out.text()).toBe('');
    const pids = (await running.journal()).map((entry) => entry.pid);
    const nats = await readFile(path.join(running.workingDirectory, 'data/nats/nats-server.pid'), 'utf8').catch(
      () => '0',
    );
    await until(() => [...pids, Number(nats)].filter((pid) => pid > 0 && isAlive(pid)).length === 0, 'all are gone');
  });

  it('can be interrupted while it starts', async () => {
    const running = await startUp({ env: { FAKE_WORKER: 'silent' } });
    await until(async () => (await running.journal()).length === 2, 'both have begun');
    running.stop();
    expect(await running.ended).toBe(130);
    expect((await running.journal()).filter((entry) => isAlive(entry.pid))).toEqual([]);
  });

  it('kills everything at the second signal', async () => {
    const running = await startUp({ env: { FAKE_FRONT_END: 'deaf' } });
    const { pids } = await running.ready();
    running.stop();
    await until(async () => (await running.journal()).some((entry) => entry.what === 'stop'), 'the drain has begun');
    expect(isAlive(pids['frontEnds']![0]!)).toBe(true);
    running.second();
    expect(await running.ended).toBe(0);
    expect(running.log()).not.toContain('did not end within');
    expect(Object.values(pids).flat().filter(isAlive)).toEqual([]);
  });

  it('refuses a tools module that is not there before it starts anything', async () => {
    const running = await startUp({ options: { tools: 'nowhere.mjs' } });
    await expect(running.ended).rejects.toThrow('nowhere.mjs does not exist');
    expect(await running.journal()).toEqual([]);
  });
});
