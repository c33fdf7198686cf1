/**
 * Parsing of what a server sends: JSON-RPC messages, tasks, tools, results. 2026-07-28 and the Tasks extension.
 *
 * Invariants: nothing from a server is used before it was parsed here or in `event-check.ts`; unknown members are
 * kept; an unknown result type is refused, never guessed at.
 */
import { STREAM_META_KEY, TASK_META_KEY, type StreamEndReason, type TaskStatus } from '@taskstream/protocol';
import type { DetailedTask, InputRequest, RpcError, Task, ToolResult } from './api.js';
import {
  expect,
  field,
  filled,
  integer,
  isWhole,
  list,
  metaOf,
  object,
  oneOf,
  optional,
  orNull,
  ShapeError,
  text,
  whole,
  type JsonObject,
} from './shape.js';
import { WireFault } from './wire-fault.js';

const STATUSES: readonly TaskStatus[] = ['working', 'input_required', 'completed', 'failed', 'cancelled'];
const END_REASONS: readonly StreamEndReason[] = ['terminal', 'draining', 'rotated', 'slow-reader', 'expired'];

export type Message =
  | { readonly kind: 'result'; readonly id: unknown; readonly result: JsonObject }
  | { readonly kind: 'error'; readonly id: unknown; readonly error: RpcError }
  | { readonly kind: 'notification'; readonly method: string; readonly params: unknown }
  | { readonly kind: 'request'; readonly id: unknown; readonly method: string; readonly params: unknown };

/** One JSON-RPC message; throws `ShapeError`. */
export function parseMessage(jsonText: string): Message {
  let value: unknown;
  try {
    value = JSON.parse(jsonText);
  } catch {
    throw new ShapeError('message: expected JSON');
  }
  return parseMessageValue(value);
}

/** The same of a value. */
export function parseMessageValue(value: unknown): Message {
  const message = expect(value, object, 'message');
  if (message['jsonrpc'] !== '2.0') throw new ShapeError('message.jsonrpc: expected "2.0"');
  if ('method' in message) {
    const method = field(message, 'method', text, 'message');
    const params = message['params'];
    return 'id' in message
      ? { kind: 'request', id: message['id'], method, params }
      : { kind: 'notification', method, params };
  }
  const id = message['id'];
  if (message['error'] !== undefined) return { kind: 'error', id, error: parseRpcError(message['error']) };
  return { kind: 'result', id, result: field(message, 'result', object, 'message') };
}

export function parseRpcError(value: unknown): RpcError {
  const error = expect(value, object, 'error');
  const base = { code: field(error, 'code', integer, 'error'), message: field(error, 'message', text, 'error') };
  return error['data'] === undefined ? base : { ...base, data: error['data'] };
}

/** Throws `unknown_result_type` for a result type other than those given; a missing one means `complete`. */
export function resultType<T extends string>(result: JsonObject, allowed: readonly (T | 'complete')[]): T | 'complete' {
  const given = result['resultType'] ?? 'complete';
  const known = allowed.find((type) => type === given);
  if (known !== undefined) return known;
  throw new WireFault(
    'unknown_result_type',
    `Malformed result: resultType: expected one of ${allowed.join(', ')}, got ${shown(given)}`,
  );
}

function shown(value: unknown): string {
  return typeof value === 'string' ? JSON.stringify(value.slice(0, 40)) : 'no string';
}

/** Why a stream ended, from its result; undefined members when the server does not say. */
export function parseStreamEnd(result: JsonObject): {
  readonly reason: StreamEndReason | undefined;
  readonly status: TaskStatus | undefined;
  readonly nextSeq: number | undefined;
} {
  resultType(result, ['complete']);
  const end = metaOf(result, STREAM_META_KEY);
  return {
    reason: END_REASONS.find((reason) => reason === end['reason']),
    status: STATUSES.find((status) => status === end['status']),
    nextSeq: isWhole(end['nextSeq']) ? end['nextSeq'] : undefined,
  };
}

/** The task in a `CreateTaskResult`. */
export function parseTask(result: JsonObject): Task {
  const message = optional(result, 'statusMessage', text, 'task');
  const poll = optional(result, 'pollIntervalMs', whole, 'task');
  return {
    taskId: field(result, 'taskId', filled, 'task'),
    status: field(result, 'status', oneOf(STATUSES), 'task'),
    ...(message !== undefined && { statusMessage: message }),
    createdAt: field(result, 'createdAt', text, 'task'),
    lastUpdatedAt: field(result, 'lastUpdatedAt', text, 'task'),
    ttlMs: field(result, 'ttlMs', orNull(whole), 'task'),
    ...(poll !== undefined && { pollIntervalMs: poll }),
  };
}

/** The answer to `tasks/get` for `taskId`. */
export function parseDetailedTask(result: JsonObject, taskId: string): DetailedTask {
  resultType(result, ['complete']);
  const { paused } = metaOf(result, TASK_META_KEY);
  const task: DetailedTask = { ...parseTask(result), ...(typeof paused === 'boolean' && { paused }) };
  if (task.taskId !== taskId) throw new ShapeError('task.taskId: expected the task that was asked for, got another');
  switch (task.status) {
    case 'completed':
      return { ...task, result: field(result, 'result', object, 'task') };
    case 'failed':
      return { ...task, error: parseTaskError(field(result, 'error', object, 'task'), task.statusMessage) };
    case 'input_required':
      return { ...task, inputRequests: parseInputRequests(field(result, 'inputRequests', object, 'task')) };
    default:
      return task;
  }
}

/** Servers put more than JSON-RPC errors here; what is no error object becomes the data of an internal error. */
function parseTaskError(error: JsonObject, statusMessage: string | undefined): RpcError {
  if (integer.test(error['code']) && text.test(error['message'])) return parseRpcError(error);
  return { code: -32603, message: statusMessage ?? 'The task failed', data: error };
}

export function parseInputRequests(value: JsonObject): Readonly<Record<string, InputRequest>> {
  const requests: Record<string, InputRequest> = {};
  for (const [key, entry] of Object.entries(value)) {
    const where = `inputRequests.${key}`;
    const request = expect(entry, object, where);
    requests[key] = {
      method: field(request, 'method', filled, where),
      params: optional(request, 'params', object, where) ?? {},
    };
  }
  return requests;
}

/** A tool's result; `content` may be left out by a server that gives structured content only. */
export function parseToolResult(result: JsonObject): ToolResult {
  const content = (optional(result, 'content', list, 'result') ?? []).map((block, at) =>
    expect(block, object, `result.content.${at}`),
  );
  return { ...result, content };
}
