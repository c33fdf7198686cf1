import { describe, expect, it } from 'vitest';
import type { FollowInput } from '../src/follow-types.js';
import {
  cut,
  ENV,
  FollowDriver,
  heartbeat,
  opened,
  rpcError,
  silence,
  start,
  status,
  streaming,
  timer,
} from './support/follow-driver.js';

const again: readonly FollowInput[] = [cut, timer, opened];

describe('sequence', () => {
  it('delivers events in order and resumes after the last one', () => {
    const driver = streaming(undefined).events(0, 1, 2).feed(cut, timer);
    expect(driver.delivered()).toEqual([0, 1, 2]);
    expect(driver.effects).toContainEqual({ type: 'open', endpoint: 0, after: 2 });
  });

  it('drops duplicates and says which kind they are', () => {
    const same = streaming(undefined).events(0, 1, 1, 0);
    expect(same.delivered()).toEqual([0, 1]);
    expect(same.of('drop').map(({ seq }) => seq)).toEqual([1, 0]);
    expect(same.faults()).toEqual(['repeated_event', 'repeated_event']);
    const inclusive = streaming(4).events(4, 5);
    expect(inclusive.delivered()).toEqual([5]);
    expect(inclusive.faults()).toEqual(['inclusive_after']);
    const replayed = streaming(4).events(2, 3, 4, 5);
    expect(replayed.delivered()).toEqual([5]);
    expect(replayed.faults()).toEqual(['replayed_before_cursor', 'replayed_before_cursor', 'inclusive_after']);
  });

  it('never delivers past a gap: it aborts and resumes from the last processed seq', () => {
    const driver = streaming(4).events(5, 7);
    expect(driver.delivered()).toEqual([5]);
    expect(driver.effects.map(({ type }) => type)).toEqual(['fault', 'abort', 'reconnecting', 'wait']);
    expect(driver.faults()).toEqual(['skipped_event']);
    expect(driver.feed(timer).effects).toEqual([{ type: 'open', endpoint: 0, after: 5 }]);
    expect(driver.feed(opened).events(6, 7).delivered()).toEqual([5, 6, 7]);
  });

  it('gives up with sequence_gap when the server keeps leaving out an event', () => {
    const driver = streaming(4);
    for (let i = 0; i < 3; i += 1) driver.events(6).feed(timer, opened);
    expect(driver.events(6).failure()).toBe('sequence_gap');
    expect(driver.delivered()).toEqual([]);
  });

  it('reports what is missing before the first event when it has no cursor', () => {
    const driver = streaming(undefined).events(3, 4);
    expect(driver.of('gap')).toEqual([{ type: 'gap', from: 0, to: 2, restarted: false }]);
    expect(driver.faults()).toEqual(['starts_above_zero']);
    expect(driver.delivered()).toEqual([3, 4]);
  });
});

describe('the end', () => {
  const terminal = (nextSeq: number): FollowInput => ({
    type: 'end',
    reason: 'terminal',
    status: 'completed',
    nextSeq,
  });

  it('asks for the outcome when the server says that the log is complete', () => {
    const driver = streaming(undefined).events(0, 1).feed(terminal(2));
    expect(driver.state).toMatchObject({ phase: 'asking-status', why: 'outcome' });
    expect(driver.feed(status('completed')).state).toMatchObject({ phase: 'ended', failure: undefined });
  });

  it('does not believe an end before the last event', () => {
    const driver = streaming(undefined).events(0).feed(terminal(2));
    expect(driver.state.phase).toBe('backing-off');
    expect(driver.faults()).toEqual(['end_before_last_event']);
    expect(driver.feed(timer, opened).events(1).feed(terminal(2)).state.phase).toBe('asking-status');
  });

  it('reads the stream once more after a silent end of a task that is over', () => {
    const driver = streaming(undefined).events(0).feed({ type: 'end' });
    expect(driver.state).toMatchObject({ phase: 'asking-status', why: 'closed' });
    driver.feed(status('failed'));
    expect(driver.effects).toEqual([{ type: 'open', endpoint: 0, after: 0 }]);
    // It was not empty: the end is known only after an empty one.
    driver.feed(opened).events(1).feed({ type: 'end' });
    expect(driver.effects).toContainEqual({ type: 'open', endpoint: 0, after: 1 });
    driver.feed(opened, { type: 'end' });
    expect(driver.state).toMatchObject({ phase: 'ended', failure: undefined });
    expect(driver.delivered()).toEqual([0, 1]);
  });

  it('counts an inclusive duplicate as empty', () => {
    const driver = streaming(0).feed({ type: 'end' }, status('completed'), opened).events(0).feed({ type: 'end' });
    expect(driver.state.phase).toBe('ended');
  });

  it('resumes after a silent end of a task that goes on', () => {
    const driver = streaming(undefined).events(0).feed({ type: 'end' }, status('working'));
    expect(driver.effects.map(({ type }) => type)).toEqual(['reconnecting', 'wait']);
    expect(driver.feed(timer).effects).toEqual([{ type: 'open', endpoint: 0, after: 0 }]);
  });

  it('gives up with no_progress when the server keeps closing', () => {
    const driver = streaming(0);
    for (let i = 0; i < 3; i += 1) driver.feed({ type: 'end' }, status('working'), timer, opened);
    expect(driver.feed({ type: 'end' }, status('working')).failure()).toBe('no_progress');
  });

  it.each(['draining', 'rotated', 'slow-reader'] as const)('resumes at once after %s', (reason) => {
    const driver = streaming(0).events(1).feed({ type: 'end', reason, status: 'working', nextSeq: 2 });
    expect(driver.effects).toContainEqual({ type: 'wait', ms: 0 });
    expect(driver.feed(timer).effects).toEqual([{ type: 'open', endpoint: 0, after: 1 }]);
    // A second one without an event between waits.
    driver.feed(opened, { type: 'end', reason }, timer, opened, { type: 'end', reason });
    expect(driver.of('wait').at(-1)?.ms).toBeGreaterThan(0);
  });

  it('fails when the task expired, and ends when it was over before', () => {
    expect(streaming(0).feed({ type: 'end', reason: 'expired', status: 'working' }).failure()).toBe('task_expired');
    const over = streaming(0).feed({ type: 'end', reason: 'expired', status: 'completed' }, rpcError(-32602));
    expect(over.state).toMatchObject({ phase: 'ended', failure: { code: 'unknown_task' } });
  });

  it('ends without an outcome when only the outcome cannot be had', () => {
    const driver = streaming(0).feed(terminal(1), { type: 'http-error', status: 401 });
    expect(driver.state).toMatchObject({ phase: 'ended', failure: { code: 'unauthorized' } });
    const late = streaming(0).feed(terminal(1));
    for (let i = 0; i < 3; i += 1) late.feed(status('working'), timer);
    expect(late.feed(status('working')).state).toMatchObject({ phase: 'ended', failure: { code: 'no_progress' } });
  });
});

describe('events_gone', () => {
  it('fails by default, with what is retained', () => {
    const driver = streaming(4).feed(rpcError(-32010, 'events_gone', 9));
    expect(driver.state).toMatchObject({
      phase: 'failed',
      failure: { code: 'events_gone', details: { nextSeq: 5, earliestSeq: 9 } },
    });
  });

  it('keys on the reason, not on the code', () => {
    expect(
      streaming(4)
        .feed(rpcError(-32099, 'events_gone', 9))
        .failure(),
    ).toBe('events_gone');
    expect(streaming(4).feed(rpcError(-32010)).failure()).toBe('rpc_error');
  });

  it('resumes from the earliest with an exact gap', () => {
    const driver = streaming(4, { onEventsGone: 'resume' })
      .events(5)
      .feed(rpcError(-32010, 'events_gone', 9), timer);
    expect(driver.effects).toEqual([{ type: 'open', endpoint: 0, after: 8 }]);
    driver.feed(opened).events(9, 10);
    expect(driver.of('gap')).toEqual([{ type: 'gap', from: 6, to: 8, restarted: false }]);
    expect(driver.delivered()).toEqual([5, 9, 10]);
    expect(driver.faults()).toEqual([]);
  });

  it('asks for everything when the server does not say what is retained', () => {
    const driver = streaming(4, { onEventsGone: 'resume' }).feed(rpcError(-32010, 'events_gone'), timer);
    expect(driver.effects).toEqual([{ type: 'open', endpoint: 0, after: undefined }]);
    driver.feed(opened).events(3, 4, 5, 6);
    expect(driver.delivered()).toEqual([5, 6]);
    expect(driver.of('gap')).toEqual([]);
  });

  it('restarts with everything that is retained', () => {
    const driver = streaming(4, { onEventsGone: 'restart' }).feed(rpcError(-32010, 'events_gone', 9), timer);
    expect(driver.effects).toEqual([{ type: 'open', endpoint: 0, after: 8 }]);
    driver.feed(opened).events(9, 10).feed(cut, timer);
    expect(driver.of('gap')).toEqual([{ type: 'gap', from: 5, to: 8, restarted: true }]);
    expect(driver.delivered()).toEqual([9, 10]);
    expect(driver.effects).toEqual([{ type: 'open', endpoint: 0, after: 10 }]);
  });

  it.each(['resume', 'restart'] as const)('with %s passes over nothing that was not named as gone', (onEventsGone) => {
    const driver = streaming(4, { onEventsGone })
      .feed(rpcError(-32010, 'events_gone', 9), timer, opened)
      .events(11);
    expect(driver.faults()).toEqual(['skipped_event']);
    expect(driver.of('gap')).toEqual([]);
    expect(driver.delivered()).toEqual([]);
    driver.feed(timer, opened, rpcError(-32010, 'events_gone', 11), timer, opened).events(11);
    expect(driver.of('gap')).toEqual([{ type: 'gap', from: 5, to: 10, restarted: onEventsGone === 'restart' }]);
    expect(driver.delivered()).toEqual([11]);
  });

  it('states the gap at the end when nothing is left', () => {
    const gone = rpcError(-32010, 'events_gone', 9);
    const end: FollowInput = { type: 'end', reason: 'terminal', status: 'completed', nextSeq: 9 };
    const driver = streaming(4, { onEventsGone: 'resume' }).feed(gone, timer, opened, end);
    expect(driver.of('gap')).toEqual([{ type: 'gap', from: 5, to: 8, restarted: false }]);
    const silent = streaming(4, { onEventsGone: 'resume' });
    silent.feed(gone, timer, opened, { type: 'end' }, status('completed'), opened, { type: 'end' });
    expect(silent.of('gap')).toEqual([{ type: 'gap', from: 5, to: 8, restarted: false }]);
    expect(silent.state.phase).toBe('ended');
  });

  it('does not lose its place for an events_gone that makes no sense', () => {
    const driver = streaming(4, { onEventsGone: 'resume' }).feed(rpcError(-32010, 'events_gone', 3), timer);
    expect(driver.faults()).toEqual(['unfounded_events_gone']);
    expect(driver.effects).toEqual([{ type: 'open', endpoint: 0, after: 4 }]);
  });
});

describe('refusals', () => {
  it('falls back to polling without tasks/stream, and not once it was served', () => {
    const driver = new FollowDriver(undefined).feed(start, rpcError(-32601));
    expect(driver.effects.map(({ type }) => type)).toEqual(['abort', 'fallback-polling', 'ask-status']);
    driver.feed(status('working'));
    expect(driver.effects).toEqual([{ type: 'wait', ms: ENV.limits.pollIntervalMs }]);
    driver.feed(timer, status('completed'));
    expect(driver.state.phase).toBe('ended');
    const served = streaming(undefined).events(0).feed(cut, timer, rpcError(-32601));
    expect(served.state.phase).toBe('backing-off');
  });

  it('honours the poll interval within bounds', () => {
    const poll = (pollIntervalMs: number): number | undefined =>
      new FollowDriver(undefined)
        .feed({ type: 'start', mode: 'poll' }, { type: 'status', status: 'working', pollIntervalMs })
        .of('wait')
        .at(0)?.ms;
    expect([poll(5_000), poll(1), poll(9_999_999)]).toEqual([5_000, 100, 60_000]);
  });

  it('backs off while another stream is active', () => {
    const driver = new FollowDriver(4).feed(start, rpcError(-32602, 'stream_active'));
    expect(driver.state.phase).toBe('backing-off');
    for (let i = 0; i < 3; i += 1) driver.feed(timer, rpcError(-32602, 'stream_active'));
    expect(driver.failure()).toBe('stream_active');
  });

  it('asks tasks/get what an unexplained -32602 means', () => {
    const unknown = new FollowDriver(4).feed(start, rpcError(-32602), rpcError(-32602));
    expect(unknown.failure()).toBe('unknown_task');
    const known = new FollowDriver(4).feed(start, rpcError(-32602), status('working'), timer);
    expect(known.effects).toEqual([{ type: 'open', endpoint: 0, after: 4 }]);
  });

  it.each([
    [rpcError(-32602, 'cursor_ahead'), 'cursor_ahead'],
    [rpcError(-32021), 'missing_capability'],
    [rpcError(-32022), 'unsupported_protocol'],
    [rpcError(-32020), 'rpc_error'],
    [{ type: 'http-error', status: 401 } as const, 'unauthorized'],
    [{ type: 'http-error', status: 403 } as const, 'forbidden'],
    [{ type: 'http-error', status: 404 } as const, 'endpoint_refused'],
    [{ type: 'http-error', status: 406 } as const, 'endpoint_refused'],
    [
      { type: 'fault', fault: 'message_too_large', message: 'm', consequence: 'reconnect' } as const,
      'message_too_large',
    ],
    [
      { type: 'fault', fault: 'unknown_result_type', message: 'm', consequence: 'reconnect' } as const,
      'unknown_result_type',
    ],
  ])('%j ends with %s', (input, code) => {
    const driver = new FollowDriver(4).feed(start, input);
    expect(driver.failure()).toBe(code);
    expect(driver.of('wait')).toEqual([]);
  });

  it('waits as long as the server asks, within bounds', () => {
    const wait = (httpStatus: number, retryAfterMs: number): number | undefined =>
      new FollowDriver(4).feed(start, { type: 'http-error', status: httpStatus, retryAfterMs }).of('wait').at(0)?.ms;
    expect([wait(429, 7_000), wait(503, 8_000), wait(429, 1e9), wait(503, 0)]).toEqual([7_000, 8_000, 60_000, 250]);
  });

  it.each([
    [{ type: 'http-error', status: 429 } as const, 'rate_limited'],
    [{ type: 'http-error', status: 503 } as const, 'unavailable'],
    [cut, 'unavailable'],
    [rpcError(-32603, 'limit_reached'), 'rate_limited'],
    [{ type: 'fault', fault: 'malformed_event', message: 'm', consequence: 'reconnect' } as const, 'protocol_fault'],
  ])('%j is tried again and then ends with %s', (input, code) => {
    const driver = new FollowDriver(4).feed(start, input);
    for (let i = 0; i < 3; i += 1) {
      expect(driver.state.phase).toBe('backing-off');
      driver.feed(timer, input);
    }
    expect(driver.failure()).toBe(code);
  });
});

describe('backoff and endpoints', () => {
  it('doubles with jitter up to the limit', () => {
    const waits = (random: number): (number | undefined)[] => {
      const driver = new FollowDriver(4, { random, limits: { ...ENV.limits, attemptsMax: 7 } }).feed(start, cut);
      for (let i = 0; i < 6; i += 1) driver.feed(timer, cut);
      return driver.of('wait').map(({ ms }) => ms);
    };
    expect(waits(0)).toEqual([250, 500, 1000, 2000, 4000, 5000, 5000]);
    expect(waits(0.5)).toEqual([375, 750, 1500, 3000, 6000, 7500, 7500]);
  });

  it('forgets fruitless tries with any new event, not with a duplicate', () => {
    const driver = streaming(4)
      .feed(...again, ...again)
      .events(5);
    expect(driver.state.at.fruitless).toBe(0);
    const duplicate = streaming(4)
      .feed(...again, ...again)
      .events(4);
    expect(duplicate.state.at.fruitless).toBe(2);
  });

  it('forgives a quiet stream that stayed alive, not one that was silent', () => {
    const alive = streaming(4).feed(...again);
    alive.advance(ENV.limits.steadyAfterMs).feed(heartbeat, cut);
    expect(alive.state.at.fruitless).toBe(1);
    const silent = streaming(4).feed(heartbeat, ...again);
    silent.advance(ENV.limits.silenceTimeoutMs).feed(silence);
    expect(silent.state.at.fruitless).toBe(2);
  });

  it('bounds a server that opens streams and falls silent', () => {
    const driver = streaming(4).feed(heartbeat);
    for (let i = 0; i < 3; i += 1) driver.advance(45_000).feed(silence, timer, opened, heartbeat);
    expect(driver.advance(45_000).feed(silence).failure()).toBe('unavailable');
  });

  it('asks whether a server without heartbeats is alive before it blames it', () => {
    const driver = streaming(4).advance(45_000).feed(silence);
    expect(driver.state).toMatchObject({ phase: 'asking-status', why: 'silent' });
    driver.feed(status('working'));
    expect(driver.state.at.fruitless).toBe(0);
    expect(driver.feed(timer).effects).toEqual([{ type: 'open', endpoint: 0, after: 4 }]);
    // A task that is over has no reason to be silent.
    expect(driver.feed(opened).advance(45_000).feed(silence, status('completed')).state.at.fruitless).toBe(1);
  });

  it('names the endpoint that failed and opens the best one', () => {
    const driver = new FollowDriver(4, { endpoints: [2, 0, 1] }).feed(start);
    expect(driver.effects).toEqual([{ type: 'open', endpoint: 2, after: 4 }]);
    expect(driver.feed(cut).of('endpoint-failed')).toMatchObject([{ endpoint: 2 }]);
    driver.env = { ...driver.env, endpoints: [0, 1, 2] };
    expect(driver.feed(timer).effects).toEqual([{ type: 'open', endpoint: 0, after: 4 }]);
  });

  it('tries each endpoint once when they do not answer as MCP endpoints', () => {
    const driver = new FollowDriver(4, { endpoints: [0, 1] }).feed(start, { type: 'http-error', status: 404 });
    expect(driver.effects.map(({ type }) => type)).toEqual(['abort', 'endpoint-failed', 'open']);
    expect(driver.effects.at(-1)).toMatchObject({ endpoint: 1 });
    expect(driver.feed({ type: 'http-error', status: 404 }).failure()).toBe('endpoint_refused');
  });

  it('does not blame an endpoint for a limit', () => {
    const driver = new FollowDriver(4, { endpoints: [0, 1] }).feed(start, { type: 'http-error', status: 429 });
    expect(driver.of('endpoint-failed')).toEqual([]);
  });
});
