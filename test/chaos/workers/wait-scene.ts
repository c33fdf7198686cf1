/**
 * The scene of tasks that wait for input: all of them are suspended, other work goes by, then each is answered at some
 * front end, in an order of the seed, while workers and front ends are killed.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { CAPABILITIES_WITH_TASKS, rpc, type RpcAnswer } from '../../support/rpc.js';
import { pick, randomOf, type Random } from './faults.js';
import { layGround, type Ground } from './ground.js';
import type { SceneResult } from './scene.js';
import { inTurns, itemsIn, leftovers, readLogs, until, untilOver } from './settling.js';
import { judgeWaits } from './wait-checks.js';

export interface WaitOptions {
  readonly nodes: 1 | 3;
  readonly seed: number;
  readonly workers: number;
  /** Of each worker; all together far fewer than `tasks`. */
  readonly slots: number;
  readonly frontEnds: number;
  readonly leaseMs: number;
  readonly tasks: number;
  /** Tasks of another tool that run while the others wait. */
  readonly passing: number;
  /** A worker and a front end each, spread over the answers. */
  readonly kills: number;
  /** Bound of each phase. */
  readonly settleMsMax: number;
}

const CAPABILITIES = { ...CAPABILITIES_WITH_TASKS, elicitation: {} };
const TRIES_MAX = 100;
const TRY_AGAIN_MS = 100;
/** Every so many-th answer is given twice, to two front ends at once. */
const TWICE_EACH = 10;

export async function playWait(options: WaitOptions): Promise<SceneResult> {
  const { nodes, seed, settleMsMax } = options;
  const random = randomOf(seed);
  await using ground = await layGround(options);
  const startedAt = performance.now();
  const faults: string[] = [];

  const taskIds = await create(ground, random, 'chaos_ask', options.tasks);
  faults.push(...(await until(taskIds, settleMsMax, isSuspended(ground))).map((id) => `${id}: does not wait`));
  faults.push(...(await heldSlots(ground, settleMsMax)));
  const passing = await create(ground, random, 'chaos_pass', options.passing);
  faults.push(...(await untilOver(ground, passing, settleMsMax)).map((id) => `${id}: could not run beside the waits`));
  faults.push(
    ...(await until(taskIds, settleMsMax, isSuspended(ground))).map((id) => `${id}: did not wait to the end`),
  );

  const order = shuffled(taskIds, random);
  const answers = new Map(order.map((taskId) => [taskId, `answer of ${taskId}`]));
  const killEach = Math.ceil(order.length / (options.kills + 1));
  const killed = { workers: 0, frontEnds: 0 };
  await inTurns(order, async (taskId, i) => {
    if (i > 0 && i % killEach === 0) killOneOfEach(ground, random, killed);
    const text = answers.get(taskId) ?? '';
    const twice = i % TWICE_EACH === 0;
    await Promise.all([answer(ground, random, taskId, text), twice && answer(ground, random, taskId, text)]);
  });

  faults.push(...(await untilOver(ground, taskIds, settleMsMax)).map((id) => `${id}: not over after its answer`));
  const hits = killed.workers + killed.frontEnds;
  const { logs, gaps } = await readLogs(ground, taskIds);
  const verdict = judgeWaits(logs, await ground.journal(), { answers, killedMax: killed.workers * options.slots });
  faults.push(...gaps, ...verdict.faults, ...(await leftovers(ground, settleMsMax)));
  if (logs.length !== options.tasks) faults.push(`${logs.length} of ${options.tasks} logs were read`);
  if (options.kills > 0 && hits === 0) faults.push('no fault was done');
  return { ...verdict, faults, scene: 'wait', nodes, seed, hits, seconds: (performance.now() - startedAt) / 1_000 };
}

function shuffled<T>(all: ReadonlyArray<T>, random: Random): T[] {
  return all
    .map((one) => ({ one, at: random() }))
    .toSorted((a, b) => a.at - b.at)
    .map(({ one }) => one);
}

const isSuspended =
  ({ on }: Ground) =>
  async (taskId: string) =>
    (await on.store.attempts.readTail(taskId))?.suspended === true;

/** One try of a request at some front end that is alive; undefined when it was killed meanwhile. */
async function ask(
  { frontEnds }: Ground,
  random: Random,
  method: string,
  params: Record<string, unknown>,
): Promise<RpcAnswer | undefined> {
  const frontEnd = pick(frontEnds.live, random);
  if (frontEnd === undefined) return undefined;
  const signal = AbortSignal.timeout(30_000);
  return rpc(frontEnd.endpoint, method, params, { capabilities: CAPABILITIES, signal }).catch(() => undefined);
}

async function insist<T>(what: string, attempt: () => Promise<T | undefined>): Promise<T> {
  for (let tries = 1; tries <= TRIES_MAX; tries++) {
    const done = await attempt();
    if (done !== undefined) return done;
    await delay(TRY_AGAIN_MS);
  }
  throw new Error(`${what} was tried ${TRIES_MAX} times`);
}

const create = (ground: Ground, random: Random, tool: string, count: number) =>
  inTurns(Array.from({ length: count }), () =>
    insist(`the call of ${tool}`, async () => {
      const made = await ask(ground, random, 'tools/call', { name: tool, arguments: {} });
      const taskId = made?.result?.['taskId'];
      return typeof taskId === 'string' ? taskId : undefined;
    }),
  );

/** Reads the question at one front end and answers it at another, or at the same. */
const answer = (ground: Ground, random: Random, taskId: string, text: string) =>
  insist(`the answer to ${taskId}`, async () => {
    const state = await ask(ground, random, 'tasks/get', { taskId });
    if (state?.result === undefined) return undefined;
    const [key] = Object.keys((state.result['inputRequests'] as object | undefined) ?? {});
    // It was answered by a try whose own answer did not arrive, or by its twin.
    if (key === undefined) return true;
    const inputResponses = { [key]: { action: 'accept', content: { text } } };
    const taken = await ask(ground, random, 'tasks/update', { taskId, inputResponses });
    return taken?.result === undefined ? undefined : true;
  });

function killOneOfEach(
  { workers, frontEnds }: Ground,
  random: Random,
  killed: { workers: number; frontEnds: number },
): void {
  const worker = pick(workers.live, random);
  const frontEnd = pick(frontEnds.live, random);
  if (worker !== undefined) {
    workers.kill(worker);
    killed.workers++;
  }
  if (frontEnd !== undefined) {
    frontEnds.kill(frontEnd);
    killed.frontEnds++;
  }
}

/** What tells, though all tasks wait, of attempts that run or of items in the queues. */
async function heldSlots(ground: Ground, msMax: number): Promise<string[]> {
  const running = async () => {
    const pages = await Promise.all(
      ground.workers.live.map(async ({ ready }) => (await fetch(`${String(ready['ops'])}/metrics`)).text()),
    );
    const values = pages.flatMap((page) => /^\w*running_attempts(?:\{[^}]*\})? (\d+)$/m.exec(page)?.[1] ?? []);
    if (values.length === 0 || values.length !== pages.length) throw new Error('workers tell not how much they run');
    return values.reduce((sum, value) => sum + Number(value), 0);
  };
  const isFree = async () => (await running()) === 0 && (await itemsIn(ground)).length === 0;
  const busy = await until(['the workers'], msMax, isFree);
  return busy.length === 0 ? [] : [`${await running()} slots are held by tasks that wait`];
}
