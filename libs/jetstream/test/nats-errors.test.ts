/** What each error of NATS means: every code that the library knows, and nothing unknown ever taken for a passing one. */
import { JetStreamApiError } from '@nats-io/jetstream';
import { jserrors } from '@nats-io/jetstream/internal';
import { errors } from '@nats-io/transport-node';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { classifyNatsError, isNatsFault, isNoResponders, type NatsFault } from '../src/nats-errors.js';

const api = (err_code: number, code: number, description = 'text') =>
  new JetStreamApiError({ code, err_code, description });

const byCode: ReadonlyArray<readonly [number, number, NatsFault]> = [
  [10071, 400, 'wrong_last'],
  [10164, 400, 'transient'],
  [10008, 503, 'unavailable'],
  [10009, 500, 'unavailable'],
  [10039, 503, 'unavailable'],
  [10076, 503, 'unavailable'],
  [10118, 500, 'unavailable'],
  [10167, 500, 'unavailable'],
  [10054, 400, 'too_large'],
  [10060, 400, 'wrong_stream'],
  [10014, 404, 'not_found'],
  [10037, 404, 'not_found'],
  [10059, 404, 'not_found'],
  // Replicas on a lone server: a fault of the configuration that no waiting heals.
  [10074, 500, 'unknown'],
  [10058, 400, 'unknown'],
];

describe('classifyNatsError', () => {
  it.each(byCode)('knows the API error %i with status %i as %s', (code, status, fault) => {
    expect(classifyNatsError(api(code, status))).toBe(fault);
    expect(isNatsFault(api(code, status), fault)).toBe(true);
    expect(isNatsFault(api(code, status), 'closed')).toBe(false);
  });

  it('tells a full stream from a taken subject, which have one code', () => {
    expect(classifyNatsError(api(10077, 503, 'maximum bytes exceeded'))).toBe('stream_full');
    expect(classifyNatsError(api(10077, 503, 'maximum messages exceeded'))).toBe('stream_full');
    expect(classifyNatsError(api(10077, 503, 'maximum messages per subject exceeded'))).toBe('subject_taken');
  });

  it('takes any API error with status 503 for passing, and no other that it does not know', () => {
    fc.assert(
      fc.property(fc.integer({ min: 20_000, max: 30_000 }), fc.integer({ min: 400, max: 599 }), (code, status) => {
        expect(classifyNatsError(api(code, status))).toBe(status === 503 ? 'unavailable' : 'unknown');
      }),
    );
  });

  const noResponders = new errors.RequestError('no responders', { cause: new errors.NoRespondersError('a.b') });
  const passing: ReadonlyArray<readonly [string, unknown]> = [
    ['a timeout', new errors.TimeoutError()],
    ['no responders', new errors.NoRespondersError('a.b')],
    ['a request without responders', noResponders],
    ['a request on a connection that broke', new errors.RequestError('disconnected')],
    ['a connection error', new errors.ConnectionError('refused')],
    ['JetStream without a leader', new jserrors.JetStreamNotEnabled('not enabled')],
  ];
  it.each(passing)('takes %s for passing', (_what, error) => {
    expect(classifyNatsError(error)).toBe('unavailable');
  });

  it('knows a connection that has been closed on purpose', () => {
    expect(classifyNatsError(new errors.ClosedConnectionError())).toBe('closed');
    expect(classifyNatsError(new errors.DrainingConnectionError())).toBe('closed');
  });

  it('knows the refusal of the client itself to send what is too large', () => {
    expect(classifyNatsError(errors.InvalidArgumentError.format('payload', 'max_payload size exceeded'))).toBe(
      'too_large',
    );
    expect(classifyNatsError(errors.InvalidArgumentError.format('subject', 'is empty'))).toBe('unknown');
  });

  it('takes nothing else for anything', () => {
    for (const error of [new Error('timeout'), new TypeError('x'), 'no responders', null, undefined, 10071, {}]) {
      expect(classifyNatsError(error)).toBe('unknown');
    }
  });

  it('tells whether nobody listened', () => {
    expect(isNoResponders(noResponders)).toBe(true);
    expect(isNoResponders(new errors.NoRespondersError('a.b'))).toBe(true);
    expect(isNoResponders(new errors.TimeoutError())).toBe(false);
    expect(isNoResponders(new errors.RequestError('disconnected'))).toBe(false);
  });
});
