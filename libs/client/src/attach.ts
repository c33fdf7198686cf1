/**
 * The client on top of one that is connected already: the official SDK's, version 2 or 1. Its transport, session and
 * credentials are used; following, resuming and checking are ours.
 */
import type { TaskClient, TaskClientOptions } from './api.js';
import { AttachedChannel, type OfficialClient } from './attached-channel.js';
import { taskClientOver } from './task-client.js';

export type { OfficialClient } from './attached-channel.js';

export type AttachOptions = Pick<
  TaskClientOptions,
  'limits' | 'onNotice' | 'onInputRequest' | 'clientInfo' | 'capabilities'
>;

/**
 * A task client that speaks through a connected `Client` of `@modelcontextprotocol/client` 2.x or
 * `@modelcontextprotocol/sdk` 1.x, in the revision that it has negotiated. Throws `invalid_argument` for a client that is
 * not connected.
 *
 * There is one endpoint, so no failover; and no backpressure to the socket, because the SDK reads as fast as it can: a
 * reader that is `attachedMessagesMax` messages behind is cut off and resumes. With 2025-11-25, questions go to the
 * handlers that the client itself has registered.
 */
export function attach(client: OfficialClient, options: AttachOptions = {}): TaskClient {
  return taskClientOver(new AttachedChannel(client, options), options.onInputRequest);
}
