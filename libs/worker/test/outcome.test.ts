/** What becomes of an attempt: a total mapping from results and errors, and no stack trace in any of it. */
import { TaskstreamError, type ErrorCode } from '@taskstream/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { InvalidArguments, InvalidResult } from '../src/define-tool.js';
import { AttemptTimeout, failed, outcomeOfError, outcomeOfResult } from '../src/outcome.js';
import { RetryableError, ToolError, ToolProtocolError } from '../src/tool-errors.js';

describe('a result', () => {
  it('completes the task as it is', () => {
    const result = { content: [{ type: 'text', text: 'x' }], structuredContent: { n: 1 } };
    expect(outcomeOfResult(result)).toEqual({ type: 'end', status: { status: 'completed', result } });
  });

  it('that is an error completes it too, and says so', () => {
    const result = { content: [], isError: true };
    expect(outcomeOfResult(result)).toEqual({ type: 'end', status: { status: 'completed', result, isError: true } });
  });
});

describe('an error', () => {
  const silent: ErrorCode[] = ['fenced', 'data_lost', 'log_unavailable'];
  it.each(silent)('%s may not be spoken about', (code) => {
    expect(outcomeOfError(new TaskstreamError(code, 'why'))).toMatchObject({ type: 'silent' });
  });

  const spoken: ErrorCode[] = ['stream_full', 'payload_too_large', 'invalid_event', 'emit_overflow', 'task_ended'];
  it.each(spoken)('%s is an error of the tool, with what to do next', (code) => {
    const outcome = outcomeOfError(new TaskstreamError(code, 'why'));
    expect(outcome).toMatchObject({ type: 'end', status: { status: 'completed', isError: true } });
    expect(JSON.stringify(outcome)).toContain('why; ');
  });

  it('that is to be tried again is, as is one that took too long', () => {
    expect(outcomeOfError(new RetryableError('later'))).toEqual({ type: 'retry', reason: 'error', message: 'later' });
    expect(outcomeOfError(new AttemptTimeout('The attempt took longer than 50 ms'))).toEqual({
      type: 'retry',
      reason: 'timeout',
      message: 'The attempt took longer than 50 ms',
    });
  });

  it('of the protocol fails the task with its code and data, and only with data that there are', () => {
    expect(outcomeOfError(new ToolProtocolError(-32001, 'no', { a: 1 }))).toEqual(
      failed('no', { code: -32001, message: 'no', data: { a: 1 } }),
    );
    expect(outcomeOfError(new ToolProtocolError(-32001, 'no'))).toEqual(failed('no', { code: -32001, message: 'no' }));
  });

  it('of the tool itself fails the task', () => {
    expect(outcomeOfError(new InvalidResult('t', 'result.content: expected array'))).toMatchObject({
      status: { status: 'failed', error: { code: -32603 } },
    });
  });

  it('of its caller completes it with an error that names the field', () => {
    expect(outcomeOfError(new InvalidArguments('t', 'arguments.n: expected number (got string)'))).toMatchObject({
      status: { status: 'completed', isError: true, statusMessage: expect.stringContaining('arguments.n') as string },
    });
  });

  it('whatever it is never shows a stack, and always ends, retries or is silent', () => {
    const thrown = fc.oneof(
      fc.anything(),
      fc.string().map((message) => new Error(message)),
      fc.string().map((message) => new ToolError(message, { cause: new Error('inner') })),
      fc.string().map((message) => new RetryableError(message)),
      fc.tuple(fc.integer(), fc.string(), fc.anything()).map(([code, m, data]) => new ToolProtocolError(code, m, data)),
    );
    fc.assert(
      fc.property(thrown, (error) => {
        const outcome = outcomeOfError(error);
        expect(['end', 'retry', 'silent']).toContain(outcome.type);
        if (outcome.type === 'end') {
          expect(['completed', 'failed']).toContain(outcome.status.status);
          expect(typeof outcome.status.statusMessage).toBe('string');
          expect(outcome.status.statusMessage).not.toContain('.test.ts:');
        }
      }),
    );
  });
});
