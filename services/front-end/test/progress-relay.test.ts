/** Which reports of progress go out: rising ones, a burst, then a few a second. */
import { describe, expect, test } from 'vitest';
import { ProgressGate, progressRelay, progressTokenOf } from '../src/mcp/progress-relay.js';

describe('ProgressGate', () => {
  test('admits values that rise, and no others', () => {
    const gate = new ProgressGate(100, 0);
    const admitted = [0, 1, 1, 0.5, -3, 1.5, 2].filter((value) => gate.admits(value, 0));
    expect(admitted).toEqual([0, 1, 1.5, 2]);
  });

  test('admits a burst of one second’s worth, then as many as time allows', () => {
    const gate = new ProgressGate(10, 0);
    const at = (nowMs: number) =>
      Array.from({ length: 50 }, (_, i) => nowMs + i / 100).filter((v) => gate.admits(v, nowMs));
    expect(at(0)).toHaveLength(10);
    expect(at(99)).toHaveLength(0);
    expect(at(100)).toHaveLength(1);
    expect(at(350)).toHaveLength(2);
    expect(at(60_000)).toHaveLength(10);
  });

  test('does not take a value that it left out for the latest', () => {
    const gate = new ProgressGate(1, 0);
    expect(gate.admits(1, 0)).toBe(true);
    expect(gate.admits(5, 0)).toBe(false);
    expect(gate.admits(2, 1_000)).toBe(true);
  });
});

describe('progressRelay', () => {
  test('is nothing without a token', () => {
    expect(
      progressRelay(
        undefined,
        10,
        () => undefined,
        () => undefined,
      ),
    ).toBeUndefined();
  });

  test.each([['token'], [0]])('sends under the token %j, with what the tool said and no more', (token) => {
    const sent: unknown[] = [];
    const relay = progressRelay(
      token,
      10,
      (notification) => sent.push(notification),
      () => undefined,
    );
    relay?.({ progress: 1 });
    relay?.({ progress: 2, total: 3, message: 'two of three' });
    expect(sent).toEqual([
      { method: 'notifications/progress', params: { progressToken: token, progress: 1 } },
      {
        method: 'notifications/progress',
        params: { progressToken: token, progress: 2, total: 3, message: 'two of three' },
      },
    ]);
  });

  test('tells of what it leaves out, but not of what is old', () => {
    const sent: unknown[] = [];
    const hits: unknown[] = [];
    const relay = progressRelay(
      'token',
      2,
      (notification) => sent.push(notification),
      (...hit) => hits.push(hit),
    );
    for (const progress of [1, 2, 2, 3, 4]) relay?.({ progress });
    expect(sent).toHaveLength(2);
    expect(hits).toEqual([
      ['progressPerSecondMax', 'slowed'],
      ['progressPerSecondMax', 'slowed'],
    ]);
  });
});

test.each([
  [{ progressToken: 'x' }, 'x'],
  [{ progressToken: 0 }, 0],
  [{ progressToken: null }, undefined],
  [{}, undefined],
  ['nonsense', undefined],
  [undefined, undefined],
])('the token of %j is %j', (meta, token) => {
  expect(progressTokenOf(meta)).toBe(token);
});
