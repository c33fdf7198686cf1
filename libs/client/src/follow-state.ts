/**
 * One followed task as a state machine: state × input → state + effects. SEP-2694 §Resume and Replay Semantics.
 *
 * Invariants:
 * - an event is delivered only if its seq is the next one; a lower one is dropped, a higher one is never passed over:
 *   the request is aborted and the stream resumed from the last delivered seq;
 * - the only way past missing events is a gap effect, and only after `events_gone` or without a cursor;
 * - `ended` is reached only when the server said that the log is complete, or the task is over and a stream with the
 *   cursor came back empty;
 * - every wait and every number of fruitless tries is bounded;
 * - no clock, no randomness, no I/O: time, a random number and the order of the endpoints come in with each step.
 *
 * What the table below has no cell for is a defect of the shell, and ends the follow; after the end everything is ignored.
 */
import type { TaskStatus, TerminalStatus } from '@taskstream/protocol';
import type { Failure } from './errors.js';
import { classifyRpc, pollWaitMs, rpcFailure } from './follow-classify.js';
import { ask, carryOn, complete, giveUp, httpError, open, poll, retry, settled, type Active } from './follow-moves.js';
import type {
  Connection,
  FollowEffect,
  FollowEnv,
  FollowInput,
  FollowState,
  FollowStep,
  InputOf,
  InputType,
  Phase,
  Position,
  StateOf,
} from './follow-types.js';
import { faultFailure } from './wire-fault.js';

type Cell<P extends Phase, I extends InputType> = (state: StateOf<P>, input: InputOf<I>, env: FollowEnv) => FollowStep;
type Row<P extends Phase> = { readonly [I in InputType]?: Cell<P, I> } & { readonly stop: Cell<P, 'stop'> };
/** A phase without a row is over. */
type Table = { readonly [P in Phase]: P extends 'ended' | 'failed' ? undefined : Row<P> };

/** The first state. `after` is the exclusive cursor; without one everything that is retained is read. */
export function followStart(after: number | undefined): FollowState {
  const at: Position = {
    next: after === undefined ? 0 : after + 1,
    floating: after === undefined,
    lostBelow: 0,
    seenEnd: 0,
    restartedFrom: undefined,
    over: undefined,
    streamed: false,
    heartbeats: false,
    fruitless: 0,
    refusals: 0,
    endpoint: 0,
  };
  return { phase: 'idle', at };
}

export function followStep(state: FollowState, input: FollowInput, env: FollowEnv): FollowStep {
  const row = TABLE[state.phase] as Row<Phase> | undefined;
  if (row === undefined) return { state, effects: [] };
  const cell = (row[input.type] ?? unexpected) as Cell<Phase, InputType>;
  return cell(state, input, env);
}

/** The shell may not send this here; it ends the follow rather than leaving it hanging. */
function unexpected(state: FollowState, input: FollowInput): FollowStep {
  return giveUp(state, { code: 'defect', message: `Input ${input.type} in state ${state.phase}` });
}

export function isOver(status: TaskStatus): status is TerminalStatus {
  return status === 'completed' || status === 'failed' || status === 'cancelled';
}

function stop(state: FollowState): FollowStep {
  const failure: Failure = { code: 'aborted', message: 'The follow was stopped by the application' };
  return { state: { phase: 'failed', at: state.at, failure }, effects: giveUp(state, failure).effects };
}

function fault(state: Active, input: InputOf<'fault'>, env: FollowEnv): FollowStep {
  const told: FollowEffect = { type: 'fault', fault: input.fault, message: input.message, seq: input.seq };
  if (input.consequence === 'note') return { state, effects: [told] };
  const failure = faultFailure(input);
  if (failure.code !== 'protocol_fault') return giveUp(state, failure, [told]);
  return retry(state, env, { cause: 'fault', message: input.message, blame: true, before: [told] });
}

function networkError(state: Active, input: InputOf<'network-error'>, env: FollowEnv): FollowStep {
  return retry(state, env, { cause: 'network', message: input.message, blame: true });
}

function silence(state: Active, _input: InputOf<'silence'>, env: FollowEnv): FollowStep {
  const message = 'The server sent nothing for too long';
  if (state.phase === 'streaming' && !state.at.heartbeats) {
    // A foreign server may have no heartbeat: its silence proves nothing as long as it answers `tasks/get`.
    return ask(settled(state, env), env, 'silent', message, [{ type: 'abort' }]);
  }
  return retry(state, env, { cause: 'silence', message, blame: true });
}

function opened(state: StateOf<'connecting'>, _input: InputOf<'opened'>, env: FollowEnv): FollowStep {
  const conn: Connection = {
    after: state.after,
    servedBefore: state.at.streamed,
    openedAtMs: env.nowMs,
    lastByteAtMs: env.nowMs,
    fresh: 0,
    newest: undefined,
  };
  return {
    state: { phase: 'streaming', at: { ...state.at, refusals: 0 }, conn },
    effects: [{ type: 'connected', after: state.after }],
  };
}

function activity(state: StateOf<'streaming'>, input: InputOf<'activity'>, env: FollowEnv): FollowStep {
  return {
    state: {
      ...state,
      at: { ...state.at, streamed: true, heartbeats: state.at.heartbeats || input.heartbeat },
      conn: { ...state.conn, lastByteAtMs: env.nowMs },
    },
    effects: [],
  };
}

function event(state: StateOf<'streaming'>, input: InputOf<'event'>, env: FollowEnv): FollowStep {
  const { seq } = input;
  const at: Position = { ...state.at, seenEnd: Math.max(state.at.seenEnd, seq + 1) };
  const conn: Connection = {
    ...state.conn,
    lastByteAtMs: env.nowMs,
    newest: Math.max(seq, state.conn.newest ?? 0),
  };
  if (seq < at.next)
    return { state: { ...state, at, conn }, effects: [...duplicateFault(state.conn, seq), { type: 'drop', seq }] };
  // Once the server has named the earliest event, that one has to come: more that was trimmed is told, not passed over.
  const wanted = at.floating ? at.lostBelow : at.next;
  if (seq > wanted && (!at.floating || wanted > 0)) {
    const message = `Event ${seq} came where ${wanted} had to come`;
    const before: readonly FollowEffect[] = [{ type: 'fault', fault: 'skipped_event', message, seq }];
    return retry({ ...state, at }, env, { cause: 'fault', message, gap: true, before });
  }
  const position: Position = {
    ...at,
    next: seq + 1,
    floating: false,
    lostBelow: 0,
    restartedFrom: undefined,
    streamed: true,
    fruitless: 0,
  };
  return {
    state: { phase: 'streaming', at: position, conn: { ...conn, fresh: conn.fresh + 1 } },
    effects: [...gapBefore(at, seq), { type: 'deliver', seq }],
  };
}

function duplicateFault(conn: Connection, seq: number): readonly FollowEffect[] {
  if (conn.newest !== undefined && seq <= conn.newest) {
    return [{ type: 'fault', fault: 'repeated_event', message: `Event ${seq} came again on the same stream`, seq }];
  }
  if (conn.after === undefined || seq > conn.after) return [];
  const name = seq === conn.after ? 'inclusive_after' : 'replayed_before_cursor';
  return [{ type: 'fault', fault: name, message: `Event ${seq} came although after was ${conn.after}`, seq }];
}

/** What is missing before the first event of a reader that claimed no place. */
function gapBefore(at: Position, seq: number): readonly FollowEffect[] {
  if (at.restartedFrom !== undefined) return [{ type: 'gap', from: at.restartedFrom, to: seq - 1, restarted: true }];
  if (seq <= at.next) return [];
  const gap: FollowEffect = { type: 'gap', from: at.next, to: seq - 1, restarted: false };
  if (at.lostBelow > 0 || at.next > 0) return [gap];
  const message = `The first event has seq ${seq}: what came before was trimmed, or the server does not number from 0`;
  return [{ type: 'fault', fault: 'starts_above_zero', message, seq }, gap];
}

function end(ending: StateOf<'streaming'>, input: InputOf<'end'>, env: FollowEnv): FollowStep {
  const conn: Connection = { ...ending.conn, lastByteAtMs: env.nowMs };
  const at: Position = { ...ending.at, streamed: true };
  const state: StateOf<'streaming'> = { phase: 'streaming', at, conn };
  switch (input.reason) {
    case 'terminal':
      return complete(state, input.nextSeq, env);
    case 'draining':
    case 'rotated':
    case 'slow-reader': {
      const message = `The server ended the stream: ${input.reason}`;
      const blame = input.reason === 'draining';
      return retry(state, env, { cause: input.reason, message, blame, promptly: true });
    }
    case 'expired': {
      if (input.status !== undefined && isOver(input.status)) return complete(state, undefined, env);
      return giveUp(state, { code: 'task_expired', message: 'The task expired before it ended' });
    }
    default: {
      const note = 'The server ended the stream without a reason';
      if (at.over === undefined) return ask(settled(state, env), env, 'closed', note, [{ type: 'abort' }]);
      return conn.fresh === 0 ? complete(state, undefined, env) : open(at, env, [{ type: 'abort' }]);
    }
  }
}

function eventsGone(state: Active, input: InputOf<'rpc-error'>, env: FollowEnv): FollowStep {
  const { at } = state;
  const { earliestSeq } = input;
  const before = goneFault(input);
  const message = 'The server no longer retains the events after the cursor';
  if (!at.floating && earliestSeq !== undefined && earliestSeq <= at.next) {
    const text = `events_gone after ${at.next - 1}, although the earliest retained event is ${earliestSeq}`;
    const told: FollowEffect = { type: 'fault', fault: 'unfounded_events_gone', message: text, seq: undefined };
    return retry(state, env, { cause: 'fault', message: text, before: [told] });
  }
  if (env.onEventsGone === 'fail') {
    return giveUp(state, { code: 'events_gone', message, details: { nextSeq: at.next, earliestSeq } }, before);
  }
  // Without a name for what is retained, everything is asked for.
  const lostBelow = earliestSeq === undefined ? 0 : Math.max(at.lostBelow, earliestSeq);
  const moved: Position =
    env.onEventsGone === 'resume'
      ? { ...at, floating: true, lostBelow }
      : { ...at, floating: true, lostBelow, next: 0, restartedFrom: at.restartedFrom ?? at.next };
  return retry({ ...state, at: moved }, env, { cause: 'events_gone', message, promptly: true, before });
}

/** HTTP 410 has no room for the earliest event; a JSON-RPC error has. */
function goneFault({ earliestSeq, data }: InputOf<'rpc-error'>): readonly FollowEffect[] {
  if (earliestSeq !== undefined || data === undefined) return [];
  const message = 'events_gone does not name the earliest event';
  return [{ type: 'fault', fault: 'gone_without_earliest', message, seq: undefined }];
}

/** A JSON-RPC error in answer to `tasks/stream`. */
function streamError(state: Active, input: InputOf<'rpc-error'>, env: FollowEnv): FollowStep {
  const meaning = classifyRpc(input);
  switch (meaning.is) {
    case 'gone':
      return eventsGone(state, input, env);
    case 'active':
      return retry(state, env, { cause: 'stream_active', message: input.message });
    case 'unclear':
      return ask(state.at, env, 'refused', input.message, [{ type: 'abort' }]);
    case 'no-method': {
      const message = 'The server has no tasks/stream';
      // A node of another version, while others serve it: falling back would lose events.
      const served = state.phase === 'streaming' ? state.conn.servedBefore || state.conn.fresh > 0 : state.at.streamed;
      if (served) return retry(state, env, { cause: 'refused', message, blame: true });
      return poll(state.at, env, [{ type: 'abort' }, { type: 'fallback-polling', message }]);
    }
    case 'passing':
      return retry(state, env, {
        cause: meaning.cause,
        message: input.message,
        blame: meaning.cause === 'unavailable',
      });
    case 'final':
      return giveUp(state, meaning.failure);
  }
}

/** A JSON-RPC error in answer to `tasks/get`. */
function statusError(state: Active, input: InputOf<'rpc-error'>, env: FollowEnv): FollowStep {
  const meaning = classifyRpc(input);
  if (meaning.is === 'passing') {
    return retry(state, env, { cause: meaning.cause, message: input.message, blame: meaning.cause === 'unavailable' });
  }
  if (meaning.is === 'unclear') return giveUp(state, { code: 'unknown_task', message: input.message });
  return giveUp(state, rpcFailure(input.code, input.message, input.data));
}

function answered(state: StateOf<'asking-status'>, input: InputOf<'status'>, env: FollowEnv): FollowStep {
  const over = isOver(input.status) ? input.status : undefined;
  const at: Position = { ...state.at, refusals: 0, ...(over !== undefined && { over }) };
  const again: Active = { phase: 'backing-off', at, resume: { do: 'open' } };
  switch (state.why) {
    case 'outcome': {
      if (over !== undefined) return { state: { phase: 'ended', at, failure: undefined }, effects: [] };
      const message = `The stream is complete, but tasks/get still says ${input.status}`;
      const resume = { do: 'ask', why: 'outcome', note: message } as const;
      const step = {
        cause: 'closed',
        message,
        resume,
        minWaitMs: pollWaitMs(input.pollIntervalMs, env.limits),
      } as const;
      // Giving up here leaves only the outcome open, as in the state it comes from.
      const next = retry(again, env, step);
      return next.state.phase === 'failed' ? giveUp({ ...state, at }, next.state.failure) : next;
    }
    case 'closed':
      // The task is over: one more stream with the cursor shows whether everything was read.
      if (over !== undefined) return open(at, env);
      return retry(again, env, { cause: 'closed', message: state.note });
    case 'refused':
      return retry(again, env, { cause: 'stream_active', message: state.note });
    case 'silent':
      return retry(again, env, { cause: 'silence', message: state.note, counted: over !== undefined });
  }
}

function polled(state: StateOf<'polling'>, input: InputOf<'status'>, env: FollowEnv): FollowStep {
  if (state.waiting) return unexpected(state, input);
  const at: Position = { ...state.at, fruitless: 0, refusals: 0 };
  if (isOver(input.status)) {
    return { state: { phase: 'ended', at: { ...at, over: input.status }, failure: undefined }, effects: [] };
  }
  return {
    state: { phase: 'polling', at, waiting: true },
    effects: [{ type: 'wait', ms: pollWaitMs(input.pollIntervalMs, env.limits) }],
  };
}

const TABLE: Table = {
  idle: {
    start: (state, input, env) => (input.mode === 'stream' ? open(state.at, env) : poll(state.at, env)),
    stop,
  },
  connecting: {
    opened,
    fault,
    'rpc-error': streamError,
    'http-error': httpError,
    'network-error': networkError,
    silence,
    stop,
  },
  streaming: {
    activity,
    event,
    fault,
    end,
    'rpc-error': streamError,
    'network-error': networkError,
    silence,
    stop,
  },
  'backing-off': { timer: (state, _input, env) => carryOn(state.at, env, state.resume), stop },
  'asking-status': {
    status: answered,
    fault,
    'rpc-error': statusError,
    'http-error': httpError,
    'network-error': networkError,
    silence,
    stop,
  },
  polling: {
    timer: (state, input, env) => (state.waiting ? poll(state.at, env) : unexpected(state, input)),
    status: polled,
    fault,
    'rpc-error': statusError,
    'http-error': httpError,
    'network-error': networkError,
    silence,
    stop,
  },
  ended: undefined,
  failed: undefined,
};
