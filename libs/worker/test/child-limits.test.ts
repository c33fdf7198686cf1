/** A bound on children that refuses one, or makes it wait, is told by its key. */
import type { AttemptLog, EventReader } from '@taskstream/core';
import { expect, it } from 'vitest';
import { Children } from '../src/children.js';
import { specOf } from './support/fakes.js';
import { toolOf } from './support/scene.js';

/** The children of a first attempt, under bounds of one child and one level. */
function childrenOf(depth: number) {
  const hits: string[] = [];
  const children = new Children({
    spec: specOf(depth === 0 ? {} : { parent: { taskId: specOf().taskId, name: 'p', depth, abandoned: false } }),
    log: { attempt: 1, append: () => Promise.resolve() } as unknown as AttemptLog,
    ports: {
      tasks: {
        create: () => Promise.resolve(true),
        read: () => Promise.resolve(undefined),
        cancel: () => Promise.resolve(),
      },
      events: {} as EventReader,
      catalogue: { get: () => toolOf(() => '').definition },
    },
    signal: new AbortController().signal,
    earlierSeq: 1,
    bounds: { childrenMax: 1, childDepthMax: 1, limitHit: (key) => void hits.push(key) },
    lend: () => () => undefined,
  });
  return { children, hits };
}

it('childrenMax', async () => {
  const { children, hits } = childrenOf(0);
  await children.spawn('tool', {});
  expect(hits).toEqual([]);
  await expect(children.spawn('tool', {})).rejects.toThrow(/childrenMax/);
  expect(hits).toEqual(['childrenMax']);
});

it('childDepthMax', async () => {
  const { children, hits } = childrenOf(1);
  await expect(children.spawn('tool', {})).rejects.toThrow(/childDepthMax/);
  expect(hits).toEqual(['childDepthMax']);
});
