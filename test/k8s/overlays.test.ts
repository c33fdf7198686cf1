/**
 * Every overlay renders, fits the schemas, and keeps the rules; planted mistakes are found.
 */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it, test } from 'vitest';
import { createLogger, createMetrics } from '@taskstream/service-host';
import { FrontEndLimits } from '../../services/front-end/src/config.js';
import { OpenStreams } from '../../services/front-end/src/stream/open-streams.js';
import { observeStreams } from '../../services/front-end/src/stream/stream-metrics.js';
import { exampleTools } from '../../services/worker/src/tools/index.js';
import { parseStages } from '../deploy/dockerfile.js';
import { Cluster } from './cluster.js';
import { findKubectl } from './kubectl.js';
import { lint } from './lint.js';
import { applyEdit, MUTANTS, SURVIVORS } from './mutants.js';
import type { Facts } from './rule.js';
import { OVERLAYS, render, type KubernetesObject, type Overlay } from './render.js';
import { schemaFaults } from './schema.js';

const stages = parseStages(readFileSync(fileURLToPath(new URL('../../Dockerfile', import.meta.url)), 'utf8'));
const facts: Facts = {
  queues: [...new Set(exampleTools({ auditRoots: ['/'] }).map((tool) => tool.definition.queue))],
  metrics: frontEndMetrics(),
};

function frontEndMetrics(): string[] {
  const metrics = createMetrics({ service: 'front_end', processMetrics: false });
  const logger = createLogger({ name: 'test', level: 'silent' });
  observeStreams(metrics, logger, new OpenStreams(FrontEndLimits.parse({})), { feeds: 0 });
  return metrics.registry.getMetricsAsArray().map(({ name }) => name);
}

const rendered = new Map<Overlay, KubernetesObject[]>();
const schemas = new Map<string, string[]>();
const linted = (overlay: Overlay, objects: readonly KubernetesObject[]): string[] =>
  lint(new Cluster(overlay, objects, stages), facts);
const objectsOf = (overlay: Overlay): KubernetesObject[] => rendered.get(overlay) ?? [];

beforeAll(async () => {
  const kubectl = await findKubectl();
  for (const overlay of OVERLAYS) rendered.set(overlay, await render(kubectl, overlay));
  // One run of the compiler for everything.
  const plain = OVERLAYS.flatMap((overlay) => objectsOf(overlay).map((object) => ({ label: overlay, object })));
  const edited = [...MUTANTS.filter(({ caughtBy }) => caughtBy === 'schema'), ...SURVIVORS].flatMap((edit) => {
    const before = new Set(objectsOf(edit.overlay).map((object) => JSON.stringify(object)));
    const after = applyEdit(objectsOf(edit.overlay), edit).filter((object) => !before.has(JSON.stringify(object)));
    return after.map((object) => ({ label: edit.name, object }));
  });
  for (const [label, faults] of await schemaFaults([...plain, ...edited])) schemas.set(label, faults);
}, 120_000);

describe.each(OVERLAYS)('overlay %s', (overlay) => {
  it('renders front ends, workers and NATS', () => {
    const names = objectsOf(overlay).map((object) => `${object.kind}/${object.metadata.name}`);
    expect(names).toEqual(
      expect.arrayContaining(['Deployment/taskstream-front-end', 'Deployment/taskstream-worker', 'StatefulSet/nats']),
    );
  });

  it('fits the schemas, without an unknown field', () => {
    expect(schemas.get(overlay)).toEqual([]);
  });

  it('keeps the rules', () => {
    expect(linted(overlay, objectsOf(overlay))).toEqual([]);
  });
});

test('scale-to-zero is prod with nothing else changed', () => {
  const differing = objectsOf('scale-to-zero').filter(
    (object, index) => JSON.stringify(object) !== JSON.stringify(objectsOf('prod')[index]),
  );
  expect(differing.map((object) => object.kind)).toEqual(['ScaledObject']);
});

describe('a planted mistake is found', () => {
  it.each(MUTANTS)('$caughtBy: $name', (mutant) => {
    if (mutant.caughtBy === 'schema') expect(schemas.get(mutant.name)).not.toEqual([]);
    else {
      const faults = linted(mutant.overlay, applyEdit(objectsOf(mutant.overlay), mutant));
      expect(faults.map((fault) => fault.split(':', 1)[0])).toContain(mutant.caughtBy);
    }
  });
});

describe('a mistake that nothing here can see is listed as such', () => {
  it.each(SURVIVORS)('$name: $why', (survivor) => {
    expect(schemas.get(survivor.name)).toEqual([]);
    expect(linted(survivor.overlay, applyEdit(objectsOf(survivor.overlay), survivor))).toEqual([]);
  });
});

test('the share of found mistakes that k8s/README.md states is the one that is tested', () => {
  const readme = readFileSync(fileURLToPath(new URL('../../k8s/README.md', import.meta.url)), 'utf8');
  const names = [...MUTANTS, ...SURVIVORS].map(({ name, object }) => `${object} ${name}`);
  expect(new Set(names).size).toBe(names.length);
  expect(readme).toContain(`${MUTANTS.length} of ${names.length} planted mistakes`);
});
