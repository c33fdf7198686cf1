/**
 * The moves that the table of the follow state machine is made of: open, ask, poll, try again, give up, end.
 *
 * Invariants: a request in flight is aborted before the next one; every try that brings nothing is counted, and the
 * count is bounded by `attemptsMax`; a gap is stated exactly once, with the first event or the end behind it.
 */
import type { Failure } from './errors.js';
import { backoffMs, classifyHttp, demote, exhausted } from './follow-classify.js';
import type {
  AfterWait,
  AskReason,
  FollowEffect,
  FollowEnv,
  FollowState,
  FollowStep,
  InputOf,
  Phase,
  Position,
  StateOf,
} from './follow-types.js';
import type { ReconnectCause } from './notices.js';

/** States that have something in flight or planned. */
export type Active = Extract<FollowState, { phase: Exclude<Phase, 'idle' | 'ended' | 'failed'> }>;

/** The cursor of the next `tasks/stream`; undefined asks for everything that is retained. */
export function cursorOf(at: Position): number | undefined {
  if (!at.floating) return at.next - 1;
  // With the earliest event as the server named it, so that what is trimmed meanwhile is told of.
  return at.lostBelow === 0 ? undefined : at.lostBelow - 1;
}

function best(env: FollowEnv): number {
  return env.endpoints[0] ?? 0;
}

export function open(at: Position, env: FollowEnv, effects: readonly FollowEffect[] = []): FollowStep {
  const endpoint = best(env);
  const after = cursorOf(at);
  return {
    state: { phase: 'connecting', at: { ...at, endpoint }, after },
    effects: [...effects, { type: 'open', endpoint, after }],
  };
}

export function ask(
  at: Position,
  env: FollowEnv,
  why: AskReason,
  note: string,
  effects: readonly FollowEffect[] = [],
): FollowStep {
  const endpoint = best(env);
  return {
    state: { phase: 'asking-status', at: { ...at, endpoint }, why, note },
    effects: [...effects, { type: 'ask-status', endpoint }],
  };
}

export function poll(at: Position, env: FollowEnv, effects: readonly FollowEffect[] = []): FollowStep {
  const endpoint = best(env);
  return {
    state: { phase: 'polling', at: { ...at, endpoint }, waiting: false },
    effects: [...effects, { type: 'ask-status', endpoint }],
  };
}

export function carryOn(at: Position, env: FollowEnv, next: AfterWait): FollowStep {
  if (next.do === 'open') return open(at, env);
  return next.do === 'poll' ? poll(at, env) : ask(at, env, next.why, next.note);
}

/** What a state was busy with, to be taken up again. */
function business(state: Active): AfterWait {
  switch (state.phase) {
    case 'asking-status':
      return { do: 'ask', why: state.why, note: state.note };
    case 'polling':
      return { do: 'poll' };
    case 'backing-off':
      return state.resume;
    default:
      return { do: 'open' };
  }
}

function inFlight(state: FollowState): readonly FollowEffect[] {
  const busy = state.phase === 'connecting' || state.phase === 'streaming' || state.phase === 'asking-status';
  return busy || (state.phase === 'polling' && !state.waiting) ? [{ type: 'abort' }] : [];
}

/** Ends the follow with an error; if only the outcome was missing, the events are complete and it ends well. */
export function giveUp(state: FollowState, failure: Failure, before: readonly FollowEffect[] = []): FollowStep {
  const eventsDone = state.phase === 'asking-status' && state.why === 'outcome';
  return {
    state: { phase: eventsDone ? 'ended' : 'failed', at: state.at, failure },
    effects: [...before, ...inFlight(state)],
  };
}

/** The position with the count of fruitless tries forgiven, if the stream was alive for long enough. */
export function settled(state: Active, env: FollowEnv): Position {
  if (state.phase !== 'streaming') return state.at;
  const { openedAtMs, lastByteAtMs } = state.conn;
  return lastByteAtMs - openedAtMs >= env.limits.steadyAfterMs ? { ...state.at, fruitless: 0 } : state.at;
}

export interface Retry {
  readonly cause: ReconnectCause;
  readonly message: string;
  readonly minWaitMs?: number;
  /** The endpoint is to blame: it is tried last for a while. */
  readonly blame?: boolean;
  /** No wait for the first try in a row. */
  readonly promptly?: boolean;
  /** false: a quiet stream of a server that is known to be alive. */
  readonly counted?: boolean;
  /** The fault was a gap. */
  readonly gap?: boolean;
  readonly resume?: AfterWait;
  readonly before?: readonly FollowEffect[];
}

/** Gives up what is in flight and takes it up again after a wait; bounded. */
export function retry(state: Active, env: FollowEnv, r: Retry): FollowStep {
  const spent = settled(state, env).fruitless;
  const fruitless = r.counted === false ? spent : spent + 1;
  if (fruitless > env.limits.attemptsMax) {
    return giveUp(
      { ...state, at: { ...state.at, fruitless } },
      exhausted(r.cause, r.message, r.gap === true, env.limits),
      r.before,
    );
  }
  const prompt = r.promptly === true && fruitless <= 1;
  const backoff = prompt ? 0 : backoffMs(Math.max(0, fruitless - 1), env.random, env.limits);
  const waitMs = Math.max(backoff, r.minWaitMs ?? 0);
  const { endpoint } = state.at;
  const before = [...(r.before ?? []), ...inFlight(state)];
  if (r.blame === true) before.push({ type: 'endpoint-failed', endpoint, message: r.message, waitMs });
  const at = { ...state.at, fruitless, refusals: 0 };
  return {
    state: { phase: 'backing-off', at, resume: r.resume ?? business(state) },
    effects: [
      ...before,
      { type: 'reconnecting', cause: r.cause, fruitless, waitMs, after: cursorOf(at), message: r.message },
      { type: 'wait', ms: waitMs },
    ],
  };
}

/** An HTTP status without a JSON-RPC error. */
export function httpError(state: Active, input: InputOf<'http-error'>, env: FollowEnv): FollowStep {
  const meaning = classifyHttp(input, env.limits);
  if (meaning.is === 'final') return giveUp(state, meaning.failure);
  if (meaning.is === 'passing') {
    const blame = meaning.cause === 'unavailable';
    const message = `The server answered with HTTP ${input.status}`;
    return retry(state, env, { cause: meaning.cause, message, minWaitMs: meaning.minWaitMs, blame });
  }
  const refusals = state.at.refusals + 1;
  if (refusals >= env.endpoints.length) return giveUp(state, meaning.failure);
  const at = { ...state.at, refusals };
  const order = { ...env, endpoints: demote(env.endpoints, state.at.endpoint) };
  const step = carryOn(at, order, business(state));
  const { message } = meaning.failure;
  const failed: FollowEffect = { type: 'endpoint-failed', endpoint: state.at.endpoint, message, waitMs: 0 };
  return { state: step.state, effects: [...inFlight(state), failed, ...step.effects] };
}

/** The gap that is still to be stated when the log ends before any event came. */
function gapAtEnd(at: Position, end: number): readonly FollowEffect[] {
  if (!at.floating) return [];
  const from = at.restartedFrom ?? at.next;
  const to = Math.max(end, at.lostBelow) - 1;
  return to >= from ? [{ type: 'gap', from, to, restarted: at.restartedFrom !== undefined }] : [];
}

/**
 * The server says that every event was read; `nextSeq` is where it says that the log ends. The end, or the question
 * how the task ended; but not while the client knows of an event that it did not get.
 */
export function complete(state: StateOf<'streaming'>, nextSeq: number | undefined, env: FollowEnv): FollowStep {
  const end = Math.max(nextSeq ?? 0, state.at.seenEnd);
  if (!state.at.floating && end > state.at.next) {
    const seq = state.at.next;
    const message = `The stream ended as complete before event ${seq}, although the log reaches to ${end - 1}`;
    const before: readonly FollowEffect[] = [{ type: 'fault', fault: 'end_before_last_event', message, seq }];
    return retry(state, env, { cause: 'fault', message, gap: true, before });
  }
  const effects: readonly FollowEffect[] = [...gapAtEnd(state.at, end), { type: 'abort' }];
  const at: Position = { ...state.at, fruitless: 0 };
  if (at.over !== undefined) return { state: { phase: 'ended', at, failure: undefined }, effects };
  return ask(at, env, 'outcome', 'The stream is complete', effects);
}
