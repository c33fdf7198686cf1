/**
 * Which fault comes when, and whom it hits. Pure: the same seed gives the same order.
 *
 * Invariants: every fault comes once in a round, in another order each round; a node that has to live through the run is
 * never ended, only stopped or cut off.
 */
import { Random } from '../simulation/client/random.js';

export const FAULT_KINDS = ['restart', 'SIGKILL', 'SIGSTOP', 'link down'] as const;
export type FaultKind = (typeof FAULT_KINDS)[number];
export const ROLES = ['front end', 'worker', 'NATS'] as const;
export type Role = (typeof ROLES)[number];

export interface Planned {
  readonly role: Role;
  readonly kind: FaultKind;
  /** Chooses one of the nodes that it may hit: from 0 to 1, without 1. */
  readonly draw: number;
}

export function nameOf({ role, kind }: Pick<Planned, 'role' | 'kind'>): string {
  return `${role}: ${kind}`;
}

export function* rotation(seed: number): Generator<Planned, never> {
  const random = new Random(seed);
  for (;;) {
    const round = ROLES.flatMap((role) => FAULT_KINDS.map((kind) => ({ role, kind })));
    while (round.length > 0) {
      const [next] = round.splice(random.int(0, round.length - 1), 1);
      if (next !== undefined) yield { ...next, draw: random.next() };
    }
  }
}

/** The one that is hit: of those that run, without the one that lives through the run unless it survives the fault. */
export function victimOf<T>(running: readonly T[], survivor: T, { kind, draw }: Planned): T {
  const survives = kind === 'SIGSTOP' || kind === 'link down';
  const candidates = running.filter((node) => survives || node !== survivor);
  const victim = candidates[Math.floor(draw * candidates.length)];
  if (victim === undefined) throw new Error('nothing is left to be hit');
  return victim;
}
