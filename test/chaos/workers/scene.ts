/**
 * Scenes of work: tasks are created, faults strike until they have done so for long enough, every task is read and
 * judged.
 */
import { createTask } from '../../support/task-logs.js';
import { judge, type Verdict } from './checks.js';
import { FAULTS, randomOf, type FaultName } from './faults.js';
import { layGround } from './ground.js';
import { inTurns, leftovers, readLogs, untilOver } from './settling.js';

export interface SceneOptions {
  readonly fault: FaultName;
  readonly nodes: 1 | 3;
  readonly seed: number;
  readonly workers: number;
  readonly leaseMs: number;
  readonly tasks: number;
  readonly steps: number;
  readonly stepMs: number;
  /** Between two faults. */
  readonly everyMs: number;
  /** How long faults strike; they stop early when every task is over. */
  readonly strikeMs: number;
  /** Until every task must be over, from the last fault on. */
  readonly settleMsMax: number;
}

export interface SceneResult extends Verdict {
  readonly scene: string;
  readonly nodes: number;
  readonly seed: number;
  readonly hits: number;
  readonly seconds: number;
}

export async function playScene(options: SceneOptions): Promise<SceneResult> {
  const { fault, nodes, seed, settleMsMax, steps, stepMs } = options;
  await using ground = await layGround(options);
  const startedAt = performance.now();
  const taskIds = await inTurns(Array.from({ length: options.tasks }), async () => {
    const spec = { tool: 'chaos', arguments: { steps, stepMs }, attemptsMax: 1_000 };
    return (await createTask(ground.on, spec)).taskId;
  });
  const over = new AbortController();
  // A look at the tasks may itself wait for the end of an outage.
  const enough = setTimeout(() => over.abort(), options.strikeMs);
  const striking = FAULTS[fault](ground, randomOf(seed), options.everyMs, over.signal);
  await untilOver(ground, taskIds, options.strikeMs);
  clearTimeout(enough);
  over.abort();
  const hits = await striking;
  const left = await untilOver(ground, taskIds, settleMsMax);
  const { logs, gaps } = await readLogs(ground, taskIds);
  const verdict = judge(logs, await ground.journal(), steps);
  const faults = [
    ...gaps,
    ...left.map((taskId) => `${taskId}: not over ${settleMsMax} ms after the last fault`),
    ...verdict.faults,
    ...(hits === 0 ? ['no fault was done'] : []),
    ...(await leftovers(ground, settleMsMax)),
  ];
  return { ...verdict, faults, scene: fault, nodes, seed, hits, seconds: (performance.now() - startedAt) / 1_000 };
}
