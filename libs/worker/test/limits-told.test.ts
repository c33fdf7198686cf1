/** A bound that refuses something to a tool is told by its key. */
import { expect, it } from 'vitest';
import { FakeTask, specOf } from './support/fakes.js';
import { scene, type Body } from './support/scene.js';

const CASES: Readonly<Record<string, Body>> = {
  checkpointBytesMax: (t) => t.checkpoint('x'.repeat(100)).then(() => ''),
  checkpointsMax: (t) => Promise.all(['a', 'b'].map((name) => t.checkpoint(1, name))).then(() => ''),
  stepResultBytesMax: (t) => t.step('s', () => 'x'.repeat(100)).then(() => ''),
  stepsMax: async (t) => {
    for (const name of ['a', 'b']) await t.step(name, () => 1);
    return '';
  },
};

it.each(Object.entries(CASES))('%s', async (limit, body) => {
  const hits: string[] = [];
  const options = {
    checkpointBytesMax: 50,
    checkpointsMax: 1,
    stepResultBytesMax: 50,
    stepsMax: 1,
    limitHit: (key: string) => void hits.push(key),
  };
  await scene(body, { task: new FakeTask(specOf()), options }).run.run();
  expect(hits).toEqual([limit]);
});
