/**
 * One open `tasks/stream` as a state machine: replaying → live → ended or gone. SEP-2694 §Resume and Replay Semantics.
 *
 * Invariants: events leave in order, each seq once; a gap is never passed over: it is repaired from the log or the
 * session is gone; a session that has not delivered anything and had no cursor may start again at a later earliest.
 */
import type { StreamEndReason } from '@taskstream/protocol';
import { fit, packEnd } from './pack.js';

export type SessionState =
  /**
   * `next` is undefined until a session without a cursor knows where it starts. `fresh`: no cursor was given and
   * nothing has been delivered, so the session may still start at a later event.
   */
  | { readonly phase: 'replaying'; readonly next: number | undefined; readonly fresh: boolean }
  | { readonly phase: 'live'; readonly next: number; readonly fresh: boolean }
  | { readonly phase: 'ended'; readonly reason: StreamEndReason; readonly next: number }
  | { readonly phase: 'gone'; readonly earliestSeq: number };

export type SessionInput =
  /** A pack in log order. */
  | { readonly type: 'pack'; readonly firstSeq: number; readonly count: number }
  /** Everything below `nextSeq` has been offered; what follows is live. */
  | { readonly type: 'caught_up'; readonly nextSeq: number }
  /**
   * The log is complete: the task is terminal and its next seq would be `nextSeq`. While `next` is undefined, only
   * after everything that is retained has been offered.
   */
  | { readonly type: 'terminal'; readonly nextSeq: number }
  /** The leader says that nothing below `earliestSeq` is retained. */
  | { readonly type: 'trimmed'; readonly earliestSeq: number }
  | { readonly type: 'close'; readonly reason: StreamEndReason };

export type SessionAction =
  | { readonly type: 'none' }
  /** Deliver the pack from this seq on. */
  | { readonly type: 'deliver'; readonly fromSeq: number }
  /** Read the log again from this seq; nothing was delivered. */
  | { readonly type: 'repair'; readonly fromSeq: number };

export interface SessionStep {
  readonly state: SessionState;
  readonly action: SessionAction;
}

const NONE: SessionAction = { type: 'none' };

export function openSession(after: number | undefined): SessionState {
  return { phase: 'replaying', next: after === undefined ? undefined : after + 1, fresh: after === undefined };
}

export function isOver(state: SessionState): state is Extract<SessionState, { phase: 'ended' | 'gone' }> {
  return state.phase === 'ended' || state.phase === 'gone';
}

export function sessionStep(state: SessionState, input: SessionInput): SessionStep {
  if (isOver(state)) return { state, action: NONE };
  switch (input.type) {
    case 'pack': {
      const next = state.next ?? input.firstSeq;
      switch (fit(next, input)) {
        case 'old':
          return { state, action: NONE };
        case 'gap':
          return { state: { phase: 'replaying', next, fresh: state.fresh }, action: { type: 'repair', fromSeq: next } };
        default:
          return {
            state: { phase: state.phase, next: packEnd(input), fresh: false },
            action: { type: 'deliver', fromSeq: next },
          };
      }
    }
    case 'caught_up': {
      const next = state.next ?? input.nextSeq;
      if (next < input.nextSeq) {
        return { state: { phase: 'replaying', next, fresh: state.fresh }, action: { type: 'repair', fromSeq: next } };
      }
      return { state: { phase: 'live', next, fresh: state.fresh }, action: NONE };
    }
    case 'terminal': {
      const next = state.next ?? input.nextSeq;
      if (next < input.nextSeq) {
        return { state: { phase: 'replaying', next, fresh: state.fresh }, action: { type: 'repair', fromSeq: next } };
      }
      return { state: { phase: 'ended', reason: 'terminal', next }, action: NONE };
    }
    case 'trimmed': {
      const { earliestSeq } = input;
      if (state.next === undefined || state.next >= earliestSeq) return { state, action: NONE };
      if (state.fresh) {
        return {
          state: { phase: 'replaying', next: earliestSeq, fresh: true },
          action: { type: 'repair', fromSeq: earliestSeq },
        };
      }
      return { state: { phase: 'gone', earliestSeq }, action: NONE };
    }
    case 'close':
      return { state: { phase: 'ended', reason: input.reason, next: state.next ?? 0 }, action: NONE };
  }
}
