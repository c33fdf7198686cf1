/**
 * Folds the events of a task into a tree of agents, messages, tool calls and artifacts.
 *
 * Invariants: pure; never throws on data from a server; an event whose seq was applied already changes nothing and
 * gives the same object, so that overlapping pieces of a stream give the same transcript as one piece; an event costs
 * the items on its path and the lists that they lie in; the beginning of a later attempt, its items' repetition and
 * the end of the task walk what they end.
 */
import type { TaskEvent } from '@taskstream/protocol';
import { PersistentMap } from './persistent-map.js';
import { endsAttempt, factsOf, isEvent, isOwnEvent, isTerminalStatus, statusIn } from './transcript-event.js';
import type { EventFacts } from './transcript-event.js';
import { anomalous } from './anomalies.js';
import { applyItemEvent } from './items.js';
import { changeAll } from './tree.js';
import type { Transcript, TranscriptItem, TranscriptRules } from './types.js';

export const DEFAULT_TRANSCRIPT_RULES: TranscriptRules = {
  itemsMax: 10_000,
  depthMax: 32,
  textCharsMax: 1_000_000,
  notesMax: 200,
  anomaliesMax: 100,
  isNote: (event) => !isOwnEvent(event),
};

export const EMPTY_TRANSCRIPT: Transcript = {
  taskId: undefined,
  status: undefined,
  attempt: 0,
  lastSeq: undefined,
  roots: [],
  itemCount: 0,
  notes: [],
  anomalies: [],
  anomalyCount: 0,
  places: new PersistentMap(),
};

/** The transcript with one more event, which is untrusted. Give every event of a transcript the same rules. */
export function applyEvent(
  transcript: Transcript,
  event: unknown,
  rules: TranscriptRules = DEFAULT_TRANSCRIPT_RULES,
): Transcript {
  if (!isEvent(event)) {
    return anomalous(transcript, rules, { anomaly: 'malformed_event', message: 'Not an event' });
  }
  const { seq, taskId } = event;
  if (transcript.taskId !== undefined && taskId !== transcript.taskId) {
    return anomalous(transcript, rules, { anomaly: 'foreign_task', seq, message: `Event ${seq} is of another task` });
  }
  const expected = transcript.lastSeq === undefined ? 0 : transcript.lastSeq + 1;
  if (seq < expected) return transcript;
  let next = transcript;
  if (seq > expected) {
    const message = `Events ${expected} to ${seq - 1} are missing`;
    next = anomalous(next, rules, { anomaly: 'gap', seq, message });
  }
  const facts = factsOf(event);
  next = interruptAttempts({ ...next, taskId, lastSeq: seq }, facts);
  if (facts.part !== undefined) return applyItemEvent(next, facts, facts.part, rules);
  const status = statusIn(event);
  if (status !== undefined) next = { ...next, status };
  if (isTerminalStatus(status)) next = interrupt(next, () => true);
  return rules.isNote(event) ? withNote(next, event, rules) : next;
}

/** @param events each event's params, untrusted; in the order of their seq, repetitions allowed */
export function foldTranscript(
  events: Iterable<unknown>,
  rules: TranscriptRules = DEFAULT_TRANSCRIPT_RULES,
): Transcript {
  let transcript = EMPTY_TRANSCRIPT;
  for (const event of events) transcript = applyEvent(transcript, event, rules);
  return transcript;
}

/** What was open when its attempt ended does not go on by itself. */
function interruptAttempts(transcript: Transcript, { event, attempt }: EventFacts): Transcript {
  if (endsAttempt(event)) return interrupt(transcript, () => true);
  if (attempt <= transcript.attempt) return transcript;
  return interrupt({ ...transcript, attempt }, (item) => item.attempt < attempt);
}

function interrupt(transcript: Transcript, which: (item: TranscriptItem) => boolean): Transcript {
  const roots = changeAll(transcript.roots, (item) =>
    item.state === 'open' && which(item) ? { ...item, state: 'interrupted' } : item,
  );
  return { ...transcript, roots };
}

function withNote(transcript: Transcript, event: TaskEvent, { notesMax }: TranscriptRules): Transcript {
  const { seq, type, payload } = event;
  const kept = transcript.notes.slice(Math.max(0, transcript.notes.length + 1 - notesMax));
  return notesMax === 0 ? transcript : { ...transcript, notes: [...kept, { seq, type, payload }] };
}
