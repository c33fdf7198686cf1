/** Front end and worker share an environment: each must know the other's keys, or a shared variable would be refused. */
import { expect, it } from 'vitest';
import { FrontEndConfig, OTHER_KEYS as OTHERS_OF_FRONT_END } from '../../services/front-end/src/config.js';
import { OTHER_KEYS as OTHERS_OF_WORKER, WorkerConfig } from '../../services/worker/src/config.js';

const CLI_KEYS = ['url'];

function only(keys: readonly string[], without: readonly string[]): string[] {
  return [...keys.filter((key) => !without.includes(key)), ...CLI_KEYS].toSorted();
}

it('each service accepts exactly the keys that only the other one has', () => {
  const frontEnd = Object.keys(FrontEndConfig.shape);
  const worker = Object.keys(WorkerConfig.shape);
  expect([...OTHERS_OF_FRONT_END].toSorted()).toEqual(only(worker, frontEnd));
  expect([...OTHERS_OF_WORKER].toSorted()).toEqual(only(frontEnd, worker));
  expect(worker.length).toBeGreaterThan(20);
});
