import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { expect, it, onTestFinished } from 'vitest';
import { startNatsCluster } from '../src/nats-cluster.js';
import { isAlive, temporaryDirectory, until } from './support.js';

it('elects a leader, takes a replicated stream at once, survives the loss of the leader and heals', async () => {
  const cluster = await startNatsCluster({ dataDir: await temporaryDirectory() });
  onTestFinished(() => cluster.stop());
  expect(new Set(cluster.urls).size).toBe(3);

  const connection = await connect({ servers: [...cluster.urls], maxReconnectAttempts: -1, reconnectTimeWait: 50 });
  onTestFinished(() => connection.close());
  const manager = await jetstreamManager(connection);
  const stream = await manager.streams.add({ name: 'R3', subjects: ['r3.>'], num_replicas: 3, max_bytes: 2 ** 32 });
  expect(stream.cluster?.replicas).toHaveLength(2);
  await until(async () => (await cluster.streamLeader('R3')) !== undefined, 'a stream leader is known');

  const leader = await cluster.metaLeader();
  expect(leader).toBeDefined();
  leader!.kill('SIGKILL');
  await leader!.exited;
  await cluster.waitUntilReady();
  expect((await cluster.metaLeader())!.name).not.toBe(leader!.name);
  await until(async () => {
    const published = await jetstream(connection)
      .publish('r3.x', 'x')
      .catch(() => undefined);
    return published !== undefined;
  }, 'two of three nodes take a message');

  await leader!.restart();
  await cluster.waitUntilReady();
  const pids = cluster.nodes.map((node) => node.pid);
  await cluster.stop();
  expect(pids.filter(isAlive)).toEqual([]);
});

it('stops what it started when one node does not start', async () => {
  const dataDir = await temporaryDirectory();
  await expect(startNatsCluster({ dataDir, extraConfig: 'no_such_option: 1' })).rejects.toMatchObject({
    code: 'start_failed',
  });
});
