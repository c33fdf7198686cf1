/**
 * Where taskstream shows what the kit cannot see, by tests that other suites own, and what it does not do yet.
 *
 * Invariants: a proof names a file and (part of) the title of a test in it; a gap has a reason, and goes with the
 * first test that cites its id.
 */
import type { RequirementId } from './requirements.js';

export interface Proof {
  /** From the repository's root. */
  readonly file: string;
  /** Part of a test's title, or of the row that gives it. */
  readonly title: string;
}

const STREAM = 'test/integration/front-end/stream.test.ts';
const STREAM_ENDS = 'test/integration/front-end/stream-ends.test.ts';
const APPEND = 'test/integration/log/append.test.ts';
const GONE = 'test/integration/log/reader-gone.test.ts';
const SESSION = 'libs/core/test/stream-session.test.ts';
const FOLLOW_STATE = 'libs/client/test/follow-state.test.ts';
const CONSUMER = 'libs/client/test/follow-consumer.test.ts';

export const PROVED_BY: Readonly<Partial<Record<RequirementId, readonly Proof[]>>> = {
  'SEP2694-EVENT-IMMUTABLE': [
    { file: STREAM, title: 'for an uninterrupted reader, readers that were cut everywhere' },
    { file: 'libs/protocol/test/event-line.test.ts', title: 'pins the bytes of an event' },
  ],
  'SEP2694-ADVERTISED': [
    {
      file: 'test/integration/eras/legacy-clients.test.ts',
      title: 'the v1 client sees the tasks capability and the event-stream sub-capability',
    },
  ],
  'SEP2694-AFTER-INVALID-REFUSED': [
    { file: 'test/integration/front-end/bad-input.test.ts', title: 'after %j is refused by name and type' },
    { file: 'libs/protocol/test/cursor.test.ts', title: 'accepts exactly the safe non-negative integers' },
  ],
  'SEP2694-TYPE-RESERVED': [{ file: APPEND, title: 'a type without a vendor' }],
  'SEP2694-PAYLOAD-OBJECT': [{ file: APPEND, title: 'a date, which is text in JSON' }],
  'SEP2694-EARLY-CLOSE': [
    { file: STREAM_ENDS, title: 'a stream that is too old is rotated' },
    { file: STREAM_ENDS, title: 'SIGTERM ends every stream with the reason' },
  ],
  'SEP2694-CLIENT-REOPENS': [{ file: FOLLOW_STATE, title: 'resumes at once after %s' }],
  'SEP2694-ONE-ACTIVE': [{ file: STREAM, title: 'one active stream of a task per connection' }],
  'SEP2694-CLIENT-CANCELS-FIRST': [
    { file: 'libs/client/test/follow-table.test.ts', title: 'aborts the request in flight before any other request' },
  ],
  'SEP2694-CANCEL-STOPS-DELIVERY': [
    { file: STREAM, title: 'a client that closes it frees its place and leaves the task alone' },
    { file: 'test/integration/eras/legacy-clients.test.ts', title: 'streams the same events, and an abort stops them' },
  ],
  'SEP2694-CLIENT-AFTER-VALID': [
    { file: CONSUMER, title: 'fails with cursor_store_failed, and refuses a cursor that is none' },
  ],
  'SEP2694-NO-SILENT-SKIP': [
    {
      file: 'test/integration/log/live-hop.test.ts',
      title: 'are read from the log as soon as the next one shows the gap',
    },
    { file: SESSION, title: 'delivers exactly the events after the cursor, each once, in order, or says what is gone' },
  ],
  'SEP2694-NOTHING-KEPT-LIVE': [{ file: SESSION, title: 'caught up with nothing retained' }],
  'SEP2694-NOTHING-KEPT-TERMINAL': [{ file: SESSION, title: 'the end with nothing retained' }],
  'SEP2694-GAP-IS-GONE': [
    { file: GONE, title: 'during a replay with a cursor: what was read is whole, then it is gone' },
    { file: GONE, title: 'by the cap, while a slow reader tails' },
    { file: GONE, title: 'is gone for one that had not' },
  ],
  'SEP2694-DROPPED-IS-GONE': [{ file: GONE, title: 'every cursor below tells what is left' }],
  'SEP2694-CLIENT-SAVES-PROCESSED': [{ file: CONSUMER, title: 'saves a cursor only after it asked for the next item' }],
  'SEP2694-CLIENT-RESUMES-THERE': [
    { file: FOLLOW_STATE, title: 'delivers events in order and resumes after the last one' },
  ],
  'SEP2694-CLIENT-DROPS-DUPLICATES': [{ file: FOLLOW_STATE, title: 'drops duplicates and says which kind they are' }],
  'SEP2694-CLIENT-GAP-FATAL': [{ file: FOLLOW_STATE, title: 'fails by default, with what is retained' }],
  'SEP2694-GONE-HTTP-410': [
    { file: 'test/integration/view/view.test.ts', title: 'gone events are 410 with the earliest that is left' },
  ],
  'SEP2694-RETENTION-LIMITED': [
    { file: 'test/integration/log/provision.test.ts', title: 'are made as they are configured' },
  ],
  'SEP2694-RETENTION-AS-TASK': [
    { file: 'test/integration/log/task-store.test.ts', title: 'finds a task up to the last moment of its life' },
  ],
  'SEP2694-RETENTION-DROPS': [
    { file: GONE, title: 'by the cap on packs' },
    { file: APPEND, title: 'always shows its latest status, with the message' },
  ],
  'SEP2694-TYPE-REVERSE-DNS': [
    { file: 'libs/protocol/test/event-type.test.ts', title: 'accepts any reverse-DNS name below a vendor domain' },
  ],
  'SEP2694-PROGRESS-CONSISTENT': [{ file: STREAM, title: 'with a progress token also by rising progress' }],
  'SEP2694-FOREIGN-REFUSED': [
    { file: 'test/integration/auth/auth.test.ts', title: 'a task is unknown to everybody but its owner' },
  ],
  'SEP2694-PAYLOAD-UNTRUSTED': [
    { file: APPEND, title: 'keeps every payload as it was, whatever text it holds' },
    { file: 'libs/protocol/test/event-line.test.ts', title: 'is one line, and the payload goes through byte for byte' },
  ],
  'SEP2694-CLIENT-SANITISES': [
    { file: 'services/cli/test/output.test.ts', title: 'shows every event when verbose, without control characters' },
  ],
  'SEP2694-LIMIT-PAYLOAD': [{ file: APPEND, title: 'too many bytes in few characters' }],
  'SEP2694-CLIENT-DELETES': [
    { file: 'libs/client/test/task-client.test.ts', title: 'gets, cancels, updates and deletes' },
  ],
  'SEP2694-LIMIT-EVENTS': [{ file: GONE, title: 'by the cap, while a slow reader tails' }],
};

/** Not done, with the reason. */
export const GAPS: Readonly<Partial<Record<RequirementId, string>>> = {};
