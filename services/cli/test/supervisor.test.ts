import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { decideRestart, RESTART_LIMITS } from '../src/system/restart-policy.js';
import { supervise, type RunningProcess, type SupervisorOptions, type Unit } from '../src/system/supervisor.js';
import { until } from './support.js';

const limits = { windowMs: 60_000, restartsMax: 3, backoffBaseMs: 1, backoffMsMax: 4 };

describe('decideRestart', () => {
  it('waits longer each time, up to a bound, and gives up beyond the limit', () => {
    const decisions = [1, 2, 3, 4].map((n) =>
      decideRestart(
        Array.from({ length: n }, () => 0),
        0,
        limits,
      ),
    );
    expect(decisions).toEqual([
      { type: 'restart', delayMs: 1 },
      { type: 'restart', delayMs: 2 },
      { type: 'restart', delayMs: 4 },
      { type: 'give-up', endings: 4 },
    ]);
  });

  it('forgets what is older than the window', () => {
    const old = [0, 1, 2, 3, 4];
    expect(decideRestart([...old, 60_003], 60_003, limits)).toEqual({ type: 'restart', delayMs: 2 });
  });

  it('has bounds by default', () => {
    const long = Array.from({ length: 10 }, () => 0);
    expect(decideRestart(long, 0, RESTART_LIMITS)).toEqual({ type: 'restart', delayMs: 5_000 });
    expect(decideRestart([...long, 0], 0, RESTART_LIMITS).type).toBe('give-up');
  });
});

class FakeUnit implements Unit {
  readonly name = 'fake';
  readonly signals: string[] = [];
  launches = 0;
  failNextLaunches = 0;
  deafTo: readonly string[] = [];
  launchMs = 0;
  #end: (how: string) => void = () => undefined;

  readonly launch = async (): Promise<RunningProcess> => {
    this.launches += 1;
    const pid = this.launches;
    await sleep(this.launchMs);
    if (this.failNextLaunches > 0) {
      this.failNextLaunches -= 1;
      throw new Error('no luck');
    }
    const ended = new Promise<string>((resolve) => (this.#end = resolve));
    return {
      pid,
      ended,
      kill: (signal) => {
        this.signals.push(`${pid} ${signal}`);
        if (signal !== 'SIGCONT' && !this.deafTo.includes(signal)) this.#end(signal);
      },
    };
  };

  crash(): void {
    this.#end('exit code 7');
  }
}

function options(more: Partial<SupervisorOptions> = {}) {
  const notes: string[] = [];
  const givenUp: string[] = [];
  return {
    notes,
    givenUp,
    options: {
      restart: true,
      limits,
      stopMsMax: 50,
      note: (level, message) => void notes.push(`${level}: ${message}`),
      onGivenUp: (error) => void givenUp.push(error.message),
      ...more,
    } satisfies SupervisorOptions,
  };
}

const never = new AbortController().signal;

describe('supervise', () => {
  it('starts a process again that ended unexpectedly, and says so', async () => {
    const unit = new FakeUnit();
    const { options: given, notes } = options();
    const supervised = await supervise(unit, given, never);
    expect(supervised.pid).toBe(1);
    unit.crash();
    await until(() => supervised.pid === 2, 'it runs again');
    expect(notes).toEqual(['warn: fake (pid 1) ended unexpectedly: exit code 7', 'info: fake runs again with pid 2']);
    await supervised.stop();
  });

  it('tries again when a restart fails', async () => {
    const unit = new FakeUnit();
    const { options: given, notes } = options();
    const supervised = await supervise(unit, given, never);
    unit.failNextLaunches = 1;
    unit.crash();
    await until(() => supervised.pid === 3, 'it runs again');
    expect(notes).toContain('error: fake could not be started again: no luck');
    await supervised.stop();
  });

  it('gives up loudly on a process that keeps ending', async () => {
    const unit = new FakeUnit();
    const { options: given, givenUp } = options();
    const supervised = await supervise(unit, given, never);
    unit.failNextLaunches = 100;
    unit.crash();
    await until(() => givenUp.length > 0, 'it is given up');
    expect(givenUp).toEqual([expect.stringContaining('fake ended 4 times within 1 min')]);
    expect(unit.launches).toBe(4);
    await supervised.stop();
    expect(givenUp).toHaveLength(1);
  });

  it('leaves it down when told not to restart', async () => {
    const unit = new FakeUnit();
    const { options: given, givenUp } = options({ restart: false });
    const supervised = await supervise(unit, given, never);
    unit.crash();
    await until(() => supervised.pid === undefined, 'its end is noticed');
    await sleep(20);
    expect(unit.launches).toBe(1);
    expect(givenUp).toEqual([]);
    await supervised.stop();
  });

  it('stops with SIGTERM, and a process that does not listen with SIGKILL', async () => {
    const polite = new FakeUnit();
    await (await supervise(polite, options().options, never)).stop();
    expect(polite.signals).toEqual(['1 SIGTERM', '1 SIGCONT']);

    const deaf = new FakeUnit();
    deaf.deafTo = ['SIGTERM'];
    const { options: given, notes } = options();
    await (await supervise(deaf, given, never)).stop();
    expect(deaf.signals.at(-1)).toBe('1 SIGKILL');
    expect(notes).toEqual(['warn: fake did not end within 50 ms and is killed']);
  });

  it('starts nothing any more after a stop, and kills what was just starting', async () => {
    const unit = new FakeUnit();
    const supervised = await supervise(unit, options().options, never);
    unit.launchMs = 60;
    unit.crash();
    await until(() => unit.launches === 2, 'the restart is under way');
    await supervised.stop();
    expect(unit.signals).toEqual(['2 SIGKILL']);
    await sleep(30);
    expect(unit.launches).toBe(2);
  });

  it('throws what the first launch throws', async () => {
    const unit = new FakeUnit();
    unit.failNextLaunches = 1;
    await expect(supervise(unit, options().options, never)).rejects.toThrow('no luck');
  });
});
