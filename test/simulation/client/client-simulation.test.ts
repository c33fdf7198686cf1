import { describe, expect, it } from 'vitest';
import { REFUSALS, STREAM_FAULTS } from './model-server.js';
import { judge, simulate, type SimulatedRun } from './simulate.js';

const RUNS = 4_000;
const runs: readonly SimulatedRun[] = Array.from({ length: RUNS }, (_value, seed) => simulate(seed + 1));

describe('the client against a model server', () => {
  it('ends every run with exactly the expected events or a justified typed error', () => {
    const wrong = runs.flatMap((run) => judge(run).map((what) => `seed ${run.seed}: ${what}`));
    expect(wrong.slice(0, 10)).toEqual([]);
  });

  it('gives the same trace for the same seed, and another for another', () => {
    for (const run of runs.slice(0, 300)) expect(simulate(run.seed).trace).toEqual(run.trace);
    expect(new Set(runs.map(({ trace }) => trace.join('\n'))).size).toBeGreaterThan(RUNS * 0.95);
  });

  it('saw every fault, every lawful cell and every kind of end', () => {
    const used = new Set(runs.flatMap((run) => [...run.used]));
    expect([...STREAM_FAULTS, ...REFUSALS].filter((name) => !used.has(name))).toEqual([]);
    const cells = new Set(runs.flatMap((run) => [...run.cells]));
    const lawful = {
      idle: ['start'],
      connecting: ['opened', 'rpc-error', 'http-error', 'network-error', 'silence'],
      streaming: ['activity', 'event', 'fault', 'end', 'rpc-error', 'network-error', 'silence'],
      'backing-off': ['timer'],
      'asking-status': ['status', 'rpc-error', 'http-error', 'network-error', 'silence'],
      polling: ['timer', 'status', 'rpc-error', 'http-error', 'network-error', 'silence'],
    };
    const expected = Object.entries(lawful).flatMap(([phase, inputs]) => inputs.map((input) => `${phase} × ${input}`));
    expect([...cells].toSorted()).toEqual(expected.toSorted());
    const codes = new Set(runs.map(({ state }) => (state.phase === 'failed' ? state.failure.code : state.phase)));
    for (const code of ['ended', 'events_gone', 'unavailable', 'sequence_gap', 'unauthorized', 'endpoint_refused']) {
      expect(codes).toContain(code);
    }
    // Most runs get through, or the faults would prove little.
    expect(runs.filter(({ state }) => state.phase === 'ended').length).toBeGreaterThan(RUNS / 2);
  });

  it('delivers everything when nothing but the connection fails', () => {
    const lossless = runs.filter(
      ({ world }) => world.lost === undefined && world.trims.length === 0 && world.finalRate === 0 && !world.noMethod,
    );
    const complete = lossless.filter(({ state }) => state.phase === 'ended');
    expect(complete.length).toBeGreaterThan(RUNS / 4);
    for (const { after, items, world } of complete) {
      const expected = world.appendedAtMs.map((_at, seq) => ({ type: 'event', seq })).slice((after ?? -1) + 1);
      expect(items).toEqual(expected);
    }
  });
});
