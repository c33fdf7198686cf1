/** Part (a): the state machine against the model server, seed by seed, each one twice. */
import { judge, simulate, type SimulatedRun } from '../../simulation/client/simulate.js';

export interface SimulationRun {
  readonly runs: number;
  /** What is wrong, with its seed. */
  readonly wrong: readonly string[];
  /** Seeds whose second run left another trace. */
  readonly unrepeatable: readonly number[];
  /** How often each fault of the model occurred in a run. */
  readonly used: ReadonlyMap<string, number>;
  /** How the runs ended: `ended`, or the code of the error. */
  readonly ends: ReadonlyMap<string, number>;
}

/** Runs the seeds from `seed` on. */
export function runSimulation(seed: number, runs: number): SimulationRun {
  const wrong: string[] = [];
  const unrepeatable: number[] = [];
  const used = new Map<string, number>();
  const ends = new Map<string, number>();
  const count = (counts: Map<string, number>, key: string): void => void counts.set(key, (counts.get(key) ?? 0) + 1);
  for (let i = 0; i < runs; i++) {
    const run = simulate(seed + i);
    if (simulate(seed + i).trace.join('\n') !== run.trace.join('\n')) unrepeatable.push(seed + i);
    for (const what of judge(run)) wrong.push(`seed ${seed + i}: ${what}`);
    for (const fault of run.used) if (fault !== 'none') count(used, fault);
    if (run.world.trims.length > 0) count(used, 'trimmed');
    count(ends, endOf(run));
  }
  return { runs, wrong, unrepeatable, used, ends };
}

function endOf({ state }: SimulatedRun): string {
  return state.phase === 'failed' ? state.failure.code : state.phase;
}
