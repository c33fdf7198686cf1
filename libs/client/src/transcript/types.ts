/**
 * What a transcript is made of: plain, immutable data.
 *
 * Everything in it comes from a task and is untrusted text: show it as text, never as markup.
 */
import type { TaskEvent, TaskStatus } from '@taskstream/protocol';
import type { JsonObject } from '../shape.js';
import type { PersistentMap } from './persistent-map.js';

export const ITEM_KINDS = ['agent', 'message', 'tool', 'artifact'] as const;
export type ItemKind = (typeof ITEM_KINDS)[number];

/**
 * `open`: has begun. `finished`: has ended. `interrupted`: was open when its attempt or the task ended. `superseded`:
 * belongs to an item that a later attempt began again, and has not been repeated by it.
 */
export type ItemState = 'open' | 'finished' | 'interrupted' | 'superseded';

export interface TranscriptItem {
  /** `itemId` of its events. */
  readonly id: string;
  readonly kind: ItemKind;
  readonly state: ItemState;
  /** Of an agent, a tool or an artifact. */
  readonly name?: string;
  /** Of a message. */
  readonly role?: string;
  /** All deltas, or the text that the item ended with. */
  readonly text: string;
  /** Characters beyond `textCharsMax`, which are left out. */
  readonly textCut: number;
  /** Payload of the event that began it, for example `{name, input}`. */
  readonly begun?: JsonObject;
  /** Payload of the event that ended it, for example `{output, isError}`. */
  readonly ended?: JsonObject;
  readonly isError: boolean;
  readonly agentId?: string;
  readonly toolCallId?: string;
  readonly parentTaskId?: string;
  /** The attempt whose event changed it last; 0 for a server that does not tell. */
  readonly attempt: number;
  readonly firstSeq: number;
  readonly lastSeq: number;
  /** ISO 8601, from the events; absent where the server does not tell. */
  readonly begunAt?: string;
  readonly endedAt?: string;
  /** In the order in which they came first. */
  readonly children: readonly TranscriptItem[];
}

/** An event that belongs to no item. */
export interface TranscriptNote {
  readonly seq: number;
  readonly type: string;
  readonly payload: JsonObject;
}

export const TRANSCRIPT_ANOMALIES = [
  /** Not an event; left out. */
  'malformed_event',
  /** An event of another task than the first one's; left out. */
  'foreign_task',
  /** Events between the last one and this one are missing. */
  'gap',
  /** A transcript event without `itemId`; left out. */
  'no_item_id',
  /** The event that began the item is not there: the item begins with what is. */
  'not_started',
  /** The parent is not there: the item is put among the roots. */
  'unknown_parent',
  /** Begun again by the same attempt; left out. */
  'started_twice',
  /** Ended again by the same attempt; left out. */
  'finished_twice',
  /** More of an item that has ended; left out. */
  'after_finished',
  /** Of an attempt before the one that changed the item last; left out. */
  'stale_attempt',
  /** The same `itemId` with another kind; left out. */
  'kind_changed',
  /** Begun again below another parent: the item stays where it is. */
  'parent_changed',
  /** A member of the payload does not have the type that it must have: taken as absent. */
  'bad_payload',
  /** Deeper than `depthMax`: the item is put among the roots. */
  'too_deep',
  /** More than `itemsMax`: the item is left out. */
  'too_many_items',
  /** More than `textCharsMax`. */
  'text_cut',
] as const;
export type TranscriptAnomalyName = (typeof TRANSCRIPT_ANOMALIES)[number];

export interface TranscriptAnomaly {
  readonly anomaly: TranscriptAnomalyName;
  /** Of the event at which it was noticed; absent for what is not an event. */
  readonly seq?: number;
  readonly itemId?: string;
  readonly message: string;
}

export interface Transcript {
  readonly taskId: string | undefined;
  /** The latest status event's; undefined for a server that does not emit ours. */
  readonly status: TaskStatus | undefined;
  /** The latest attempt that was seen; 0: none. */
  readonly attempt: number;
  /** The seq of the last applied event. */
  readonly lastSeq: number | undefined;
  readonly roots: readonly TranscriptItem[];
  readonly itemCount: number;
  /** The latest `notesMax`. */
  readonly notes: readonly TranscriptNote[];
  /** The first `anomaliesMax`. */
  readonly anomalies: readonly TranscriptAnomaly[];
  readonly anomalyCount: number;
  /** Where each item lies. */
  readonly places: PersistentMap<Place>;
}

/** `parentId` undefined: among the roots. */
export interface Place {
  readonly parentId: string | undefined;
  readonly at: number;
  readonly depth: number;
}

/** Bounds and rules of a fold; the same for every event of one transcript. */
export interface TranscriptRules {
  /** Default: 10,000. */
  readonly itemsMax: number;
  /** Nesting. Default: 32. */
  readonly depthMax: number;
  /** Characters of one item's text. Default: 1,000,000. */
  readonly textCharsMax: number;
  /** Default: 200. */
  readonly notesMax: number;
  /** Default: 100. */
  readonly anomaliesMax: number;
  /** Whether an event that belongs to no item is kept as a note. Default: all but taskstream's own. */
  readonly isNote: (event: TaskEvent) => boolean;
}
