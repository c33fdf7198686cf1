/**
 * Calls that found the queue of a log full, in their order.
 *
 * Invariants: a call that somebody awaits keeps its place until there is room, so a tool that awaits is slowed down and
 * never refused; one that nobody has awaited by the next turn of the event loop is refused; what is not yet decided is
 * bounded, so that a loop without an await cannot fill the memory within one turn.
 */

export interface WaitingCall {
  readonly bytes: number;
  /** Whether somebody waits for the call. Asked one turn after it was made. */
  awaited(): boolean;
  /** Queues the call's events. */
  admit(): void;
  refuse(): void;
  fail(error: unknown): void;
}

export class OverflowLine {
  readonly #undecidedBytesMax: number;
  #calls: WaitingCall[] = [];
  #undecided: WaitingCall[] = [];
  #undecidedBytes = 0;

  constructor(undecidedBytesMax: number) {
    this.#undecidedBytesMax = undecidedBytesMax;
  }

  get empty(): boolean {
    return this.#calls.length === 0;
  }

  add(call: WaitingCall): void {
    if (this.#undecided.length > 0 && this.#undecidedBytes + call.bytes > this.#undecidedBytesMax) {
      call.refuse();
      return;
    }
    this.#calls.push(call);
    this.#undecided.push(call);
    this.#undecidedBytes += call.bytes;
    // Awaiting what is not a native promise takes microtasks: the turn after them decides.
    if (this.#undecided.length === 1) setImmediate(() => this.#decide());
  }

  /** Admits from the front as long as `fits` says so. */
  admit(fits: (bytes: number) => boolean): void {
    let n = 0;
    for (const call of this.#calls) {
      if (!fits(call.bytes)) break;
      call.admit();
      n++;
    }
    if (n > 0) this.#calls = this.#calls.slice(n);
  }

  fail(error: unknown): void {
    const calls = this.#calls;
    this.#calls = [];
    for (const call of calls) call.fail(error);
  }

  #decide(): void {
    const refused = new Set(this.#undecided.filter((call) => !call.awaited()));
    this.#undecided = [];
    this.#undecidedBytes = 0;
    if (refused.size === 0) return;
    const kept: WaitingCall[] = [];
    for (const call of this.#calls) {
      if (refused.has(call)) call.refuse();
      else kept.push(call);
    }
    this.#calls = kept;
  }
}
