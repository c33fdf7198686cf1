/**
 * What one event of the vocabulary does to its item: begins it, adds to it, ends it.
 *
 * Invariants, also for attempts: an item keeps its place and its identity; a later attempt that begins an item again
 * replaces what it held and supersedes what lies below it and was not repeated yet; a later attempt that adds to an
 * item goes on with it; an earlier attempt changes nothing any more.
 */
import type { JsonObject } from '../shape.js';
import { anomalous } from './anomalies.js';
import { textMember, type EventFacts, type ItemPhase } from './transcript-event.js';
import { addItem, changeAll, findItem, replaceItem } from './tree.js';
import type { ItemKind, Transcript, TranscriptAnomalyName, TranscriptItem, TranscriptRules } from './types.js';

interface Part {
  readonly kind: ItemKind;
  readonly phase: ItemPhase;
}

/** The fold of one event, with what went wrong on the way. */
interface Step {
  transcript: Transcript;
  readonly facts: EventFacts;
  readonly rules: TranscriptRules;
}

export function applyItemEvent(
  transcript: Transcript,
  facts: EventFacts,
  part: Part,
  rules: TranscriptRules,
): Transcript {
  const step: Step = { transcript, facts, rules };
  const { itemId } = facts;
  if (itemId === undefined) {
    note(step, 'no_item_id', `${facts.event.type} without an itemId`);
    return step.transcript;
  }
  const item = findItem(transcript, itemId) ?? begin(step, itemId, part);
  if (item !== undefined) change(step, item, part);
  return step.transcript;
}

function note(step: Step, anomaly: TranscriptAnomalyName, message: string): void {
  const { facts, rules } = step;
  const { itemId } = facts;
  const { seq } = facts.event;
  step.transcript = anomalous(step.transcript, rules, {
    anomaly,
    seq,
    ...(itemId !== undefined && { itemId }),
    message,
  });
}

/** Puts a new item into the tree. It is filled by the event that brought it. */
function begin(step: Step, id: string, { kind, phase }: Part): TranscriptItem | undefined {
  const { facts, rules } = step;
  if (step.transcript.itemCount >= rules.itemsMax) {
    note(step, 'too_many_items', `More than ${rules.itemsMax} items`);
    return undefined;
  }
  if (phase !== 'started') note(step, 'not_started', 'The event that began the item is missing');
  const { seq } = facts.event;
  const { agentId, toolCallId, parentTaskId } = facts;
  const item: TranscriptItem = {
    id,
    kind,
    state: 'open',
    text: '',
    textCut: 0,
    isError: false,
    ...(agentId !== undefined && { agentId }),
    ...(toolCallId !== undefined && { toolCallId }),
    ...(parentTaskId !== undefined && { parentTaskId }),
    // Below every attempt, so that the event that brings the item begins it.
    attempt: -1,
    firstSeq: seq,
    lastSeq: seq,
    children: [],
  };
  const parent = parentOf(step, id);
  step.transcript = addItem(step.transcript, item, parent);
  return item;
}

function parentOf(step: Step, id: string): TranscriptItem | undefined {
  const { parentItemId } = step.facts;
  if (parentItemId === undefined) return undefined;
  const parent = parentItemId === id ? undefined : findItem(step.transcript, parentItemId);
  if (parent === undefined) {
    note(step, 'unknown_parent', 'The parent of the item is missing');
    return undefined;
  }
  const depth = (step.transcript.places.get(parent.id)?.depth ?? 0) + 1;
  if (depth < step.rules.depthMax) return parent;
  note(step, 'too_deep', `Deeper than ${step.rules.depthMax} levels`);
  return undefined;
}

function change(step: Step, item: TranscriptItem, { kind, phase }: Part): void {
  const { attempt } = step.facts;
  if (kind !== item.kind) return note(step, 'kind_changed', `The item is of kind ${item.kind}, not ${kind}`);
  if (attempt < item.attempt) return note(step, 'stale_attempt', `Attempt ${attempt} comes after ${item.attempt}`);
  const touched = { ...item, attempt, lastSeq: step.facts.event.seq };
  const changed = phase === 'started' ? start(step, touched, item) : goOn(step, touched, item, phase);
  if (changed !== undefined) step.transcript = replaceItem(step.transcript, changed);
}

function start(step: Step, touched: TranscriptItem, before: TranscriptItem): TranscriptItem | undefined {
  const { attempt, at, event, parentItemId } = step.facts;
  if (before.attempt === attempt) {
    note(step, 'started_twice', 'The item was begun already');
    return undefined;
  }
  const place = step.transcript.places.get(before.id);
  if (before.attempt >= 0 && place !== undefined && parentItemId !== place.parentId && parentItemId !== undefined) {
    note(step, 'parent_changed', 'The item was begun below another parent before');
  }
  const { ended: _ended, endedAt: _endedAt, name: _name, role: _role, begunAt: _begunAt, ...kept } = touched;
  const name = before.kind === 'message' ? undefined : member(step, event.payload, 'name');
  const role = before.kind === 'message' ? member(step, event.payload, 'role') : undefined;
  return {
    ...kept,
    state: 'open',
    text: '',
    textCut: 0,
    isError: false,
    begun: event.payload,
    ...(name !== undefined && { name }),
    ...(role !== undefined && { role }),
    ...(at !== undefined && { begunAt: at }),
    children: changeAll(touched.children, (child) =>
      child.attempt < attempt && child.state !== 'superseded' ? { ...child, state: 'superseded' } : child,
    ),
  };
}

function goOn(
  step: Step,
  touched: TranscriptItem,
  before: TranscriptItem,
  phase: 'delta' | 'finished',
): TranscriptItem | undefined {
  const { at, attempt, event } = step.facts;
  if (before.state === 'finished' && before.attempt === attempt) {
    if (phase === 'delta') note(step, 'after_finished', 'The item has ended already');
    else note(step, 'finished_twice', 'The item has ended already');
    return undefined;
  }
  const text = member(step, event.payload, 'text');
  if (phase === 'delta') {
    if (text === undefined && event.payload['text'] === undefined) note(step, 'bad_payload', 'text: expected a string');
    const { ended: _ended, endedAt: _endedAt, ...open } = touched;
    return { ...withText(step, open, open.text, text ?? ''), state: 'open', isError: false };
  }
  const ended: TranscriptItem = {
    ...touched,
    state: 'finished',
    ended: event.payload,
    isError: event.payload['isError'] === true,
    ...(at !== undefined && { endedAt: at }),
  };
  // What an item ends with is its whole text.
  return text === undefined ? ended : withText(step, { ...ended, textCut: 0 }, '', text);
}

function withText(step: Step, item: TranscriptItem, before: string, more: string): TranscriptItem {
  const room = step.rules.textCharsMax - before.length;
  if (more.length <= room) return { ...item, text: before + more };
  if (item.textCut === 0) note(step, 'text_cut', `More than ${step.rules.textCharsMax} characters`);
  const kept = more.slice(0, Math.max(0, room));
  return { ...item, text: before + kept, textCut: item.textCut + more.length - kept.length };
}

function member(step: Step, payload: JsonObject, key: string): string | undefined {
  const { value, bad } = textMember(payload, key);
  if (bad) note(step, 'bad_payload', `${key}: expected a string`);
  return value;
}
