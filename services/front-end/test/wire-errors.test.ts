import { TaskstreamError, type ErrorCode } from '@taskstream/core';
import { expect, test } from 'vitest';
import { protocolError, wireErrorOf } from '../src/wire-errors.js';

const TASK = 'd0-0123456789abcdefghijkl';
const wire = (code: ErrorCode, details: Record<string, unknown> = {}) =>
  wireErrorOf(new TaskstreamError(code, 'inner words', { details, cause: new Error('a stack trace') }), TASK, 7);

test.each<[ErrorCode, Record<string, unknown>, object]>([
  ['unknown_task', {}, { code: -32602, message: expect.stringMatching(/^Unknown task/) }],
  [
    'events_gone',
    { earliestSeq: 100 },
    { code: -32010, message: expect.any(String), data: { reason: 'events_gone', taskId: TASK, earliestSeq: 100 } },
  ],
  [
    'cursor_ahead',
    { nextSeq: 3 },
    { code: -32602, message: expect.stringContaining('7'), data: { reason: 'cursor_ahead', taskId: TASK, nextSeq: 3 } },
  ],
  ['log_unavailable', {}, { code: -32603, message: expect.any(String), data: { reason: 'temporarily_unavailable' } }],
  ['fenced', {}, { code: -32603, message: expect.any(String), data: { reason: 'temporarily_unavailable' } }],
  [
    'stream_full',
    {},
    { code: -32603, message: expect.any(String), data: { reason: 'limit_reached', limit: 'streamBytesMax' } },
  ],
  [
    'mailbox_full',
    {},
    { code: -32603, message: expect.any(String), data: { reason: 'limit_reached', limit: 'mailboxEntriesMax' } },
  ],
  [
    'limit_reached',
    { limit: 'streamsMax' },
    { code: -32603, message: expect.any(String), data: { reason: 'limit_reached', limit: 'streamsMax' } },
  ],
  ['payload_too_large', {}, { code: -32602, message: expect.stringContaining('inner words') }],
  ['idempotency_conflict', {}, { code: -32602, message: expect.stringContaining('inner words') }],
])('%s goes over the wire as itself', (code, details, expected) => {
  expect(wire(code, details)).toEqual(expected);
});

test.each<ErrorCode>(['data_lost', 'invalid_event', 'emit_overflow', 'task_ended', 'provision_refused'])(
  '%s is no client’s business: an internal error without its words',
  (code) => expect(wire(code)).toEqual({ code: -32603, message: 'Internal error' }),
);

test.each([new Error('a secret'), 'a string', undefined, { message: 'a secret' }])(
  'what is not ours is an internal error without its words: %s',
  (error) => expect(wireErrorOf(error, TASK)).toEqual({ code: -32603, message: 'Internal error' }),
);

test('an error of the SDK keeps code, message and data', () => {
  const error = protocolError({ code: -32010, message: 'gone', data: { earliestSeq: 3 } });
  expect(error).toMatchObject({ code: -32010, message: 'gone', data: { earliestSeq: 3 } });
});
