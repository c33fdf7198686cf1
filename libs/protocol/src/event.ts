/**
 * The event envelope of SEP-2694 §Task Event and the rule for event types.
 *
 * Invariants: a line is the JSON of one event's `params`, exactly as it goes on the wire; it is built once, when
 * the event is numbered, and never re-encoded; an event type always carries a vendor prefix.
 */
import * as z from 'zod';
import { EVENT_META_KEY, RELATED_TASK_META_KEY, TRACEPARENT_META_KEY } from './meta-keys.js';

/** The longest event type that is accepted, in characters. */
export const EVENT_TYPE_LENGTH_MAX = 200;

/**
 * A vendor prefix is a reverse-DNS name of at least two labels before the last one (`com.example.review`), or a
 * namespace before `/` or `:` that holds a dot or names a vendor (`example/review`, `example:review`).
 * `task.status` has no vendor: two plain words are how a future standard type would look, so it is reserved.
 */
const REVERSE_DNS = /^[A-Za-z][A-Za-z0-9-]*(?:\.[A-Za-z0-9_-]+){2,}$/;
const NAMESPACED = /^[A-Za-z][A-Za-z0-9_-]*(?:\.[A-Za-z0-9_-]+)*[/:][A-Za-z0-9_-]+(?:[./:][A-Za-z0-9_-]+)*$/;
/** Namespaces that belong to MCP itself, not to a vendor. */
const RESERVED = /^(?:io\.modelcontextprotocol|modelcontextprotocol|mcp|tasks?|tools?|content|notifications)(?=[./:])/i;

/** Whether `type` may be emitted by an implementation. SEP-2694 §Event Types. */
export function isVendorEventType(type: string): boolean {
  if (type.length > EVENT_TYPE_LENGTH_MAX || RESERVED.test(type)) return false;
  return REVERSE_DNS.test(type) || NAMESPACED.test(type);
}

/** What an event says about its place in a transcript; `(taskId, seq)` stays its identity. */
export const EventIdentity = z.strictObject({
  itemId: z.string().min(1).max(200).optional(),
  parentItemId: z.string().min(1).max(200).optional(),
  toolCallId: z.string().min(1).max(200).optional(),
  agentId: z.string().min(1).max(200).optional(),
  parentTaskId: z.string().min(1).max(200).optional(),
});
export type EventIdentity = z.infer<typeof EventIdentity>;

/** The envelope as a reader sees it. Unknown members are kept. SEP-2694 §Task Event. */
export const TaskEvent = z.looseObject({
  seq: z.int().nonnegative(),
  taskId: z.string().min(1),
  type: z.string().min(1),
  payload: z.record(z.string(), z.unknown()),
  _meta: z.looseObject({ [RELATED_TASK_META_KEY]: z.looseObject({ taskId: z.string() }) }).optional(),
});
export type TaskEvent = z.infer<typeof TaskEvent>;

/** Everything that a line holds, before it is encoded. `payloadJson` is the JSON text of an object. */
export interface EventLine {
  readonly seq: number;
  readonly taskId: string;
  readonly type: string;
  readonly payloadJson: string;
  /** ISO 8601. */
  readonly at: string;
  readonly attempt: number;
  readonly worker: string;
  readonly identity?: EventIdentity | undefined;
  /** How many emitted events this one stands for, when it is more than one. */
  readonly standsFor?: number | undefined;
  readonly traceparent?: string | undefined;
}

/** The JSON text of one event's `params`, without a line break. */
export function encodeEventLine(e: EventLine): string {
  const own: Record<string, unknown> = { at: e.at, attempt: e.attempt, worker: e.worker, ...e.identity };
  if (e.standsFor !== undefined) own['standsFor'] = e.standsFor;
  const trace = e.traceparent === undefined ? '' : `,"${TRACEPARENT_META_KEY}":${JSON.stringify(e.traceparent)}`;
  return (
    `{"seq":${e.seq},"taskId":${JSON.stringify(e.taskId)},"type":${JSON.stringify(e.type)},"payload":${e.payloadJson},` +
    `"_meta":{"${RELATED_TASK_META_KEY}":{"taskId":${JSON.stringify(e.taskId)}},` +
    `"${EVENT_META_KEY}":${JSON.stringify(own)}${trace}}}`
  );
}
