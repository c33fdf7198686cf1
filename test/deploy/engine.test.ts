/**
 * The images themselves, built and run by a container engine. Where there is none the test says so and is skipped:
 * test/deploy/image-trees.test.ts then is what shows that their contents start.
 */
import { fileURLToPath } from 'node:url';
import { GenericContainer, getContainerRuntimeClient, Network, Wait, type StartedTestContainer } from 'testcontainers';
import { expect, test } from 'vitest';
import { sayAndSkip } from '../support/system-binary.js';
import { expectContiguous, readStream, rpc } from '../support/rpc.js';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const NATS_IMAGE = 'nats:2.14.6-alpine';
const SESSION_KEY = 'only-for-this-test-only-for-this-test';

test(
  'the images run a task as an unprivileged user, are healthy, and leave on SIGTERM',
  { timeout: 900_000 },
  async (context) => {
    const engine = await getContainerRuntimeClient().catch((error: unknown) => String(error));
    if (typeof engine === 'string') sayAndSkip(context, `no container engine, the images were not built: ${engine}`);

    const network = await new Network().start();
    const started: StartedTestContainer[] = [];
    const start = async (container: GenericContainer): Promise<StartedTestContainer> => {
      const one = await container.withNetwork(network).start();
      started.push(one);
      return one;
    };
    try {
      await start(
        new GenericContainer(NATS_IMAGE)
          .withNetworkAliases('nats')
          .withCommand(['--jetstream', '--store_dir=/data', '--http_port=8222'])
          .withWaitStrategy(Wait.forLogMessage(/Server is ready/)),
      );
      const build = (target: string): Promise<GenericContainer> =>
        GenericContainer.fromDockerfile(ROOT).withTarget(target).withBuildkit().build(`taskstream-${target}-test`);
      const service = async (target: string, env: Record<string, string>): Promise<GenericContainer> =>
        (await build(target))
          .withEnvironment({ TASKSTREAM_NATS_URL: 'nats://nats:4222', ...env })
          .withDroppedCapabilities('ALL')
          .withWaitStrategy(Wait.forHealthCheck());
      await start(await service('worker', { TASKSTREAM_AUDIT_ROOTS: '/app/services' }));
      const frontEnd = await start(
        (
          await service('front-end', {
            TASKSTREAM_AUTH: 'static',
            TASKSTREAM_STATIC_TOKENS: 'me:token',
            TASKSTREAM_SESSION_KEY: SESSION_KEY,
            TASKSTREAM_ALLOWED_HOSTS: 'localhost,127.0.0.1',
          })
        ).withExposedPorts(3000),
      );
      const endpoint = `http://${frontEnd.getHost()}:${frontEnd.getMappedPort(3000)}/mcp`;
      const options = { headers: { authorization: 'Bearer token' } };
      const call = { name: 'audit_repository', arguments: { path: '/app/services' } };
      const created = await rpc(endpoint, 'tools/call', call, options);
      const { params } = await readStream(endpoint, String(created.result?.['taskId']), undefined, options);
      expectContiguous(params, 0);
      expect(params.join('\n')).toContain('"status":"completed"');

      expect((await frontEnd.exec(['id', '-u'])).output.trim()).toBe('65532');
      expect((await frontEnd.exec(['cat', '/proc/1/comm'])).output.trim()).toBe('tini');
      await frontEnd.stop({ timeout: 35_000, remove: false });
      const { State } = await engine.container.inspect(engine.container.getById(frontEnd.getId()));
      expect(State.ExitCode).toBe(0);
    } finally {
      for (const one of started.toReversed()) await one.stop();
      await network.stop();
    }
  },
);
