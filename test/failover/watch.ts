/**
 * What the readers of a task saw, event by event: order, gaps, duplicates, silences. Pure: times come in.
 *
 * Invariants: an event counts once; within one attempt the tool's own counter rises by one, or an acknowledged event was
 * lost; a silence is the time between two events of one reader.
 */

export interface Tick {
  readonly seq: number;
  /** The attempt and its counter; undefined for an event that is not the tool's. */
  readonly tick: { readonly attempt: number; readonly i: number } | undefined;
}

export interface WindowReport {
  readonly streams: number;
  readonly events: number;
  /** Seqs that were passed over, and counters of the tool that are missing. */
  readonly lost: number;
  /** Events that the application was given twice. */
  readonly duplicates: number;
  /** Readers that opened their stream again in the window, and how often at the most. */
  readonly reconnected: number;
  readonly reconnectsMax: number;
  /** The longest silence of each reader, in ms. */
  readonly silenceMs: readonly number[];
}

export class ReaderWatch {
  readonly id: number;
  #nextSeq = 0;
  #attempt = 0;
  #nextI = 0;
  #lost = 0;
  #duplicates = 0;
  #events = 0;
  #reconnects = 0;
  #silenceMs = 0;
  #lastAtMs: number;
  /** The last counter of each attempt. */
  readonly reached = new Map<number, number>();

  constructor(id: number, nowMs: number) {
    this.id = id;
    this.#lastAtMs = nowMs;
  }

  get lastAtMs(): number {
    return this.#lastAtMs;
  }

  saw({ seq, tick }: Tick, nowMs: number): void {
    this.#silenceMs = Math.max(this.#silenceMs, nowMs - this.#lastAtMs);
    this.#lastAtMs = nowMs;
    this.#events++;
    if (seq < this.#nextSeq) this.#duplicates++;
    else {
      this.#lost += seq - this.#nextSeq;
      this.#nextSeq = seq + 1;
    }
    if (tick === undefined) return;
    if (tick.attempt !== this.#attempt) {
      this.#attempt = tick.attempt;
      this.#nextI = 0;
    }
    if (tick.i !== this.#nextI) this.#lost++;
    this.#nextI = tick.i + 1;
    this.reached.set(tick.attempt, tick.i);
  }

  reconnected(): void {
    this.#reconnects++;
  }

  /** What happened since the last call. */
  take(nowMs: number): Omit<WindowReport, 'streams' | 'reconnected' | 'reconnectsMax' | 'silenceMs'> & {
    readonly reconnects: number;
    readonly silenceMs: number;
  } {
    const taken = {
      events: this.#events,
      lost: this.#lost,
      duplicates: this.#duplicates,
      reconnects: this.#reconnects,
      // One that has not ended counts as well.
      silenceMs: Math.max(this.#silenceMs, nowMs - this.#lastAtMs),
    };
    this.#events = this.#lost = this.#duplicates = this.#reconnects = this.#silenceMs = 0;
    this.#lastAtMs = Math.max(this.#lastAtMs, nowMs - taken.silenceMs);
    return taken;
  }
}

export function reportOf(readers: readonly ReaderWatch[], nowMs: number): WindowReport {
  const all = readers.map((reader) => reader.take(nowMs));
  const sum = (of: (one: (typeof all)[number]) => number): number => all.reduce((total, one) => total + of(one), 0);
  return {
    streams: all.length,
    events: sum((one) => one.events),
    lost: sum((one) => one.lost),
    duplicates: sum((one) => one.duplicates),
    reconnected: all.filter((one) => one.reconnects > 0).length,
    reconnectsMax: Math.max(0, ...all.map((one) => one.reconnects)),
    silenceMs: all.map((one) => one.silenceMs),
  };
}

/** `share` of the values are at most this; 0 of none. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(sorted.length * share) - 1))] ?? 0;
}
