/**
 * Rebuilds a transcript from the events of a task, by `_meta["dev.taskstream/event"]` alone.
 *
 * Invariant: the tree is a function of the events in the order of their seq. It neither drops nor mends anything: an
 * event too many or too few gives another tree, or none.
 */
import * as z from 'zod';

const Event = z.looseObject({
  type: z.string(),
  payload: z.record(z.string(), z.unknown()),
  _meta: z.looseObject({
    'dev.taskstream/event': z.looseObject({
      itemId: z.string().optional(),
      parentItemId: z.string().optional(),
      toolCallId: z.string().optional(),
      agentId: z.string().optional(),
      parentTaskId: z.string().optional(),
    }),
  }),
});

export interface Item {
  readonly id: string;
  readonly kind: string;
  readonly agentId: string | undefined;
  readonly toolCallId: string | undefined;
  readonly parentTaskId: string | undefined;
  /** What the item was begun with. */
  readonly begun: Readonly<Record<string, unknown>>;
  text: string;
  /** How often it ended, and with what. */
  readonly ended: Array<Readonly<Record<string, unknown>>>;
  readonly children: Item[];
}

const TRANSCRIPT = /^com\.example\.(agent|message|tool|artifact)\.(started|made|part|finished)$/;

/** `events`: the JSON text of each event's params. @throws Error for an item that has no beginning or no parent */
export function foldTranscript(events: readonly string[]): Item[] {
  const roots: Item[] = [];
  const items = new Map<string, Item>();
  const itemOf = (id: string | undefined): Item => {
    const item = items.get(id ?? '');
    if (item === undefined) throw new Error(`item ${id} has not begun`);
    return item;
  };
  for (const text of events) {
    const event = Event.parse(JSON.parse(text));
    const match = TRANSCRIPT.exec(event.type);
    if (match === null) continue;
    const { itemId, parentItemId, toolCallId, agentId, parentTaskId } = event._meta['dev.taskstream/event'];
    if (match[2] === 'part') itemOf(itemId).text += String(event.payload['text']);
    else if (match[2] === 'finished') itemOf(itemId).ended.push(event.payload);
    else {
      const item: Item = {
        id: itemId ?? '',
        kind: match[1] ?? '',
        agentId,
        toolCallId,
        parentTaskId,
        begun: event.payload,
        text: '',
        ended: [],
        children: [],
      };
      items.set(item.id, item);
      (parentItemId === undefined ? roots : itemOf(parentItemId).children).push(item);
    }
  }
  return roots;
}
