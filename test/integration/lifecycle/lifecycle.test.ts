/**
 * How the services begin, wait and are configured, as real processes: what they say while NATS is not there, when it
 * goes, and when it comes back.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pickFreePort, startNatsServer, type NatsServer } from '@taskstream/embedded';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until } from '../front-end/http.js';
import { SERVICES, spawnService, type Service, type SpawnedService } from './service-process.js';

let directory: string;
const spawned: SpawnedService[] = [];
const servers: NatsServer[] = [];

beforeAll(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'taskstream-lifecycle-'));
});

afterAll(async () => {
  await Promise.all(spawned.map((one) => one.end()));
  await Promise.all(servers.map((one) => one.stop('SIGKILL')));
  await rm(directory, { recursive: true, force: true, maxRetries: 5 });
});

const start = (service: Service, env: Record<string, string>, args: readonly string[] = []): SpawnedService => {
  const one = spawnService(service, env, args);
  spawned.push(one);
  return one;
};

async function nats(port: number, token?: string): Promise<NatsServer> {
  const server = await startNatsServer({
    dataDir: path.join(directory, `nats-${port}`),
    port,
    ...(token !== undefined && { extraConfig: `authorization { token: "${token}" }` }),
  });
  servers.push(server);
  return server;
}

/** Status and reasons of /readyz; undefined while nothing answers. */
async function readyz(opsPort: number): Promise<{ status: number; reasons: Record<string, string> } | undefined> {
  const answer = await fetch(`http://127.0.0.1:${opsPort}/readyz`).catch(() => undefined);
  if (answer === undefined) return undefined;
  return { status: answer.status, ...((await answer.json()) as { reasons: Record<string, string> }) };
}

const isReady = (opsPort: number) => async () => (await readyz(opsPort))?.status === 200;
const isNotReady = (opsPort: number) => async () => (await readyz(opsPort))?.status === 503;
const isLive = async (opsPort: number): Promise<boolean> =>
  (await fetch(`http://127.0.0.1:${opsPort}/livez`)).status === 200;

describe.each(SERVICES)('the configuration of %s', (service) => {
  it('is refused with every fault at once, without a stack trace and without values', async () => {
    const file = path.join(directory, `${service}.json`);
    await writeFile(file, JSON.stringify({ shards: 2, shardz: 2 }));
    const one = start(service, {
      TASKSTREAM_CONFIG: file,
      TASKSTREAM_SHARDZ: '3',
      TASKSTREAM_LEASE_MS: 'secret-looking',
      TASKSTREAM_FRONT_END_SERVICE_HOST: '10.0.0.1',
    });
    expect(await one.exited).toEqual({ code: 2, signal: null });
    const said = one.output();
    expect(said).toContain(`shardz in ${file}: unknown key`);
    expect(said).toContain('TASKSTREAM_SHARDZ: unknown key');
    expect(said).toContain('TASKSTREAM_LEASE_MS: expected integer');
    // What Kubernetes sets for a Service of this name, unless told not to.
    expect(said).toContain('TASKSTREAM_FRONT_END_SERVICE_HOST: unknown key');
    expect(said).not.toContain('secret-looking');
    expect(said).not.toMatch(/^\s+at /m);
  });

  it('is printed as it takes effect, with secrets masked', async () => {
    const file = path.join(directory, `${service}-good.json`);
    await writeFile(file, JSON.stringify({ shards: 2, replicas: 3 }));
    const secrets = {
      TASKSTREAM_NATS_URL: 'nats://somebody:hidden-1@127.0.0.1:4222,nats://hidden-2@127.0.0.1:4223',
      TASKSTREAM_NATS_TOKEN: 'hidden-3',
      TASKSTREAM_SESSION_KEY: `hidden-4-${'x'.repeat(32)}`,
      TASKSTREAM_STATIC_TOKENS: 'me:hidden-5-hidden-5-hidden-5',
    };
    const one = start(service, { ...secrets, TASKSTREAM_SHARDS: '4' }, ['--config', file, '--print-config']);
    expect(await one.exited).toEqual({ code: 0, signal: null });
    const printed = JSON.parse(one.output()) as Record<string, unknown>;
    expect(printed).toMatchObject({ shards: 4, replicas: 3, natsToken: '***' });
    expect(one.output()).not.toContain('hidden');
  });
});

describe.each(SERVICES)('%s without NATS', (service) => {
  it('lives, is not ready, and becomes so when NATS comes', async () => {
    const [natsPort, opsPort] = [await pickFreePort(), await pickFreePort()];
    const one = start(service, ports(natsPort, opsPort));
    await until(isNotReady(opsPort), 'an answer', 30_000);
    expect(await isLive(opsPort)).toBe(true);
    expect((await readyz(opsPort))?.reasons).toMatchObject({ nats: expect.any(String) });
    await nats(natsPort);
    await until(isReady(opsPort), 'readiness', 30_000);
    one.kill('SIGTERM');
    expect(await one.exited).toEqual({ code: 0, signal: null });
  });

  it('gives up after connectMsMax, with what to look at and no stack trace', async () => {
    const natsUrl = `nats://somebody:hidden@127.0.0.1:${await pickFreePort()}`;
    const one = start(service, {
      TASKSTREAM_NATS_URL: natsUrl,
      TASKSTREAM_PORT: '0',
      TASKSTREAM_CONNECT_MS_MAX: '500',
    });
    expect(await one.exited).toEqual({ code: 1, signal: null });
    expect(one.output()).toMatch(/cannot start: NATS at nats:\/\/\*\*\*@127\.0\.0\.1:\d+ .*natsUrl.*connectMsMax/);
    expect(one.output()).not.toContain('hidden');
    expect(one.output()).not.toMatch(/"stack"/);
  });

  it('leaves on SIGTERM while it still waits', async () => {
    const [natsPort, opsPort] = [await pickFreePort(), await pickFreePort()];
    const one = start(service, ports(natsPort, opsPort));
    await until(isNotReady(opsPort), 'an answer', 30_000);
    one.kill('SIGTERM');
    expect(await one.exited).toEqual({ code: 0, signal: null });
  });
});

it('both lose NATS, find it with another token, and come back when it takes theirs again', async () => {
  const natsPort = await pickFreePort();
  const first = await nats(natsPort, 'token-one');
  const services = await Promise.all(
    SERVICES.map(async (service) => {
      const opsPort = await pickFreePort();
      return { opsPort, one: start(service, { ...ports(natsPort, opsPort), TASKSTREAM_NATS_TOKEN: 'token-one' }) };
    }),
  );
  for (const { opsPort } of services) await until(isReady(opsPort), 'readiness', 30_000);

  await first.stop('SIGKILL');
  for (const { opsPort } of services) {
    await until(isNotReady(opsPort), 'a service that is not ready', 30_000);
    expect(await readyz(opsPort)).toMatchObject({ reasons: { nats: expect.any(String) } });
    expect(await isLive(opsPort)).toBe(true);
  }
  // A client that is refused twice for its token would give up for ever, if it were not told otherwise.
  const other = await nats(natsPort, 'token-two');
  const refused = () =>
    services.every(({ one }) => (one.output().match(/authorization violation/gi) ?? []).length >= 3);
  await until(refused, 'refused connections', 30_000);
  for (const { opsPort } of services) expect(await isLive(opsPort)).toBe(true);

  await other.stop('SIGKILL');
  await nats(natsPort, 'token-one');
  for (const { opsPort } of services) await until(isReady(opsPort), 'readiness after all', 30_000);
  for (const { one } of services) one.kill('SIGTERM');
  for (const { one } of services) expect(await one.exited).toEqual({ code: 0, signal: null });
}, 120_000);

function ports(natsPort: number, opsPort: number): Record<string, string> {
  return {
    TASKSTREAM_NATS_URL: `nats://127.0.0.1:${natsPort}`,
    TASKSTREAM_PORT: '0',
    TASKSTREAM_OPS_PORT: String(opsPort),
  };
}
