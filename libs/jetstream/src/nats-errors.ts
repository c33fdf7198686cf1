/**
 * What an error of NATS or JetStream means for us. The one place that knows their codes and, where a code is not
 * enough, their texts.
 *
 * Invariant: everything that may pass is `unavailable` or `transient`; nothing unknown is ever retried as if it were.
 */
import { JetStreamApiError } from '@nats-io/jetstream';
import { jserrors } from '@nats-io/jetstream/internal';
import { errors } from '@nats-io/transport-node';

export type NatsFault =
  /** A compare-and-set failed. */
  | 'wrong_last'
  /** A lawful lone writer may see it: send the same again at once. */
  | 'transient'
  /** No leader, no quorum, no answer: send the same again for a while. */
  | 'unavailable'
  | 'stream_full'
  | 'too_large'
  /** `max_msgs_per_subject` with `discard_new_per_subject`: the subject is taken. */
  | 'subject_taken'
  | 'wrong_stream'
  | 'not_found'
  | 'closed'
  | 'unknown';

const BY_CODE: Readonly<Record<number, NatsFault>> = {
  10071: 'wrong_last',
  10164: 'transient',
  10008: 'unavailable',
  10009: 'unavailable',
  10039: 'unavailable',
  10076: 'unavailable',
  10118: 'unavailable',
  10167: 'unavailable',
  // The storage of the account, of the server: whoever writes can do as little about it as about a full stream.
  10002: 'stream_full',
  10023: 'stream_full',
  10047: 'stream_full',
  10054: 'too_large',
  10060: 'wrong_stream',
  10059: 'not_found',
  10014: 'not_found',
  10037: 'not_found',
};

export function classifyNatsError(error: unknown): NatsFault {
  if (error instanceof JetStreamApiError) {
    if (error.code === 10077) return /per subject/.test(error.message) ? 'subject_taken' : 'stream_full';
    // No suitable peers: for now while nodes are still coming up, for good when there are too few.
    if (error.code === 10005) return /offline/.test(error.message) ? 'unavailable' : 'unknown';
    return BY_CODE[error.code] ?? (error.status === 503 ? 'unavailable' : 'unknown');
  }
  if (error instanceof jserrors.JetStreamError) {
    const status: unknown = 'code' in error ? error.code : undefined;
    if (status === 404) return 'not_found';
    return status === 503 || status === 408 || status === 409 ? 'unavailable' : 'unknown';
  }
  if (error instanceof jserrors.JetStreamNotEnabled) return 'unavailable';
  if (error instanceof errors.TimeoutError || error instanceof errors.NoRespondersError) return 'unavailable';
  if (error instanceof errors.RequestError) return 'unavailable';
  // The client itself refuses what is larger than the server's max_payload.
  if (error instanceof errors.InvalidArgumentError && /max_payload/.test(error.message)) return 'too_large';
  if (error instanceof errors.ClosedConnectionError || error instanceof errors.DrainingConnectionError) return 'closed';
  if (error instanceof errors.ConnectionError) return 'unavailable';
  return 'unknown';
}

/** Whether nobody listened where a request went. */
export function isNoResponders(error: unknown): boolean {
  return error instanceof errors.NoRespondersError || (error instanceof errors.RequestError && error.isNoResponders());
}

export function isNatsFault(error: unknown, ...faults: ReadonlyArray<NatsFault>): boolean {
  return faults.includes(classifyNatsError(error));
}
