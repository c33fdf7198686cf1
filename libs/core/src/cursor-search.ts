/**
 * Finding the stored message that holds a given seq, when all that can be asked is "the first message of this task
 * at or after position p". An interpolation search that falls back to halving.
 *
 * Invariants: `low.firstSeq <= target` and every pack from `highPosition` on is above the target, at every step; each
 * probe shrinks the interval, and a probe that did not halve it is followed by one that does; so the search ends
 * after at most twice the bits of the interval, whatever the spread of the messages.
 */

/** A stored pack and the position it was found at. Positions rise with seq. */
export interface Found {
  readonly position: number;
  readonly firstSeq: number;
  readonly count: number;
}

export interface SearchState {
  readonly target: number;
  readonly low: Found;
  /** The first position at or after which every pack is above the target. */
  readonly highPosition: number;
  readonly highSeq: number;
  readonly probes: number;
  /** The last probe left more than half of the interval: the next one goes to its middle. */
  readonly halve: boolean;
}

export type SearchStep =
  | { readonly type: 'probe'; readonly position: number }
  /** Read from `position`; the events before the target that are read with it are at most `SLACK_EVENTS` and a pack. */
  | { readonly type: 'found'; readonly position: number };

/** Twice the bits of a position, and a few: no search gets there. One that did would read forward from `low`. */
export const PROBES_MAX = 110;
/** Reading this many events too many is cheaper than another probe. */
export const SLACK_EVENTS = 256;

/** `first` is the task's first retained pack, and its firstSeq is at most the target; `high*` lie above the target. */
export function startSearch(target: number, first: Found, highPosition: number, highSeq: number): SearchState {
  return { target, low: first, highPosition, highSeq, probes: 0, halve: false };
}

export function searchStep(s: SearchState): SearchStep {
  const width = s.highPosition - s.low.position;
  if (s.target < s.low.firstSeq + s.low.count + SLACK_EVENTS || width <= 1 || s.probes >= PROBES_MAX) {
    return { type: 'found', position: s.low.position };
  }
  // Half the slack below the target: a probe that lands a little low ends the search, one a little high does not.
  const aim = s.target - SLACK_EVENTS / 2;
  const share = s.halve ? 0.5 : (aim - s.low.firstSeq) / (s.highSeq - s.low.firstSeq);
  const guess = s.low.position + Math.floor(width * share);
  return { type: 'probe', position: Math.min(Math.max(guess, s.low.position + 1), s.highPosition - 1) };
}

/** Takes the answer to a probe: the first pack at or after `position`, or undefined when there is none. */
export function searchAnswer(s: SearchState, position: number, answer: Found | undefined): SearchState {
  const half = Math.ceil((s.highPosition - s.low.position) / 2);
  const probes = s.probes + 1;
  if (answer !== undefined && answer.firstSeq <= s.target) {
    return { ...s, low: answer, probes, halve: s.highPosition - answer.position > half };
  }
  const highSeq = Math.min(s.highSeq, answer?.firstSeq ?? s.highSeq);
  return { ...s, highPosition: position, highSeq, probes, halve: position - s.low.position > half };
}
