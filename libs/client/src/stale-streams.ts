/**
 * Tells the events of an open stream from those of streams of the same task that were given up, where a transport cannot
 * close a response and its notifications do not name their request: version 1 of the official SDK.
 *
 * Invariants: an event that had to come is never held back; what is held back as another stream's must still come on this
 * one before its response counts; a stream that was given up is forgotten after `STALE_MS_MAX`.
 */

/** How long a server may take to notice that a stream was given up. */
const STALE_MS_MAX = 30_000;

interface Stale {
  /** The seq that the given-up stream brings next. */
  next: number;
  readonly untilMs: number;
}

export class StaleStreams {
  readonly #streams = new Map<string, Stale[]>();

  givenUp(taskId: string, next: number, nowMs: number): void {
    for (const other of this.#streams.keys()) this.of(other, nowMs);
    this.#streams.set(taskId, [...this.of(taskId, nowMs), { next, untilMs: nowMs + STALE_MS_MAX }]);
  }

  /** Whether the event is the next one of a stream that was given up. */
  brings(taskId: string, seq: number, nowMs: number): boolean {
    const stale = this.of(taskId, nowMs).find(({ next }) => next === seq);
    if (stale !== undefined) stale.next += 1;
    return stale !== undefined;
  }

  of(taskId: string, nowMs: number): Stale[] {
    const alive = (this.#streams.get(taskId) ?? []).filter(({ untilMs }) => untilMs > nowMs);
    if (alive.length === 0) this.#streams.delete(taskId);
    else this.#streams.set(taskId, alive);
    return alive;
  }
}

export class OwnEvents {
  readonly #taskId: string;
  readonly #stale: StaleStreams;
  /** The seq that has to come next, if that is known. */
  #expected: number | undefined;
  #heldBack = -1;

  constructor(taskId: string, after: number | undefined, stale: StaleStreams) {
    this.#taskId = taskId;
    this.#stale = stale;
    this.#expected = after === undefined ? undefined : after + 1;
  }

  /** Whether an event is to be taken for one of this stream. */
  takes(seq: number, nowMs: number): boolean {
    const expected = this.#expected;
    if (expected !== undefined && seq !== expected && this.#stale.of(this.#taskId, nowMs).length > 0) {
      if (this.#stale.brings(this.#taskId, seq, nowMs)) {
        this.#heldBack = Math.max(this.#heldBack, seq);
        return false;
      }
      if (seq < expected) return false;
    }
    this.#expected = seq + 1;
    return true;
  }

  /** Whether a response may count: everything that was held back has come on this stream as well. */
  get complete(): boolean {
    return this.#heldBack < (this.#expected ?? 0);
  }

  giveUp(nowMs: number): void {
    this.#stale.givenUp(this.#taskId, this.#expected ?? 0, nowMs);
  }
}
