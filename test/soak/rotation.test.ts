/** Which faults come: all of them, and nobody that has to live through the run. */
import { describe, expect, it } from 'vitest';
import { FAULT_KINDS, nameOf, ROLES, rotation, victimOf, type Planned } from './rotation.js';

function take(seed: number, count: number): Planned[] {
  const plan = rotation(seed);
  return Array.from({ length: count }, () => plan.next().value);
}

const ROUND = ROLES.length * FAULT_KINDS.length;

describe('the rotation', () => {
  it('has every fault once in each round', () => {
    const faults = take(1, 3 * ROUND).map(nameOf);
    for (const round of [0, 1, 2])
      expect(new Set(faults.slice(round * ROUND, (round + 1) * ROUND))).toHaveProperty('size', ROUND);
  });

  it('is the same for a seed, and another for another and in the next round', () => {
    const faults = take(1, 2 * ROUND);
    expect(take(1, 2 * ROUND)).toEqual(faults);
    expect(take(2, 2 * ROUND)).not.toEqual(faults);
    expect(faults.slice(0, ROUND).map(nameOf)).not.toEqual(faults.slice(ROUND).map(nameOf));
  });
});

describe('who is hit', () => {
  const running = ['lives', 'second', 'third'];
  const hit = (kind: Planned['kind']): Set<string> =>
    new Set([0, 0.2, 0.4, 0.6, 0.8, 0.999].map((draw) => victimOf(running, 'lives', { role: 'worker', kind, draw })));

  it('is never the one that lives through the run where the fault ends a process', () => {
    for (const kind of ['restart', 'SIGKILL'] as const) expect(hit(kind)).toEqual(new Set(['second', 'third']));
  });

  it('is any where it only stops or is cut off', () => {
    for (const kind of ['SIGSTOP', 'link down'] as const) expect(hit(kind)).toEqual(new Set(running));
  });

  it('is nobody when none is left', () => {
    expect(() => victimOf(['lives'], 'lives', { role: 'NATS', kind: 'SIGKILL', draw: 0 })).toThrow('nothing is left');
  });
});
