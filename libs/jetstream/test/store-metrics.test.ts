import { describe, expect, it } from 'vitest';
import { observeStore } from '../src/store-metrics.js';

function countsOfSweeps() {
  const counts = new Map<string, number>();
  const observer = observeStore(
    {
      counter: ({ name }) => ({
        inc(labels, by = 1) {
          const key = [name, ...Object.values(labels)].join(' ');
          counts.set(key, (counts.get(key) ?? 0) + by);
        },
      }),
      histogram: () => ({ observe: () => undefined }),
    },
    { warn: () => undefined },
    () => undefined,
  );
  const sweeps = () => Object.fromEntries([...counts].filter(([key]) => /^(?:sweeps|swept_|tasks_repaired)/.test(key)));
  return { observer, sweeps };
}

describe('the sweep, as metrics', () => {
  it('begins at nothing, so that an alert sees the first of each', () => {
    expect(countsOfSweeps().sweeps()).toEqual({
      'sweeps complete': 0,
      'sweeps failed': 0,
      'tasks_repaired queue': 0,
      'tasks_repaired expire': 0,
      'tasks_repaired cancel': 0,
      'tasks_repaired orphan': 0,
    });
  });

  it('tells a sweep that broke off from a task that one could not look at', () => {
    const { observer, sweeps } = countsOfSweeps();
    observer.sweepFailed({ error: new Error('no answer'), taskId: 't' });
    observer.sweepEnded({ tasks: 7, ms: 1 });
    expect(sweeps()).toMatchObject({
      'sweeps complete': 1,
      'sweeps failed': 0,
      swept_tasks: 7,
      swept_tasks_failed: 1,
    });
    observer.sweepFailed({ error: new Error('no answer') });
    expect(sweeps()).toMatchObject({ 'sweeps failed': 1, swept_tasks_failed: 1 });
  });
});
