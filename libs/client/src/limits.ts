/**
 * Every bound of the client: name, unit, default. All of them may be set by the application.
 *
 * Invariant: a limit is a positive whole number; anything else is refused by name before the first request.
 */
import { argument, invalidArgument } from './arguments.js';
import { isWhole, type Check } from './shape.js';

export interface ClientLimits {
  /** Reconnects in a row without one new event, before a follow gives up. */
  readonly attemptsMax: number;
  /** First wait before a reconnect; it doubles each time. */
  readonly backoffBaseMs: number;
  /** Longest wait before a reconnect. */
  readonly backoffMaxMs: number;
  /** Longest wait that a server may demand with `Retry-After`. */
  readonly retryAfterMaxMs: number;
  /** An endpoint that failed is tried last for this long; the time doubles with each failure in a row. */
  readonly endpointRestBaseMs: number;
  /** Longest time that an endpoint is tried last. */
  readonly endpointRestMaxMs: number;
  /** A stream without one byte for this long is given up and resumed. Our servers send a heartbeat each 15 s. */
  readonly silenceTimeoutMs: number;
  /** A stream that stayed alive for this long counts as fruitful, even without an event. */
  readonly steadyAfterMs: number;
  /** A one-shot request without one byte for this long is given up. */
  readonly requestTimeoutMs: number;
  /** The same for `tools/call`, whose answer may take as long as the tool. */
  readonly callTimeoutMs: number;
  /** Tries of a one-shot request that may be repeated. */
  readonly requestAttemptsMax: number;
  /** Pause between `tasks/get` when the server names none. */
  readonly pollIntervalMs: number;
  /** Bounds of the pause that a server may ask for. */
  readonly pollIntervalMinMs: number;
  readonly pollIntervalMaxMs: number;
  /** Largest message that is taken from a server, in characters. */
  readonly messageCharsMax: number;
  /** Messages that an attached client keeps for a reader that is slow; beyond them it is cut off and resumes. */
  readonly attachedMessagesMax: number;
  /** Rounds of questions that one `tools/call` may ask before it answers. */
  readonly inputRoundsMax: number;
  /** Pages of `tools/list` that are read. */
  readonly toolPagesMax: number;
  /** The cursor is saved after this many processed events, and at the end. */
  readonly cursorSaveEvents: number;
}

export const DEFAULT_LIMITS: ClientLimits = {
  attemptsMax: 30,
  backoffBaseMs: 500,
  backoffMaxMs: 10_000,
  retryAfterMaxMs: 60_000,
  endpointRestBaseMs: 5_000,
  endpointRestMaxMs: 300_000,
  silenceTimeoutMs: 45_000,
  steadyAfterMs: 30_000,
  requestTimeoutMs: 60_000,
  callTimeoutMs: 300_000,
  requestAttemptsMax: 5,
  pollIntervalMs: 2_000,
  pollIntervalMinMs: 100,
  pollIntervalMaxMs: 60_000,
  messageCharsMax: 16 * 1024 * 1024,
  attachedMessagesMax: 10_000,
  inputRoundsMax: 10,
  toolPagesMax: 100,
  cursorSaveEvents: 1,
};

const positive: Check<number> = {
  expected: 'a positive whole number',
  test: (value): value is number => isWhole(value) && value > 0,
};

/** The limits with defaults filled in; throws `invalid_argument` that names the key. */
export function parseLimits(given: Partial<ClientLimits> = {}): ClientLimits {
  for (const [key, value] of Object.entries(given)) {
    if (!Object.hasOwn(DEFAULT_LIMITS, key)) throw invalidArgument(`limits.${key}: no such limit`);
    argument(value, positive, `limits.${key}`);
  }
  return { ...DEFAULT_LIMITS, ...given };
}
