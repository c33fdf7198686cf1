import { EventEmitter } from 'node:events';
import type { ServerResponse } from 'node:http';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { OpenCalls } from '../src/mcp/open-calls.js';

class FakeResponse extends EventEmitter {
  closed = false;

  close(): void {
    this.closed = true;
    this.emit('close');
  }
}

function tracked(calls: OpenCalls): FakeResponse {
  const response = new FakeResponse();
  calls.track(response as unknown as ServerResponse);
  return response;
}

beforeEach(() => vi.useFakeTimers({ toFake: ['performance'] }));
afterEach(() => vi.useRealTimers());

describe('open calls', () => {
  test('count until their responses are closed; one that is closed already never counts', () => {
    const calls = new OpenCalls();
    const [first, second] = [tracked(calls), tracked(calls)];
    expect(calls.count).toBe(2);
    first.close();
    expect(calls.count).toBe(1);
    const late = new FakeResponse();
    late.closed = true;
    calls.track(late as unknown as ServerResponse);
    expect(calls.count).toBe(1);
    second.close();
    expect(calls.count).toBe(0);
  });

  test('are waited for by a drain before they are told to stop', async () => {
    const calls = new OpenCalls();
    const response = tracked(calls);
    const draining = calls.drain(10_000);
    await new Promise((resolve) => setTimeout(resolve, 60));
    expect(calls.stopping.aborted).toBe(false);
    response.close();
    await draining;
    expect(calls.count).toBe(0);
  });

  test('that take longer are told to stop in time for an answer; those that give none are left', async () => {
    const calls = new OpenCalls();
    const [obedient, stuck] = [tracked(calls), tracked(calls)];
    calls.stopping.addEventListener('abort', () => obedient.close());
    let over = false;
    const draining = calls.drain(10_000).then(() => (over = true));
    vi.advanceTimersByTime(8_900);
    await new Promise((resolve) => setTimeout(resolve, 60));
    expect(calls.stopping.aborted).toBe(false);
    vi.advanceTimersByTime(200);
    await new Promise((resolve) => setTimeout(resolve, 60));
    expect(calls.stopping.aborted).toBe(true);
    expect([calls.count, over]).toEqual([1, false]);
    vi.advanceTimersByTime(1_000);
    await draining;
    expect(calls.count).toBe(1);
    stuck.close();
  });
});
