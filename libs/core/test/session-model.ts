/**
 * A world for the stream session: a log that grows, is trimmed and ends, a live hop that drops, doubles and delays,
 * and a driver that does what a reader does. Everything follows from one seed.
 */
import { isOver, openSession, packEnd, sessionStep, type SessionInput, type SessionState } from '../src/index.js';

export interface Scenario {
  readonly seed: number;
  /** Events that the log gets in all. */
  readonly events: number;
  readonly packCountMax: number;
  /** Events in the log before the session opens. */
  readonly before: number;
  readonly after: number | undefined;
  /** Shares of live packs, in [0, 1). */
  readonly dropShare: number;
  readonly doubleShare: number;
  readonly lateShare: number;
  /** The chance of a trim at each turn, and whether it may go beyond what the session has delivered. */
  readonly trimShare: number;
  readonly endsTerminal: boolean;
}

export interface Outcome {
  readonly delivered: readonly number[];
  readonly state: SessionState;
  readonly nextSeq: number;
  /** Trims beyond what was delivered, as they happened. */
  readonly lost: boolean;
  readonly earliestSeq: number;
  /** What was retained first when the session opened, and when it delivered first. */
  readonly earliestAtOpen: number;
  readonly earliestAtFirst: number | undefined;
  readonly trace: readonly string[];
}

interface Extent {
  readonly firstSeq: number;
  readonly count: number;
}

/** mulberry32: small, seeded, good enough to pick turns. */
export function randomFrom(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** More turns than any scenario needs: a driver that goes round in circles fails. */
const TURNS_MAX = 20_000;

export class World {
  readonly #s: Scenario;
  readonly #random: () => number;
  #log: Extent[] = [];
  #nextSeq = 0;
  #state: SessionState;
  #delivered: number[] = [];
  #live: Extent[] = [];
  #trace: string[] = [];
  #lost = false;
  #earliestAtFirst: number | undefined;
  /** Where the driver reads the log next; undefined when it reads nothing. */
  #reading: number | undefined;
  #turns = 0;

  constructor(scenario: Scenario) {
    this.#s = scenario;
    this.#random = randomFrom(scenario.seed);
    this.#state = openSession(scenario.after);
  }

  run(): Outcome {
    const s = this.#s;
    while (this.#nextSeq < Math.min(s.before, s.events)) this.#append(false);
    if (this.#random() < s.trimShare) this.#trim();
    const earliestAtOpen = this.#earliest();
    this.#reading = s.after === undefined ? earliestAtOpen : s.after + 1;
    while (!isOver(this.#state) && !this.#settled()) this.#turn();
    return {
      delivered: this.#delivered,
      state: this.#state,
      nextSeq: this.#nextSeq,
      lost: this.#lost,
      earliestSeq: this.#earliest(),
      earliestAtOpen,
      earliestAtFirst: this.#earliestAtFirst,
      trace: this.#trace,
    };
  }

  #settled(): boolean {
    if (++this.#turns > TURNS_MAX) throw new Error(`no end after ${TURNS_MAX} turns: ${JSON.stringify(this.#s)}`);
    const state = this.#state;
    return (
      !this.#s.endsTerminal && state.phase === 'live' && this.#nextSeq >= this.#s.events && state.next === this.#nextSeq
    );
  }

  #turn(): void {
    const pick = this.#random();
    if (pick < 0.3 && this.#nextSeq < this.#s.events) this.#append(true);
    else if (pick < 0.6 && this.#reading !== undefined) this.#page();
    else if (pick < 0.85 && this.#live.length > 0 && this.#started()) this.#hear();
    else if (pick >= 0.85 && pick < 0.85 + this.#s.trimShare) this.#trim();
    else this.#checkTail();
  }

  /** A driver without a cursor holds live packs back until history has been offered. */
  #started(): boolean {
    return !isOver(this.#state) && this.#state.next !== undefined;
  }

  #earliest(): number {
    return this.#log[0]?.firstSeq ?? this.#nextSeq;
  }

  #append(live: boolean): void {
    const count = Math.min(1 + Math.floor(this.#random() * this.#s.packCountMax), this.#s.events - this.#nextSeq);
    const pack = { firstSeq: this.#nextSeq, count };
    this.#log.push(pack);
    this.#nextSeq = packEnd(pack);
    if (!live || this.#random() < this.#s.dropShare) return;
    this.#live.push(pack);
    if (this.#random() < this.#s.doubleShare) this.#live.push(pack);
    if (this.#random() < this.#s.lateShare) this.#live.push(...this.#live.splice(0, 1));
  }

  #trim(): void {
    const packs = Math.floor(this.#random() * (this.#log.length + 1));
    const wanted = isOver(this.#state) ? undefined : this.#state.next;
    this.#log.splice(0, packs);
    const earliest = this.#earliest();
    if (wanted !== undefined && wanted < earliest) this.#lost = true;
    this.#trace.push(`trim ${earliest}`);
  }

  #hear(): void {
    const [pack] = this.#live.splice(0, 1);
    if (pack !== undefined) this.#offer(pack);
  }

  /** Reads on in the log: a page of packs, or the news that what was wanted is gone, or that there is no more. */
  #page(): void {
    const from = this.#reading;
    if (from === undefined) return;
    // A session that has not started reads from the first retained on, wherever that is now.
    if (this.#started() && from < this.#earliest()) {
      this.#reading = undefined;
      this.#give({ type: 'trimmed', earliestSeq: this.#earliest() });
      return;
    }
    const packs = this.#log.filter((p) => packEnd(p) > from).slice(0, 1 + Math.floor(this.#random() * 5));
    if (packs.length === 0) {
      this.#reading = undefined;
      this.#checkTail();
      return;
    }
    for (const pack of packs) {
      if (isOver(this.#state)) return;
      this.#reading = packEnd(pack);
      if (this.#offer(pack) === 'repair') return;
    }
  }

  #checkTail(): void {
    if (this.#reading !== undefined && !this.#started()) return;
    const over = this.#s.endsTerminal && this.#nextSeq >= this.#s.events;
    this.#give({ type: over ? 'terminal' : 'caught_up', nextSeq: this.#nextSeq });
  }

  #offer(pack: Extent): string {
    return this.#give({ type: 'pack', ...pack }, pack);
  }

  #give(input: SessionInput, pack?: Extent): string {
    const { state, action } = sessionStep(this.#state, input);
    this.#trace.push(`${JSON.stringify(input)} ${JSON.stringify(action)} ${JSON.stringify(state)}`);
    this.#state = state;
    if (action.type === 'repair') this.#reading = action.fromSeq;
    if (action.type === 'deliver' && pack !== undefined) {
      this.#earliestAtFirst ??= this.#earliest();
      for (let seq = action.fromSeq; seq < packEnd(pack); seq++) this.#delivered.push(seq);
    }
    return action.type;
  }
}
