/**
 * What SEP-2694 asks for, as data: one row for each MUST, SHOULD and MAY, and for the normative statements that carry
 * no keyword (`STATED`). The summaries are ours; the text of the SEP decides.
 *
 * Invariants: an id is unique and never changes its meaning; `shown` says where a proof can be found at all: `wire` by
 * the kit against any server, `inside` only with hands in the implementation, `client` in a client, `document` in
 * words.
 */
export const SEP_URL = 'https://github.com/modelcontextprotocol/modelcontextprotocol/pull/2694';

export type Level = 'MUST' | 'SHOULD' | 'MAY' | 'STATED';
export type Who = 'receiver' | 'client';
export type Shown = 'wire' | 'inside' | 'client' | 'document';
export type IdShape = `SEP2694-${string}`;

type Row = readonly [level: Level, who: Who, shown: Shown, summary: string];

const TASK_EVENT = {
  'SEP2694-SEQ-PER-TASK': ['STATED', 'receiver', 'wire', 'Each task numbers its events by itself.'],
  'SEP2694-SEQ-STARTS-AT-ZERO': ['MUST', 'receiver', 'wire', 'The first event of a task has seq 0.'],
  'SEP2694-SEQ-STEPS-BY-ONE': [
    'MUST',
    'receiver',
    'wire',
    'Each further event has the seq of the one before plus one.',
  ],
  'SEP2694-SEQ-ORDER': ['MUST', 'receiver', 'wire', 'A stream delivers its events by rising seq.'],
  'SEP2694-EVENT-IMMUTABLE': ['STATED', 'receiver', 'wire', 'An event never changes: all readers see the same one.'],
  'SEP2694-PAYLOAD-OBJECT': ['MUST', 'receiver', 'wire', 'A payload is a JSON object.'],
  'SEP2694-EVENT-RELATED-TASK': ['MUST', 'receiver', 'wire', 'The metadata of an event ties it to its own task.'],
} as const satisfies Record<IdShape, Row>;

const TASKS_STREAM = {
  'SEP2694-UNSUPPORTED': ['STATED', 'receiver', 'wire', 'Without event streams the method is answered with -32601.'],
  'SEP2694-ADVERTISED': ['MAY', 'receiver', 'wire', 'Support for streams may be announced as a capability.'],
  'SEP2694-AFTER-EXCLUSIVE': ['STATED', 'receiver', 'wire', 'The event that the cursor names is not sent again.'],
  'SEP2694-SAME-CONNECTION': ['STATED', 'receiver', 'wire', 'Events come on the connection of the open request.'],
  'SEP2694-EMPTY-RESULT': [
    'STATED',
    'receiver',
    'wire',
    'A stream that the server ends normally ends with an empty result.',
  ],
  'SEP2694-EARLY-CLOSE': ['MAY', 'receiver', 'inside', 'A server may end a stream while the task goes on.'],
  'SEP2694-CLIENT-REOPENS': [
    'MAY',
    'client',
    'client',
    'After such an end a client may open the stream again behind what it processed.',
  ],
  'SEP2694-ONE-ACTIVE': ['MUST', 'receiver', 'wire', 'A connection has no more than one open stream of a task.'],
  'SEP2694-SECOND-REFUSED': ['MUST', 'receiver', 'wire', 'A second one there is refused with -32602.'],
  'SEP2694-CLIENT-CANCELS-FIRST': [
    'SHOULD',
    'client',
    'client',
    'To move its cursor a client ends the open stream before it opens another.',
  ],
  'SEP2694-CANCEL-STOPS-DELIVERY': ['STATED', 'receiver', 'inside', 'A cancelled stream delivers nothing more.'],
  'SEP2694-CANCEL-KEEPS-TASK': ['STATED', 'receiver', 'wire', 'The end of a stream is not the end of its task.'],
} as const satisfies Record<IdShape, Row>;

const NOTIFICATION = {
  'SEP2694-RELATED-TASK-PRESENT': [
    'MUST',
    'receiver',
    'wire',
    'Every event notification carries related-task metadata.',
  ],
  'SEP2694-RELATED-TASK-MATCHES': ['MUST', 'receiver', 'wire', 'The task named there is the one in the params.'],
  'SEP2694-ONLY-ON-STREAM': [
    'MUST',
    'receiver',
    'wire',
    'Events that can be resumed are sent on an open tasks/stream only.',
  ],
  'SEP2694-OTHER-NOTIFICATIONS': [
    'MAY',
    'receiver',
    'wire',
    'Beside them a server may send notifications without guarantees.',
  ],
  'SEP2694-CLIENT-TRUSTS-STREAM-ONLY': [
    'MUST',
    'client',
    'client',
    'A client builds no resume on notifications that nobody asked for.',
  ],
} as const satisfies Record<IdShape, Row>;

const RESUME = {
  'SEP2694-CLIENT-AFTER-VALID': ['MUST', 'client', 'client', 'A cursor that is sent is a non-negative integer.'],
  'SEP2694-AFTER-INVALID-REFUSED': ['MUST', 'receiver', 'wire', 'Any other cursor is refused with -32602.'],
  'SEP2694-REPLAY-THEN-LIVE': [
    'MUST',
    'receiver',
    'wire',
    'After a cursor come the kept events behind it, then the live ones.',
  ],
  'SEP2694-TERMINAL-EMPTY': [
    'MUST',
    'receiver',
    'wire',
    'When the task is over and nothing lies behind the cursor, the empty result comes at once and no event.',
  ],
  'SEP2694-RESUME-GONE': [
    'MUST',
    'receiver',
    'wire',
    'A cursor whose next events are no longer kept is answered with events_gone.',
  ],
  'SEP2694-OMITTED-EARLIEST': [
    'MUST',
    'receiver',
    'wire',
    'Without a cursor a stream starts at the first event that is kept, then goes on live.',
  ],
  'SEP2694-NOTHING-KEPT-LIVE': [
    'STATED',
    'receiver',
    'inside',
    'Without a cursor and with nothing kept, the stream of a live task starts with what comes.',
  ],
  'SEP2694-NOTHING-KEPT-TERMINAL': [
    'MUST',
    'receiver',
    'inside',
    'With nothing kept of a task that is over, the empty result comes at once.',
  ],
  'SEP2694-NO-SILENT-SKIP': ['MUST', 'receiver', 'wire', 'No kept event behind the cursor is left out without a word.'],
  'SEP2694-GAP-IS-GONE': [
    'MUST',
    'receiver',
    'wire',
    'A server that cannot serve everything behind the cursor says events_gone instead.',
  ],
  'SEP2694-CLIENT-SAVES-PROCESSED': [
    'SHOULD',
    'client',
    'client',
    'A client saves a seq once it is done with that event, not before.',
  ],
  'SEP2694-CLIENT-RESUMES-THERE': ['SHOULD', 'client', 'client', 'On its return it sends the saved seq as the cursor.'],
  'SEP2694-CLIENT-TAKES-DUPLICATES': [
    'MUST',
    'client',
    'client',
    'An event that comes twice after a resume does no harm.',
  ],
  'SEP2694-CLIENT-DROPS-DUPLICATES': [
    'SHOULD',
    'client',
    'client',
    'Duplicates are told by task and seq, and dropped.',
  ],
} as const satisfies Record<IdShape, Row>;

const GONE = {
  'SEP2694-GONE-SHAPE': [
    'STATED',
    'receiver',
    'wire',
    'The error has a code for server errors, the reason events_gone and the task.',
  ],
  'SEP2694-GONE-EARLIEST': ['STATED', 'receiver', 'wire', 'Its earliestSeq is the first event that is still kept.'],
  'SEP2694-GONE-RECOVERABLE': [
    'STATED',
    'receiver',
    'wire',
    'A client goes on from there, by a cursor just below or without one.',
  ],
  'SEP2694-CLIENT-GAP-FATAL': ['MAY', 'client', 'client', 'A client that needs the whole history may fail instead.'],
  'SEP2694-GONE-HTTP-410': [
    'MAY',
    'receiver',
    'inside',
    'A transport with a resume of its own may say it as HTTP 410.',
  ],
} as const satisfies Record<IdShape, Row>;

const RETENTION = {
  'SEP2694-RETENTION-LIMITED': ['MAY', 'receiver', 'inside', 'What is kept may be limited.'],
  'SEP2694-RETENTION-AS-TASK': ['SHOULD', 'receiver', 'inside', 'Events are kept as long as their task can be read.'],
  'SEP2694-DOCUMENT-AGE': ['SHOULD', 'receiver', 'document', 'The greatest age of an event is documented.'],
  'SEP2694-DOCUMENT-COUNT': [
    'SHOULD',
    'receiver',
    'document',
    'The greatest number of events of a task is documented.',
  ],
  'SEP2694-DOCUMENT-TERMINAL': [
    'SHOULD',
    'receiver',
    'document',
    'How long events outlive the end of their task is documented.',
  ],
  'SEP2694-DOCUMENT-PAYLOAD': ['SHOULD', 'receiver', 'document', 'The greatest size of a payload is documented.'],
  'SEP2694-RETENTION-DROPS': ['MAY', 'receiver', 'inside', 'Old events may go, as the documented rules say.'],
  'SEP2694-DROPPED-IS-GONE': [
    'MUST',
    'receiver',
    'wire',
    'Whoever resumes from before what is left is told events_gone.',
  ],
} as const satisfies Record<IdShape, Row>;

const TYPES = {
  'SEP2694-TYPE-RESERVED': [
    'MUST',
    'receiver',
    'wire',
    'Types without a prefix belong to future standards and are not sent.',
  ],
  'SEP2694-TYPE-VENDOR-PREFIX': [
    'MUST',
    'receiver',
    'wire',
    'A type of an implementation carries the prefix of its vendor.',
  ],
  'SEP2694-TYPE-REVERSE-DNS': ['STATED', 'receiver', 'inside', 'That prefix is preferably a reversed domain name.'],
} as const satisfies Record<IdShape, Row>;

const NEIGHBOURS = {
  'SEP2694-BESIDE-SUBSCRIPTION': [
    'STATED',
    'receiver',
    'wire',
    'A stream and a subscription of one task can be open together.',
  ],
  'SEP2694-STATUS-CONSISTENT': ['SHOULD', 'receiver', 'wire', 'Events that tell a status agree with tasks/get.'],
  'SEP2694-PAUSE-EVENTS': [
    'SHOULD',
    'receiver',
    'wire',
    'Where SEP-2669 is served, pausing and resuming show as events.',
  ],
  'SEP2694-PROGRESS-ALLOWED': [
    'MAY',
    'receiver',
    'wire',
    'A stream that was opened with a progress token may also send progress.',
  ],
  'SEP2694-PROGRESS-NOT-EVENTS': ['MUST', 'receiver', 'wire', 'Progress is no event and takes no seq.'],
  'SEP2694-PROGRESS-CONSISTENT': ['SHOULD', 'receiver', 'inside', 'Progress and events do not contradict each other.'],
} as const satisfies Record<IdShape, Row>;

const COMPATIBILITY = {
  'SEP2694-ADDITIVE': [
    'STATED',
    'receiver',
    'wire',
    'Who opens no stream sees nothing new, and tasks/get is as it was.',
  ],
} as const satisfies Record<IdShape, Row>;

const SECURITY = {
  'SEP2694-SAME-AUTHORIZATION': ['MUST', 'receiver', 'wire', 'Who may stream a task is decided as for tasks/get.'],
  'SEP2694-BOUND-TO-OWNER': [
    'SHOULD',
    'receiver',
    'wire',
    'A stream belongs to the authenticated context of its task.',
  ],
  'SEP2694-FOREIGN-REFUSED': ['MUST', 'receiver', 'wire', 'Who cannot read a task cannot stream it.'],
  'SEP2694-PAYLOAD-UNTRUSTED': [
    'SHOULD',
    'receiver',
    'inside',
    'A server takes payloads for what they are: data that nobody vouches for.',
  ],
  'SEP2694-CLIENT-NO-EXECUTION': ['MUST', 'client', 'client', 'No payload is run as code.'],
  'SEP2694-CLIENT-SANITISES': [
    'SHOULD',
    'client',
    'client',
    'What is shown of a payload is cleaned as tool results are.',
  ],
  'SEP2694-LIMIT-STREAMS': ['SHOULD', 'receiver', 'inside', 'Open streams of one client are limited.'],
  'SEP2694-LIMIT-PAYLOAD': ['SHOULD', 'receiver', 'inside', 'The size of a payload is limited.'],
  'SEP2694-LIMIT-AGE': ['SHOULD', 'receiver', 'inside', 'The time for which events are kept is limited.'],
  'SEP2694-LIMIT-EVENTS': ['SHOULD', 'receiver', 'inside', 'The number of kept events of a task is limited.'],
  'SEP2694-LIMIT-RESUMES': ['SHOULD', 'receiver', 'inside', 'Attempts to resume are limited, so that guessing shows.'],
  'SEP2694-RETENTION-BRIEF': ['SHOULD', 'receiver', 'inside', 'Sensitive events are kept no longer than needed.'],
  'SEP2694-CLIENT-DELETES': [
    'SHOULD',
    'client',
    'client',
    'A client asks for the deletion of what it no longer needs.',
  ],
} as const satisfies Record<IdShape, Row>;

const SECTIONS = {
  'Task Event': TASK_EVENT,
  'tasks/stream': TASKS_STREAM,
  'notifications/tasks/event': NOTIFICATION,
  'Resume and Replay Semantics': RESUME,
  'events_gone error': GONE,
  'Event Retention': RETENTION,
  'Event Types': TYPES,
  'Relationship to other mechanisms': NEIGHBOURS,
  'Backward Compatibility': COMPATIBILITY,
  'Security Implications': SECURITY,
} as const;

export type RequirementId =
  | keyof typeof TASK_EVENT
  | keyof typeof TASKS_STREAM
  | keyof typeof NOTIFICATION
  | keyof typeof RESUME
  | keyof typeof GONE
  | keyof typeof RETENTION
  | keyof typeof TYPES
  | keyof typeof NEIGHBOURS
  | keyof typeof COMPATIBILITY
  | keyof typeof SECURITY;

export interface Requirement {
  readonly id: RequirementId;
  readonly level: Level;
  readonly who: Who;
  readonly shown: Shown;
  readonly summary: string;
  /** Heading in the SEP. */
  readonly section: string;
}

/** In the order of the SEP. */
export const REQUIREMENTS: readonly Requirement[] = Object.entries(SECTIONS).flatMap(([section, rows]) =>
  (Object.entries(rows) as Array<[RequirementId, Row]>).map(([id, [level, who, shown, summary]]) => ({
    id,
    level,
    who,
    shown,
    summary,
    section,
  })),
);

export const ID_PATTERN = /\bSEP2694-[A-Z0-9]+(?:-[A-Z0-9]+)*\b/g;
