/** Each bound of the configurations says where it is seen that it was reached, and what is to be counted is. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { FrontEndConfig } from '../../services/front-end/src/config.js';
import { WorkerConfig } from '../../services/worker/src/config.js';
import { sampleNames } from '../integration/observability/metrics-docs.js';
import { LIMITS } from '../integration/observability/limits.js';
import { ROOT } from './workspaces.js';

const SOURCES = ['libs/jetstream/src', 'libs/worker/src', 'services/front-end/src', 'services/worker/src'];
const source = SOURCES.flatMap((dir) =>
  readdirSync(join(ROOT, dir), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => readFileSync(join(entry.parentPath, entry.name), 'utf8')),
).join('\n');

it('every bound has a row, and no row is of another', () => {
  const keys = new Set([...Object.keys(FrontEndConfig.shape), ...Object.keys(WorkerConfig.shape)]);
  const bounds = [...keys].filter((key) => key.endsWith('Max') || key === 'slots' || key === 'shards');
  expect(bounds.length).toBeGreaterThan(50);
  expect(Object.keys(LIMITS).toSorted()).toEqual(bounds.toSorted());
});

it('what is counted is so under its key somewhere', () => {
  // A key in quotes is one that is told; everywhere else it is a property. That it is told when it should be is shown by
  // the tests of each bound.
  const counted = Object.entries(LIMITS).flatMap(([key, { how }]) => (how === 'seen' || how === 'quiet' ? [] : [key]));
  expect(counted.length).toBeGreaterThan(20);
  expect(counted.filter((key) => !source.includes(`'${key}'`))).toEqual([]);
});

it('what is seen elsewhere is seen by a metric that exists', () => {
  const names = sampleNames(readFileSync(join(ROOT, 'docs/metrics.md'), 'utf8'));
  const seen = Object.values(LIMITS).flatMap((row) => (row.how === 'seen' ? [row.what] : []));
  expect(seen.length).toBeGreaterThan(5);
  expect(seen.filter((what) => !names.has(/taskstream_\w+/.exec(what)?.[0] ?? ''))).toEqual([]);
});
