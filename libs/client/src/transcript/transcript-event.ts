/**
 * Reads one event for the fold: what it says about items, by the vocabulary `<vendor>.<kind>.<phase>` and the identity
 * in `_meta["dev.taskstream/event"]`.
 *
 * Invariant: nothing from a server is trusted to have a shape; what does not have it is absent.
 */
import { EVENT_META_KEY, type SystemEvent, type TaskEvent, type TaskStatus } from '@taskstream/protocol';
import { isObject, isWhole, type JsonObject } from '../shape.js';
import type { ItemKind } from './types.js';

export type ItemPhase = 'started' | 'delta' | 'finished';

export interface EventFacts {
  readonly event: TaskEvent;
  readonly attempt: number;
  readonly at: string | undefined;
  readonly itemId: string | undefined;
  readonly parentItemId: string | undefined;
  readonly toolCallId: string | undefined;
  readonly agentId: string | undefined;
  readonly parentTaskId: string | undefined;
  /** Undefined for an event that is not of the vocabulary. */
  readonly part: { readonly kind: ItemKind; readonly phase: ItemPhase } | undefined;
}

// The types alone: the module that holds their values brings a schema library along.
const STATUS: typeof SystemEvent.taskStatus = 'dev.taskstream.task.status';
const ATTEMPT_ENDED: typeof SystemEvent.attemptEnded = 'dev.taskstream.attempt.ended';
const OWN = 'dev.taskstream.';
const STATUSES: readonly TaskStatus[] = ['working', 'input_required', 'completed', 'failed', 'cancelled'];
const PART = /^.+[./:](agent|message|tool|artifact)\.(started|delta|finished)$/;

export function isEvent(value: unknown): value is TaskEvent {
  return (
    isObject(value) &&
    isWhole(value['seq']) &&
    isText(value['taskId']) &&
    isText(value['type']) &&
    isObject(value['payload'])
  );
}

export function factsOf(event: TaskEvent): EventFacts {
  const meta: unknown = event._meta;
  const own = isObject(meta) ? meta[EVENT_META_KEY] : undefined;
  const identity = isObject(own) ? own : {};
  const text = (key: string): string | undefined => (isText(identity[key]) ? identity[key] : undefined);
  return {
    event,
    attempt: isWhole(identity['attempt']) ? identity['attempt'] : 0,
    at: text('at'),
    itemId: text('itemId'),
    parentItemId: text('parentItemId'),
    toolCallId: text('toolCallId'),
    agentId: text('agentId'),
    parentTaskId: text('parentTaskId'),
    part: partOf(event.type),
  };
}

function partOf(type: string): EventFacts['part'] {
  const match = PART.exec(type);
  return match === null ? undefined : { kind: match[1] as ItemKind, phase: match[2] as ItemPhase };
}

export function isOwnEvent(event: TaskEvent): boolean {
  return event.type.startsWith(OWN);
}

/** The status that the event states, if it states one. */
export function statusIn({ type, payload }: TaskEvent): TaskStatus | undefined {
  return type === STATUS ? STATUSES.find((status) => status === payload['status']) : undefined;
}

export function isTerminalStatus(status: TaskStatus | undefined): boolean {
  return status === 'completed' || status === 'failed' || status === 'cancelled';
}

export function endsAttempt(event: TaskEvent): boolean {
  return event.type === ATTEMPT_ENDED;
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== '';
}

/** A member of a payload: its value if it is a string, and whether it is something else. */
export function textMember(
  payload: JsonObject,
  key: string,
): { readonly value: string | undefined; readonly bad: boolean } {
  const value = payload[key];
  return typeof value === 'string' ? { value, bad: false } : { value: undefined, bad: value !== undefined };
}
