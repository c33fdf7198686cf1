/** What to do about each error of the client; apart from the errors, because it is text for people. */
import type { ClientError, ClientErrorCode } from './errors.js';

const ADVICE: Readonly<Record<ClientErrorCode, string>> = {
  unknown_task: 'check the task id; the task may have expired or belong to someone else',
  task_expired: 'call the tool again; raise its time to live if this happens often',
  task_failed: 'see details.error',
  task_cancelled: 'call the tool again if the cancellation was not intended',
  events_gone: "set onEventsGone to 'resume' or 'restart' to go on with what is retained",
  cursor_ahead: 'start without a cursor: the saved one does not belong to this task',
  sequence_gap: 'report it to the server: it leaves out events that it should retain',
  protocol_fault: 'report it to the server, whose answers break the protocol',
  stream_active: 'end the other tasks/stream of this task on the same connection',
  no_progress: 'follow again later: the server keeps closing the stream without an event',
  unavailable: 'follow again later, or add another endpoint',
  rate_limited: 'try again later, or ask for a higher limit',
  unauthorized: 'sign in again, or check what the auth hook returns',
  forbidden: 'check the rights of the principal and the allowed origins of the server',
  endpoint_refused: 'check the endpoint URL: it does not answer as an MCP endpoint',
  missing_capability: 'declare what details.requiredCapabilities names',
  unsupported_protocol: 'the server speaks neither 2026-07-28 nor 2025-11-25',
  rpc_error: 'see details.rpcCode',
  maybe_executed:
    'look whether it took effect before you send it again; a call with an idempotencyKey is repeated safely',
  unknown_result_type: 'update the client: this result type is not known to it',
  input_unanswered: 'pass onInputRequest: the tool asks a question',
  message_too_large: 'raise messageCharsMax',
  cursor_store_failed: 'check the cursor store',
  callback_failed: 'see the cause: a callback of the application threw',
  invalid_argument: 'correct the argument that the message names',
  aborted: 'follow again to go on',
  defect: 'report it: the client reached a state that should not exist',
};

/** One sentence without a full stop, for example `check the cursor store`. */
export function adviceFor(error: ClientError): string {
  return ADVICE[error.code];
}
