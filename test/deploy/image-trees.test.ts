/**
 * What the images would hold: the Dockerfile's own steps, carried out in a directory, and its mains started from there.
 *
 * The compiler's step is left out: the tests run on its result anyway. `npm run images:check` carries out all steps.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startNats, type TestNats } from '../support/nats.js';
import { callTask, expectContiguous, readStream } from '../support/rpc.js';
import { imageTree, type ImageTree } from './image-tree.js';
import { TARGETS, type Target } from './dockerfile.js';

let nats: TestNats;
const trees = new Map<Target, ImageTree>();
const tree = (target: Target): ImageTree => trees.get(target) as ImageTree;

beforeAll(async () => {
  nats = await startNats();
  await Promise.all(TARGETS.map(async (target) => trees.set(target, await imageTree(target, { build: false }))));
}, 180_000);

afterAll(async () => {
  for (const one of trees.values()) await one[Symbol.asyncDispose]();
  await nats?.[Symbol.asyncDispose]();
});

/** Metrics that the dashboards of k8s/components/monitoring name. */
function dashboardMetrics(): string[] {
  const directory = fileURLToPath(new URL('../../k8s/components/monitoring/dashboards/', import.meta.url));
  const expressions = readdirSync(directory).flatMap((file) =>
    [...readFileSync(directory + file, 'utf8').matchAll(/"expr": "((?:[^"\\]|\\.)*)"/g)].map(([, expr]) => expr ?? ''),
  );
  return [...new Set(expressions.flatMap((expr) => expr.match(/\b(?:taskstream|process|nodejs)_\w+/g) ?? []))];
}

describe('each tree', () => {
  it.each(TARGETS)('%s holds neither sources nor development dependencies nor other services', async (target) => {
    const files = await tree(target).files();
    expect(files.length).toBeGreaterThan(500);
    expect(files).not.toContainEqual(expect.stringMatching(/^(?:libs|services)\/[^/]+\/(?:src|test)\//));
    expect(files).not.toContainEqual(
      expect.stringMatching(/^node_modules\/(?:vitest|typescript|oxlint|testcontainers)\//),
    );
    expect(files).not.toContainEqual(expect.stringMatching(/^(?:docs|k8s|test|scripts|\.git)\//));
    const services = new Set(files.flatMap((file) => /^services\/([^/]+)\//.exec(file)?.[1] ?? []));
    expect([...services].toSorted()).toEqual(target === 'cli' ? ['cli', 'front-end', 'worker'] : [target]);
  });
});

it('front end and worker start from their trees and serve a task; the command line reads it', async () => {
  const env = { TASKSTREAM_NATS_URL: nats.url, TASKSTREAM_HOST: '127.0.0.1', TASKSTREAM_PORT: '0' };
  const ops = { TASKSTREAM_OPS_HOST: '127.0.0.1', TASKSTREAM_OPS_PORT: '0' };
  const worker = await tree('worker').start({ ...env, ...ops, TASKSTREAM_AUDIT_ROOTS: tree('worker').directory });
  const frontEnd = await tree('front-end').start({ ...env, ...ops });
  const endpoint = String(frontEnd.ready['endpoint']);

  const taskId = await callTask(endpoint, 'audit_repository', { path: tree('worker').directory + '/services' });
  const { params } = await readStream(endpoint, taskId);
  expectContiguous(params, 0);
  expect(params.join('\n')).toContain('"status":"completed"');

  // The health check of the image says yes while it runs, and no afterwards.
  const port = new URL(String(frontEnd.ready['ops'])).port;
  expect(await tree('front-end').healthcheck({ TASKSTREAM_OPS_PORT: port })).toBe(0);
  const listed = await tree('cli').run(['tools', '--url', endpoint]);
  expect(listed.stdout).toContain('audit_repository');
  expect(listed.code).toBe(0);

  // What the dashboards ask for is there.
  const texts = await Promise.all(
    [frontEnd, worker].map(async ({ ready }) => (await fetch(`${String(ready['ops'])}/metrics`)).text()),
  );
  const known = new Set(
    texts
      .join('\n')
      .match(/^# TYPE \S+/gm)
      ?.map((line) => line.slice('# TYPE '.length)),
  );
  const asked = dashboardMetrics();
  expect(asked.length).toBeGreaterThan(10);
  for (const name of asked) expect([...known]).toContain(name.replace(/_bucket$/, ''));

  for (const service of [frontEnd, worker]) service.child.kill('SIGTERM');
  expect(await Promise.all([frontEnd.exited, worker.exited])).toEqual([0, 0]);
  expect(await tree('front-end').healthcheck({ TASKSTREAM_OPS_PORT: port })).toBe(1);
});
