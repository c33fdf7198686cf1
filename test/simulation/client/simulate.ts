/**
 * Runs the follow state machine against the model in virtual time, and judges the run.
 *
 * Invariant: nothing here reads a clock or the system's randomness, so a seed is a run.
 */
import { afterFailure, endpointOrder, type EndpointRest } from '../../../libs/client/src/endpoint-health.js';
import { followStart, followStep } from '../../../libs/client/src/follow-state.js';
import type { FollowEffect, FollowInput, FollowState } from '../../../libs/client/src/follow-types.js';
import { DEFAULT_LIMITS } from '../../../libs/client/src/limits.js';
import { ModelServer, randomWorld, type Stream, type World } from './model-server.js';
import { Random } from './random.js';

/** A run that needs more steps than this hangs. */
export const STEPS_MAX = 20_000;

export type Policy = 'fail' | 'resume' | 'restart';

export interface SimulatedRun {
  readonly seed: number;
  readonly world: World;
  readonly policy: Policy;
  readonly after: number | undefined;
  readonly state: FollowState;
  readonly items: readonly Item[];
  readonly trace: readonly string[];
  /** What the model did to the client. */
  readonly used: ReadonlySet<string>;
  /** `phase × input` that occurred. */
  readonly cells: ReadonlySet<string>;
  readonly finishedAtMs: number;
}

/** What the consumer got, and when. */
export type Item =
  | { readonly type: 'event'; readonly seq: number }
  | {
      readonly type: 'gap';
      readonly from: number;
      readonly to: number;
      readonly restarted: boolean;
      readonly atMs: number;
    };

export function simulate(seed: number): SimulatedRun {
  const random = new Random(seed);
  const world = randomWorld(random);
  const server = new ModelServer(world, random);
  const policy = random.pick<Policy>(['fail', 'resume', 'restart']);
  const startMs = random.chance(0.3) ? random.int(0, world.endsAtMs + 10_000) : 0;
  const appended = world.appendedAtMs.filter((at) => at <= startMs).length;
  const after = appended > 0 && random.chance(0.5) ? random.int(0, appended - 1) : undefined;
  const limits = { ...DEFAULT_LIMITS, attemptsMax: random.pick([5, 30, 200]) };

  let nowMs = startMs;
  const rests: (EndpointRest | undefined)[] = Array.from({ length: world.endpoints }, () => undefined);
  let state = followStart(after);
  let stream: Stream | undefined;
  let silentSinceMs = nowMs;
  let queue: FollowInput[] = [{ type: 'start', mode: 'stream' }];
  const items: Item[] = [];
  const trace: string[] = [];
  const cells = new Set<string>();

  const answer = (input: FollowInput): void => {
    nowMs += input.type === 'silence' ? limits.silenceTimeoutMs : random.int(0, 50);
    queue = [input];
  };

  const carryOut = (effect: FollowEffect): void => {
    switch (effect.type) {
      case 'open': {
        const opened = server.stream(effect.after, nowMs);
        if ('refusal' in opened) return answer(opened.refusal);
        stream = opened.open;
        answer({ type: 'opened' });
        silentSinceMs = nowMs;
        // Our servers say something at once.
        if (world.ours) queue.push({ type: 'activity', heartbeat: true });
        return undefined;
      }
      case 'ask-status':
        return answer(server.get(nowMs));
      case 'wait':
        nowMs += effect.ms;
        queue = [{ type: 'timer' }];
        return undefined;
      case 'abort':
        stream = undefined;
        queue = [];
        return undefined;
      case 'deliver':
        items.push({ type: 'event', seq: effect.seq });
        return undefined;
      case 'gap':
        items.push({ ...effect, atMs: nowMs });
        return undefined;
      case 'endpoint-failed':
        rests[effect.endpoint] = afterFailure(rests[effect.endpoint], nowMs + effect.waitMs, limits);
        return undefined;
      default:
        return undefined;
    }
  };

  const next = (): FollowInput => {
    const queued = queue.shift();
    if (queued !== undefined) return queued;
    const timed = stream?.read(nowMs);
    const silentAtMs = silentSinceMs + limits.silenceTimeoutMs;
    if (timed === undefined || timed.atMs > silentAtMs) {
      nowMs = Math.max(nowMs, silentAtMs);
      return { type: 'silence' };
    }
    nowMs = Math.max(nowMs, timed.atMs);
    silentSinceMs = nowMs;
    return timed.input;
  };

  for (let steps = 0; state.phase !== 'ended' && state.phase !== 'failed'; steps += 1) {
    if (steps >= STEPS_MAX) throw new Error(`Seed ${seed} hangs in ${state.phase} after ${STEPS_MAX} steps`);
    const input = next();
    cells.add(`${state.phase} × ${input.type}`);
    const endpoints = endpointOrder(rests, nowMs);
    const step = followStep(state, input, { limits, onEventsGone: policy, nowMs, random: random.next(), endpoints });
    trace.push(
      `${nowMs} ${state.phase} ${JSON.stringify(input)} → ${step.state.phase} ${JSON.stringify(step.effects)}`,
    );
    state = step.state;
    for (const effect of step.effects) carryOut(effect);
  }
  return { seed, world, policy, after, state, items, trace, used: server.used, cells, finishedAtMs: nowMs };
}

/** Everything that is wrong with a run; empty when it is right. */
export function judge(run: SimulatedRun): string[] {
  const { world, state, items } = run;
  const wrong: string[] = [];
  const total = world.appendedAtMs.length;
  const lost = world.lost !== undefined && world.lost < total ? world.lost : undefined;
  // What nobody can see through: a server that leaves out what comes first, to a reader that has no cursor, and one
  // that leaves out what comes last and does not say where the log ends.
  const leavesOut = lost !== undefined || run.used.has('skip');
  let wanted = (run.after ?? -1) + 1;
  for (const item of items) {
    if (item.type === 'gap') {
      if (!item.restarted && item.from !== wanted) wrong.push(`gap from ${item.from} where ${wanted} was wanted`);
      if (run.policy === 'fail' && wanted !== 0) wrong.push('gap although the policy is to fail');
      for (let seq = item.from; seq <= item.to; seq += 1) {
        const trimmed = world.trims.some(([at, earliest]) => at <= item.atMs && seq < earliest);
        const unseen = leavesOut && item === items[0] && run.after === undefined;
        if (!trimmed && !unseen) wrong.push(`gap over ${seq}, which is retained`);
      }
      wanted = item.restarted ? item.to + 1 : Math.max(wanted, item.to + 1);
    } else {
      if (item.seq !== wanted) wrong.push(`event ${item.seq} where ${wanted} was wanted`);
      if (item.seq >= total) wrong.push(`event ${item.seq} does not exist`);
      wanted = item.seq + 1;
    }
  }
  const unread = wanted < total && !world.noMethod;
  if (state.phase === 'ended') {
    const trimmedAll = run.after === undefined && items.length === 0;
    const hidden = !world.ours && (leavesOut || trimmedAll);
    if (unread && !hidden) wrong.push(`ended before event ${wanted} of ${total}`);
    if (run.finishedAtMs < world.endsAtMs) wrong.push('ended before the task');
    return wrong;
  }
  const code = state.phase === 'failed' ? state.failure.code : 'none';
  const excuse = EXCUSES[code];
  if (excuse === undefined) wrong.push(`failed with ${code}`);
  else if (!excuse(run)) wrong.push(`failed with ${code} without a reason`);
  return wrong;
}

const faulty = (run: SimulatedRun): boolean => [...run.used].some((name) => name !== 'none');

/** The typed errors that a run may end with, and what must have happened. */
const EXCUSES: Readonly<Record<string, (run: SimulatedRun) => boolean>> = {
  events_gone: (run) => run.policy === 'fail' && run.world.trims.length > 0,
  sequence_gap: (run) => run.world.lost !== undefined || run.used.has('skip') || run.used.has('early-end'),
  unauthorized: (run) => run.used.has('401'),
  endpoint_refused: (run) => run.used.has('404'),
  unavailable: faulty,
  rate_limited: (run) => run.used.has('429'),
  stream_active: (run) => run.used.has('stream_active') || run.used.has('unexplained'),
  protocol_fault: (run) => run.used.has('malformed'),
  no_progress: faulty,
};
