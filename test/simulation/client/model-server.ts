/**
 * A model of a service: one task's log that grows, is trimmed and ends in virtual time, behind endpoints that fail in
 * every way that the client has to survive.
 *
 * Invariant: `log` is the truth that a run is held against; a fault changes what is said, never the log.
 */
import type { TerminalStatus } from '@taskstream/protocol';
import type { FollowInput } from '../../../libs/client/src/follow-types.js';
import type { Random } from './random.js';

/** What a stream does to its reader, besides delivering. */
export const STREAM_FAULTS = [
  'none',
  'cut',
  'stall',
  'close',
  'draining',
  'rotated',
  'slow-reader',
  'duplicate',
  'inclusive',
  'replay',
  'skip',
  'malformed',
  'early-end',
] as const;
export type StreamFault = (typeof STREAM_FAULTS)[number];

/** What a request is answered with instead of what it asked for. */
export const REFUSALS = [
  'none',
  'network',
  'silence',
  '401',
  '404',
  '429',
  '503',
  'stream_active',
  'unexplained',
  'temporarily_unavailable',
] as const;
export type Refusal = (typeof REFUSALS)[number];

export interface World {
  /** When event `seq` is appended. */
  readonly appendedAtMs: readonly number[];
  /** When the task ends; not before its last event. */
  readonly endsAtMs: number;
  readonly status: TerminalStatus;
  /** `[at, earliest]`: from `at` on nothing below `earliest` is retained. */
  readonly trims: readonly (readonly [number, number])[];
  /** The server says why it ends streams, and sends heartbeats. */
  readonly ours: boolean;
  /** It never sends this event. */
  readonly lost: number | undefined;
  readonly faultRate: number;
  readonly refusalRate: number;
  /** Refusals that are final for a client: rare, or every run would end with them. */
  readonly finalRate: number;
  readonly noMethod: boolean;
  readonly endpoints: number;
}

/** A timed input: what the client would see next, and when. */
export interface Timed {
  readonly atMs: number;
  readonly input: FollowInput;
}

const HEARTBEAT_MS = 15_000;

export function randomWorld(random: Random): World {
  const events = random.int(0, 40);
  const appendedAtMs: number[] = [];
  let at = 0;
  for (let seq = 0; seq < events; seq += 1) {
    at += random.chance(0.05) ? random.int(20_000, 200_000) : random.int(0, 3_000);
    appendedAtMs.push(at);
  }
  const trims: (readonly [number, number])[] = [];
  if (random.chance(0.25)) {
    let earliest = 0;
    for (let i = random.int(1, 3); i > 0; i -= 1) {
      earliest = Math.min(events, earliest + random.int(1, 15));
      // What was not appended yet cannot be trimmed.
      const appended = earliest === 0 ? 0 : (appendedAtMs[earliest - 1] ?? 0);
      trims.push([appended + random.int(0, 60_000), earliest]);
    }
  }
  return {
    appendedAtMs,
    endsAtMs: at + random.int(0, 60_000),
    status: random.pick(['completed', 'failed', 'cancelled']),
    trims: trims.toSorted((a, b) => a[0] - b[0]),
    ours: random.chance(0.7),
    lost: events > 0 && random.chance(0.05) ? random.int(0, events - 1) : undefined,
    faultRate: random.pick([0, 0.3, 0.7, 0.95]),
    refusalRate: random.pick([0, 0.2, 0.5, 0.9]),
    finalRate: random.pick([0, 0, 0, 0.02]),
    noMethod: random.chance(0.03),
    endpoints: random.int(1, 3),
  };
}

export class ModelServer {
  readonly world: World;
  readonly #random: Random;
  readonly used = new Set<string>();

  constructor(world: World, random: Random) {
    this.world = world;
    this.#random = random;
  }

  earliest(nowMs: number): number {
    let earliest = 0;
    for (const [at, seq] of this.world.trims) if (at <= nowMs) earliest = Math.max(earliest, seq);
    return earliest;
  }

  get total(): number {
    return this.world.appendedAtMs.length;
  }

  /** Answers `tasks/stream`: a refusal, or what the stream brings, in order and without end. */
  stream(after: number | undefined, nowMs: number): { readonly refusal: FollowInput } | { readonly open: Stream } {
    if (this.world.noMethod) return { refusal: rpc(-32601) };
    const refusal = this.#refusal(true);
    if (refusal !== undefined) return { refusal };
    const { ours, faultRate } = this.world;
    const fault = this.#random.chance(faultRate) ? this.#random.pick(STREAM_FAULTS) : 'none';
    this.used.add(fault);
    if (!ours && ['draining', 'rotated', 'slow-reader', 'early-end'].includes(fault)) {
      return { open: new Stream(this, after, nowMs, 'close', this.#random) };
    }
    return { open: new Stream(this, after, nowMs, fault, this.#random) };
  }

  /** Answers `tasks/get`. */
  get(nowMs: number): FollowInput {
    const refusal = this.#refusal(false);
    if (refusal !== undefined) return refusal;
    const over = nowMs >= this.world.endsAtMs;
    return { type: 'status', status: over ? this.world.status : 'working', pollIntervalMs: 5_000 };
  }

  #refusal(stream: boolean): FollowInput | undefined {
    if (!this.#random.chance(this.world.refusalRate)) return undefined;
    let kind = this.#random.pick(REFUSALS);
    const final = kind === '401' || (kind === '404' && this.world.endpoints === 1);
    if (final && !this.#random.chance(this.world.finalRate)) kind = 'network';
    if (!stream && (kind === 'stream_active' || kind === 'unexplained')) kind = '503';
    if (kind === 'none') return undefined;
    this.used.add(kind);
    return refusalInput(kind, this.#random);
  }
}

/** One open stream. */
export class Stream {
  readonly #server: ModelServer;
  readonly #random: Random;
  readonly #after: number | undefined;
  #next: number;
  #nowMs: number;
  #lastByteMs: number;
  #fault: StreamFault;
  /** Messages until the fault shows. */
  #countdown: number;
  #delivered = false;

  constructor(server: ModelServer, after: number | undefined, nowMs: number, fault: StreamFault, random: Random) {
    this.#server = server;
    this.#random = random;
    this.#after = after;
    this.#next = after === undefined ? -1 : after + 1;
    this.#nowMs = nowMs;
    this.#lastByteMs = nowMs;
    this.#fault = fault;
    this.#countdown = random.int(0, 6);
  }

  /** What comes next and when; undefined when nothing will ever come. */
  read(nowMs: number): Timed | undefined {
    this.#nowMs = Math.max(this.#nowMs, nowMs);
    if (this.#countdown === 0) {
      const shown = this.#show();
      if (shown !== 'nothing') return shown;
    }
    this.#countdown -= 1;
    return this.#honest();
  }

  /** The fault, once; 'nothing' if it does not replace a message. */
  #show(): Timed | undefined | 'nothing' {
    const fault = this.#fault;
    this.#fault = 'none';
    const at = this.#nowMs;
    const now = (input: FollowInput): Timed => ({ atMs: at, input });
    const end = (reason: 'draining' | 'rotated' | 'slow-reader'): Timed =>
      now({ type: 'end', reason, status: 'working', nextSeq: Math.max(0, this.#next) });
    switch (fault) {
      case 'cut':
        return now({ type: 'network-error', message: 'cut' });
      case 'stall':
        this.#fault = 'stall';
        return undefined;
      case 'close':
        // SEP-2694: of a task that is over, only a stream that has nothing to send may end without an event.
        if (at >= this.#server.world.endsAtMs && !this.#delivered) return 'nothing';
        return now({ type: 'end' });
      case 'draining':
      case 'rotated':
      case 'slow-reader':
        return end(fault);
      case 'early-end': {
        const early = Math.max(0, this.#next) < this.#server.total && this.#delivered;
        const nextSeq = this.#server.total;
        return early ? now({ type: 'end', reason: 'terminal', status: 'completed', nextSeq }) : 'nothing';
      }
      case 'malformed':
        return now({ type: 'fault', fault: 'malformed_event', message: 'no event', consequence: 'reconnect' });
      case 'duplicate':
        if (this.#next > 0) this.#next -= 1;
        return 'nothing';
      case 'inclusive':
        if (!this.#delivered && this.#after !== undefined) this.#next = this.#after;
        return 'nothing';
      case 'replay':
        if (!this.#delivered && this.#after !== undefined) this.#next = this.#random.int(0, this.#after);
        return 'nothing';
      case 'skip':
        if (this.#next >= 0) this.#next += this.#random.int(1, 3);
        return 'nothing';
      case 'none':
        return 'nothing';
    }
  }

  #honest(): Timed {
    const { world, total } = this.#server;
    const earliest = this.#server.earliest(this.#nowMs);
    // Without a cursor, and before the first delivery, it starts at what is retained.
    if (this.#next < 0 || (this.#after === undefined && !this.#delivered))
      this.#next = Math.max(0, this.#next, earliest);
    if (this.#next < earliest) {
      const at = this.#nowMs;
      return {
        atMs: at,
        input: { type: 'rpc-error', code: -32010, message: 'gone', reason: 'events_gone', earliestSeq: earliest },
      };
    }
    if (world.lost === this.#next) this.#next += 1;
    const due = this.#next < total ? (world.appendedAtMs[this.#next] ?? 0) : world.endsAtMs;
    const atMs = Math.max(due, this.#nowMs);
    if (world.ours && atMs - this.#lastByteMs >= HEARTBEAT_MS) {
      this.#nowMs = this.#lastByteMs + HEARTBEAT_MS;
      this.#lastByteMs = this.#nowMs;
      return { atMs: this.#nowMs, input: { type: 'activity', heartbeat: true } };
    }
    this.#nowMs = atMs;
    this.#lastByteMs = atMs;
    // It may have been trimmed while nothing happened.
    if (this.#next < this.#server.earliest(atMs)) return this.#honest();
    if (this.#next < total) {
      const seq = this.#next;
      this.#next += 1;
      this.#delivered = true;
      return { atMs, input: { type: 'event', seq } };
    }
    const nextSeq = Math.max(this.#next, total);
    return {
      atMs,
      input: world.ours ? { type: 'end', reason: 'terminal', status: world.status, nextSeq } : { type: 'end' },
    };
  }
}

function rpc(code: number, reason?: string): FollowInput {
  return { type: 'rpc-error', code, message: 'refused', reason };
}

function refusalInput(kind: Exclude<Refusal, 'none'>, random: Random): FollowInput {
  switch (kind) {
    case 'network':
      return { type: 'network-error', message: 'refused' };
    case 'silence':
      return { type: 'silence' };
    case '401':
      return { type: 'http-error', status: 401 };
    case '404':
      return { type: 'http-error', status: 404 };
    case '429':
      return { type: 'http-error', status: 429, retryAfterMs: random.int(0, 20_000) };
    case '503':
      return { type: 'http-error', status: 503, retryAfterMs: random.chance(0.5) ? random.int(0, 20_000) : undefined };
    case 'unexplained':
      return rpc(-32602);
    case 'stream_active':
      return rpc(-32602, kind);
    case 'temporarily_unavailable':
      return rpc(-32603, kind);
  }
}
