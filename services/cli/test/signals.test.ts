import { EventEmitter } from 'node:events';
import { describe, expect, it } from 'vitest';
import { watchSignals } from '../src/signals.js';

function watch() {
  const exits: number[] = [];
  let nowMs = 0;
  const host = Object.assign(new EventEmitter(), { exit: (code: number) => void exits.push(code) });
  const signals = watchSignals(host, () => nowMs);
  return { host, exits, signals, at: (ms: number) => (nowMs = ms) };
}

describe('watchSignals', () => {
  it.each(['SIGINT', 'SIGTERM', 'SIGHUP'])('aborts at the first %s', (name) => {
    const { host, signals, exits } = watch();
    expect(signals.first.aborted).toBe(false);
    host.emit(name);
    expect(signals.first.aborted).toBe(true);
    expect(exits).toEqual([]);
  });

  it('takes the same signal within half a second for the same wish', () => {
    const { host, exits, at } = watch();
    host.emit('SIGINT');
    at(400);
    host.emit('SIGINT');
    expect(exits).toEqual([]);
    at(1_000);
    host.emit('SIGINT');
    expect(exits).toEqual([130]);
  });

  it('tells who listens for the second signal instead of ending', () => {
    const { host, signals, exits } = watch();
    let told = 0;
    signals.onSecond(() => (told += 1));
    host.emit('SIGINT');
    host.emit('SIGTERM');
    expect(told).toBe(1);
    expect(exits).toEqual([]);
  });
});
