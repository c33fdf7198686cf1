/** Following a task without a client object. */
import type { ConnectionOptions, EventSchemas, Follow, FollowOptions, NoSchemas } from './api.js';
import { FollowRun } from './follow-run.js';
import { Transport } from './transport.js';

/**
 * Follows a task's events until it ends; see `Follow` for the guarantees. SEP-2694 §Resume and Replay Semantics.
 *
 * Reconnects with backoff, on another endpoint if there is one, and resumes after the last event. Throws
 * `invalid_argument` at once for options that are not valid; every other error is thrown by the iteration.
 */
export function followTask<E extends EventSchemas = NoSchemas>(
  taskId: string,
  options: ConnectionOptions & FollowOptions<E>,
): Follow<E> {
  // The transport tells the same callback of its own notices; a follow's would be told twice.
  const { onNotice: _told, ...followOptions } = options;
  return new FollowRun(new Transport(options), taskId, followOptions);
}
