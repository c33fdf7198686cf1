/**
 * Measurements that take turns, so that a machine whose speed drifts treats all of them alike.
 */
import type { Values } from './report.js';
import { median } from './statistics.js';

export type Measurement = () => Promise<Values>;

/** Makes every measurement once a round; the median over the rounds of each figure. */
export async function inTurns(rounds: number, measurements: ReadonlyArray<Measurement>): Promise<Values> {
  const samples = new Map<string, number[]>();
  for (let round = 0; round < rounds; round++) {
    for (const measure of measurements) {
      for (const [id, value] of Object.entries(await measure())) {
        samples.set(id, [...(samples.get(id) ?? []), value]);
      }
    }
  }
  return Object.fromEntries([...samples].map(([id, values]) => [id, median(values)]));
}
