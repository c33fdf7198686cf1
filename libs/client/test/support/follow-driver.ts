/** Drives the pure state machine in tests: fixed limits, a clock that stands still unless it is moved. */
import { followStart, followStep } from '../../src/follow-state.js';
import type { FollowEffect, FollowEnv, FollowInput, FollowState } from '../../src/follow-types.js';
import { DEFAULT_LIMITS } from '../../src/limits.js';

export const ENV: FollowEnv = {
  limits: { ...DEFAULT_LIMITS, attemptsMax: 3 },
  onEventsGone: 'fail',
  nowMs: 1_000,
  random: 0,
  endpoints: [0],
};

export class FollowDriver {
  state: FollowState;
  env: FollowEnv;
  effects: readonly FollowEffect[] = [];
  readonly all: FollowEffect[] = [];

  constructor(after: number | undefined, env: Partial<FollowEnv> = {}) {
    this.state = followStart(after);
    this.env = { ...ENV, ...env };
  }

  /** Feeds inputs; `effects` are those of the last one. */
  feed(...inputs: readonly FollowInput[]): this {
    for (const input of inputs) {
      const step = followStep(this.state, input, this.env);
      this.state = step.state;
      this.effects = step.effects;
      this.all.push(...step.effects);
    }
    return this;
  }

  events(...seqs: readonly number[]): this {
    return this.feed(...seqs.map((seq) => ({ type: 'event', seq }) as const));
  }

  advance(ms: number): this {
    this.env = { ...this.env, nowMs: this.env.nowMs + ms };
    return this;
  }

  delivered(): number[] {
    return this.all.flatMap((effect) => (effect.type === 'deliver' ? [effect.seq] : []));
  }

  faults(): string[] {
    return this.all.flatMap((effect) => (effect.type === 'fault' ? [effect.fault] : []));
  }

  of<T extends FollowEffect['type']>(type: T): Extract<FollowEffect, { type: T }>[] {
    return this.all.filter((effect): effect is Extract<FollowEffect, { type: T }> => effect.type === type);
  }

  failure(): string | undefined {
    return 'failure' in this.state ? this.state.failure?.code : undefined;
  }
}

export const start: FollowInput = { type: 'start', mode: 'stream' };
export const opened: FollowInput = { type: 'opened' };
export const cut: FollowInput = { type: 'network-error', message: 'cut' };
export const timer: FollowInput = { type: 'timer' };
export const silence: FollowInput = { type: 'silence' };
export const heartbeat: FollowInput = { type: 'activity', heartbeat: true };

export function streaming(after: number | undefined, env: Partial<FollowEnv> = {}): FollowDriver {
  return new FollowDriver(after, env).feed(start, opened);
}

export function status(value: Extract<FollowInput, { type: 'status' }>['status']): FollowInput {
  return { type: 'status', status: value };
}

export function rpcError(code: number, reason?: string, earliestSeq?: number): FollowInput {
  return { type: 'rpc-error', code, message: 'refused', reason, earliestSeq };
}
