/** The error table, pinned: codes are an API, and logic keys on `retryable`. */
import { describe, expect, it } from 'vitest';
import { isTaskstreamError, TaskstreamError, type ErrorCode } from '../src/index.js';

/** Total by its type: a new code does not compile until it is pinned here. */
const RETRYABLE: Record<ErrorCode, boolean> = {
  unknown_task: false,
  events_gone: false,
  cursor_ahead: false,
  fenced: false,
  data_lost: false,
  log_unavailable: true,
  format_unknown: true,
  stream_full: false,
  payload_too_large: false,
  invalid_event: false,
  emit_overflow: false,
  task_ended: false,
  mailbox_full: false,
  idempotency_conflict: false,
  provision_refused: false,
  limit_reached: true,
};
const CODES = Object.keys(RETRYABLE) as ErrorCode[];

describe('TaskstreamError', () => {
  it.each(CODES)('%s: retryable as pinned, and says what to do next', (code) => {
    const error = new TaskstreamError(code, 'what happened');
    expect(error.code).toBe(code);
    expect(error.retryable).toBe(RETRYABLE[code]);
    expect(error.name).toBe('TaskstreamError');
    expect(error).toBeInstanceOf(Error);
    expect(error.details).toEqual({});
    expect(error.message).toMatch(/^what happened; \S.{10,}$/);
    expect(error.message).not.toMatch(/\n| at .*\(.*:\d+:\d+\)/);
  });

  it('has no two codes with the same advice', () => {
    const advice = CODES.map((code) => new TaskstreamError(code, '').message);
    expect(new Set(advice).size).toBe(CODES.length);
  });

  it('keeps details and cause, and has no cause when none was given', () => {
    const cause = new Error('below');
    const error = new TaskstreamError('events_gone', 'm', { details: { earliestSeq: 4 }, cause });
    expect(error.details).toEqual({ earliestSeq: 4 });
    expect(error.cause).toBe(cause);
    expect('cause' in new TaskstreamError('events_gone', 'm')).toBe(false);
  });
});

describe('isTaskstreamError', () => {
  it('knows its own by code', () => {
    for (const code of CODES) {
      const error = new TaskstreamError(code, 'm');
      expect(isTaskstreamError(error)).toBe(true);
      for (const other of CODES) expect(isTaskstreamError(error, other)).toBe(other === code);
    }
  });

  it.each([[new Error('fenced')], [{ code: 'fenced' }], [null], [undefined], ['fenced']])('%s is none', (value) => {
    expect(isTaskstreamError(value)).toBe(false);
    expect(isTaskstreamError(value, 'fenced')).toBe(false);
  });
});
