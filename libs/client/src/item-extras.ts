/**
 * What an application may want of an event besides the event: its JSON text, and its payload as a schema of any library
 * gives it. Loaded by those who ask for it.
 *
 * Invariant: a payload that breaks its schema hides no event: the event is handed on as it came, without `typed`.
 */
import type { EVENT_NOTIFICATION } from '@taskstream/protocol';
import type { EventSchema, EventSchemas, FollowItem, FollowOptions } from './api.js';
import type { EventInHand } from './follow-io.js';
import type { OnNotice } from './notices.js';

type EventItem = Extract<FollowItem, { type: 'event' }>;

/** As a literal: what this part imported from the main one, a bundler would cut into a file of its own. */
const EVENT: typeof EVENT_NOTIFICATION = 'notifications/tasks/event';
const RAW_HEAD = `{"jsonrpc":"2.0","method":"${EVENT}","params":`;

/** The item of an event, with all that the options ask for. */
export async function dressedItem(
  inHand: EventInHand,
  { raw, events }: FollowOptions,
  notify: OnNotice,
): Promise<EventItem> {
  const { event } = inHand;
  const item: EventItem = raw === true ? { type: 'event', event, raw: rawParams(inHand) } : { type: 'event', event };
  return events === undefined ? item : withTyped(item, events, notify);
}

/** The JSON text of an event's params: as it came if the message is framed in the usual order, else encoded again. */
function rawParams({ event, text }: EventInHand): string {
  return text.startsWith(RAW_HEAD) ? text.slice(RAW_HEAD.length, -1) : JSON.stringify(event);
}

/** With its typed event, if a schema is declared for its type and the payload keeps it. */
async function withTyped(item: EventItem, schemas: EventSchemas, notify: OnNotice): Promise<EventItem> {
  const { taskId, seq, type, payload } = item.event;
  const schema = Object.hasOwn(schemas, type) ? schemas[type] : undefined;
  if (schema === undefined) return item;
  let typed: { readonly type: string; readonly payload: unknown };
  try {
    typed = { type, payload: await parsed(schema, payload) };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    notify({ type: 'payload-invalid', taskId, seq, eventType: type, message });
    return item;
  }
  // Who declared the schemas knows the types; here they are any.
  return { ...item, typed: typed as never };
}

async function parsed(schema: EventSchema, payload: unknown): Promise<unknown> {
  if (!('~standard' in schema)) return schema.parse(payload);
  const result = await schema['~standard'].validate(payload);
  if (result.issues === undefined) return result.value;
  const problems = result.issues.map(({ message, path = [] }) => {
    const where = path.map((step) => String(typeof step === 'object' ? step.key : step)).join('.');
    return `${where === '' ? 'payload' : where}: ${message}`;
  });
  throw new Error(problems.slice(0, 3).join('; '));
}
