import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  applyEvent,
  DEFAULT_TRANSCRIPT_RULES,
  EMPTY_TRANSCRIPT,
  findItem,
  foldTranscript,
  type Transcript,
  type TranscriptItem,
} from '../../src/transcript/index.js';
import { event, numbered } from './events.js';

type Outline = readonly [string, string, string, ...Outline[]];

/** `[id, state, text, ...children]` of an item. */
function outline({ id, state, text, children }: TranscriptItem): Outline {
  return [id, state, text, ...children.map(outline)];
}
const outlines = ({ roots }: Transcript): Outline[] => roots.map(outline);
const anomalies = (transcript: Transcript): string[] => transcript.anomalies.map(({ anomaly }) => anomaly);
const STATUS = 'dev.taskstream.task.status';
const ATTEMPT = 'dev.taskstream.attempt.started';

describe('the fold', () => {
  it('builds the tree by identity, however the parts are mixed', () => {
    const transcript = foldTranscript(
      numbered(
        [STATUS, { status: 'working' }],
        ['agent.started', { name: 'lead' }, { id: 'a', agent: 'lead' }],
        ['message.started', { role: 'assistant' }, { id: 'm1', parent: 'a' }],
        ['message.started', { role: 'user' }, { id: 'm2', parent: 'a' }],
        ['message.delta', { text: 'one ' }, { id: 'm1' }],
        ['message.delta', { text: 'uno ' }, { id: 'm2' }],
        ['tool.started', { name: 'grep', input: { q: 1 } }, { id: 'c', parent: 'm1', call: 'call-1' }],
        ['message.delta', { text: 'two' }, { id: 'm1' }],
        ['tool.finished', { output: { hits: 3 }, isError: true }, { id: 'c' }],
        ['artifact.started', { name: 'f.md' }, { id: 'f', parent: 'c' }],
        ['artifact.delta', { text: '# f' }, { id: 'f' }],
        ['artifact.finished', {}, { id: 'f' }],
        ['message.finished', { text: 'the whole' }, { id: 'm2' }],
        ['message.finished', {}, { id: 'm1' }],
        ['agent.finished', {}, { id: 'a' }],
        [STATUS, { status: 'completed' }],
      ),
    );
    expect(outlines(transcript)).toEqual([
      [
        'a',
        'finished',
        '',
        ['m1', 'finished', 'one two', ['c', 'finished', '', ['f', 'finished', '# f']]],
        ['m2', 'finished', 'the whole'],
      ],
    ]);
    expect(findItem(transcript, 'c')).toMatchObject({
      kind: 'tool',
      name: 'grep',
      toolCallId: 'call-1',
      begun: { input: { q: 1 } },
      ended: { output: { hits: 3 } },
      isError: true,
      firstSeq: 6,
      lastSeq: 8,
      begunAt: '2026-11-25T00:00:06.000Z',
      endedAt: '2026-11-25T00:00:08.000Z',
    });
    expect(findItem(transcript, 'm2')).toMatchObject({ role: 'user' });
    expect(transcript).toMatchObject({ taskId: 't', status: 'completed', attempt: 1, lastSeq: 15, anomalyCount: 0 });
  });

  it('keeps what it does not know as notes, by rule and up to a bound', () => {
    const events = numbered(
      ['dev.taskstream.task.progress', { progress: 1 }],
      ['note.taken', { n: 1 }],
      ['thing.started', { n: 2 }, { id: 'x' }],
      ['note.taken', { n: 3 }],
    );
    const notes = (rules: Partial<typeof DEFAULT_TRANSCRIPT_RULES>) =>
      foldTranscript(events, { ...DEFAULT_TRANSCRIPT_RULES, ...rules }).notes.map(({ seq }) => seq);
    expect(notes({})).toEqual([1, 2, 3]);
    expect(notes({ notesMax: 2 })).toEqual([2, 3]);
    expect(notes({ notesMax: 0 })).toEqual([]);
    expect(notes({ isNote: ({ payload }) => payload['progress'] === 1 })).toEqual([0]);
  });

  it('shares what an event does not touch, and leaves the transcript before as it was', () => {
    const before = foldTranscript(
      numbered(
        ['agent.started', {}, { id: 'a' }],
        ['message.started', {}, { id: 'm1', parent: 'a' }],
        ['message.started', {}, { id: 'm2', parent: 'a' }],
        ['agent.started', {}, { id: 'b' }],
      ),
    );
    const frozen = structuredClone(before.roots);
    const after = applyEvent(before, event(4, 'message.delta', { text: 'x' }, { id: 'm2' }));
    expect(findItem(after, 'm2')?.text).toBe('x');
    expect(after.roots[1]).toBe(before.roots[1]);
    expect(after.roots[0]?.children[0]).toBe(before.roots[0]?.children[0]);
    expect(after.roots[0]).not.toBe(before.roots[0]);
    expect(before.roots).toEqual(frozen);
    expect(applyEvent(after, event(2, 'message.delta', { text: 'again' }, { id: 'm1' }))).toBe(after);
    // Two futures of one past do not know of each other.
    const left = applyEvent(before, event(4, 'tool.started', {}, { id: 'n', parent: 'b' }));
    const right = applyEvent(before, event(4, 'tool.started', {}, { id: 'n' }));
    expect(outlines(left)[1]).toEqual(['b', 'open', '', ['n', 'open', '']]);
    expect(outlines(right)[2]).toEqual(['n', 'open', '']);
  });
});

describe('attempts', () => {
  const first = [
    ['agent.started', { name: 'lead' }, { id: 'a' }],
    ['message.started', {}, { id: 'm1', parent: 'a' }],
    ['message.delta', { text: 'half' }, { id: 'm1' }],
    ['tool.started', {}, { id: 'c', parent: 'a' }],
    ['tool.finished', {}, { id: 'c' }],
  ] as const;

  it('a lost attempt leaves its open items interrupted', () => {
    const transcript = foldTranscript(numbered(...first, [ATTEMPT, { attempt: 2 }, { attempt: 2 }]));
    expect(outlines(transcript)).toEqual([
      ['a', 'interrupted', '', ['m1', 'interrupted', 'half'], ['c', 'finished', '']],
    ]);
    expect(transcript.attempt).toBe(2);
  });

  it('an attempt that starts again doubles nothing: items are replaced in their place, the rest is superseded', () => {
    const again = { attempt: 2 };
    const transcript = foldTranscript(
      numbered(
        ...first,
        ['dev.taskstream.attempt.ended', { attempt: 1, reason: 'error' }],
        [ATTEMPT, { attempt: 2 }, again],
        ['agent.started', { name: 'lead' }, { id: 'a', ...again }],
        ['message.started', {}, { id: 'm1', parent: 'a', ...again }],
        ['message.delta', { text: 'whole' }, { id: 'm1', ...again }],
      ),
    );
    expect(outlines(transcript)).toEqual([['a', 'open', '', ['m1', 'open', 'whole'], ['c', 'superseded', '']]]);
    const more = applyEvent(transcript, event(10, 'tool.started', { name: 'x' }, { id: 'c', parent: 'a', ...again }));
    expect(outlines(more)[0]?.slice(3)).toEqual([
      ['m1', 'open', 'whole'],
      ['c', 'open', ''],
    ]);
    expect(more.anomalyCount).toBe(0);
  });

  it('an attempt that goes on continues its items', () => {
    const transcript = foldTranscript(
      numbered(
        ...first,
        [ATTEMPT, { attempt: 2 }, { attempt: 2 }],
        ['message.delta', { text: ', other half' }, { id: 'm1', attempt: 2 }],
        ['message.finished', {}, { id: 'm1', attempt: 2 }],
        [STATUS, { status: 'failed' }, { attempt: 2 }],
      ),
    );
    expect(outlines(transcript)).toEqual([
      ['a', 'interrupted', '', ['m1', 'finished', 'half, other half'], ['c', 'finished', '']],
    ]);
  });
});

describe('what is wrong', () => {
  const start = numbered(['message.started', {}, { id: 'm' }]);
  it.each([
    ['malformed_event', [null]],
    ['malformed_event', [{ ...event(1, 'x.y'), payload: [] }]],
    ['foreign_task', [event(1, 'x.y', {}, { taskId: 'u' })]],
    ['gap', [event(2, 'x.y')]],
    ['no_item_id', [event(1, 'message.delta', { text: 'x' })]],
    ['not_started', [event(1, 'message.delta', { text: 'x' }, { id: 'n' })]],
    ['unknown_parent', [event(1, 'tool.started', {}, { id: 'n', parent: 'nobody' })]],
    ['unknown_parent', [event(1, 'tool.started', {}, { id: 'n', parent: 'n' })]],
    ['started_twice', [event(1, 'message.started', {}, { id: 'm' })]],
    ['finished_twice', [event(1, 'message.finished', {}, { id: 'm' }), event(2, 'message.finished', {}, { id: 'm' })]],
    [
      'after_finished',
      [event(1, 'message.finished', {}, { id: 'm' }), event(2, 'message.delta', { text: 'x' }, { id: 'm' })],
    ],
    ['stale_attempt', [event(1, 'message.finished', {}, { id: 'm', attempt: 0 })]],
    ['kind_changed', [event(1, 'tool.finished', {}, { id: 'm' })]],
    [
      'parent_changed',
      [
        event(1, 'agent.started', {}, { id: 'p' }),
        event(2, 'message.started', {}, { id: 'm', parent: 'p', attempt: 2 }),
      ],
    ],
    ['bad_payload', [event(1, 'message.delta', { text: 7 }, { id: 'm' })]],
    ['bad_payload', [event(1, 'message.delta', {}, { id: 'm' })]],
    ['bad_payload', [event(1, 'agent.started', { name: {} }, { id: 'n' })]],
  ])('is listed: %s', (name, events) => {
    expect(anomalies(foldTranscript([...start, ...events]))).toEqual([name]);
  });

  it('is bounded: depth, items, text, the list itself', () => {
    const rules = { ...DEFAULT_TRANSCRIPT_RULES, depthMax: 3, itemsMax: 5, textCharsMax: 4, anomaliesMax: 3 };
    const chain = Array.from({ length: 6 }, (_, i) =>
      event(i, 'agent.started', {}, { id: `n${i}`, ...(i > 0 && { parent: `n${i - 1}` }) }),
    );
    const deep = foldTranscript(chain, rules);
    expect(outlines(deep)).toEqual([
      ['n0', 'open', '', ['n1', 'open', '', ['n2', 'open', '']]],
      ['n3', 'open', '', ['n4', 'open', '']],
    ]);
    expect(anomalies(deep)).toEqual(['too_deep', 'too_many_items']);
    const long = foldTranscript(
      [
        ...start,
        event(1, 'message.delta', { text: 'abc' }, { id: 'm' }),
        event(2, 'message.delta', { text: 'def' }, { id: 'm' }),
        event(3, 'message.delta', { text: 'g' }, { id: 'm' }),
        ...Array.from({ length: 9 }, () => null),
      ],
      rules,
    );
    expect(findItem(long, 'm')).toMatchObject({ text: 'abcd', textCut: 3 });
    expect(anomalies(long)).toEqual(['text_cut', 'malformed_event', 'malformed_event']);
    expect(long.anomalyCount).toBe(10);
  });
});

const kinds = fc.constantFrom('agent', 'message', 'tool', 'artifact');
const ids = fc.constantFrom('a', 'b', 'c', 'd', '__proto__', 'constructor');
const happening = fc.record({
  type: fc.oneof(
    fc.tuple(kinds, fc.constantFrom('started', 'delta', 'finished')).map(([kind, phase]) => `${kind}.${phase}`),
    fc.constantFrom(STATUS, ATTEMPT, 'note.taken'),
  ),
  payload: fc.oneof(
    fc.record({ text: fc.string() }, { requiredKeys: [] }),
    fc.constantFrom({ status: 'working' }, { status: 'completed' }, { text: 3 }),
  ),
  id: fc.option(ids, { nil: undefined }),
  parent: fc.option(ids, { nil: undefined }),
  newAttempt: fc.boolean(),
});

/** A log as some tool may write it: attempts only rise. */
const anyLog = fc.array(happening, { maxLength: 60 }).map((all) => {
  let attempt = 1;
  return all.map(({ type, payload, id, parent, newAttempt }, seq) => {
    if (newAttempt && seq % 7 === 0) attempt += 1;
    const said = { attempt, ...(id !== undefined && { id }), ...(parent !== undefined && { parent }) };
    return event(seq, type, payload, said);
  });
});

const seen = ({ places: _places, ...transcript }: Transcript) => transcript;

describe('whatever comes', () => {
  it('pieces that overlap, however a stream is cut, give the same transcript as the whole', () => {
    const cuts = fc.array(fc.tuple(fc.nat(60), fc.nat(10)), { maxLength: 12 });
    fc.assert(
      fc.property(anyLog, cuts, (log, pieces) => {
        const whole = foldTranscript(log);
        let transcript = EMPTY_TRANSCRIPT;
        let read = 0;
        for (const [length, back] of [...pieces, [log.length, 0] as const]) {
          // A stream is opened at or before what was read, and breaks somewhere.
          for (const one of log.slice(Math.max(0, read - back), read + length))
            transcript = applyEvent(transcript, one);
          read = Math.min(log.length, read + length);
        }
        expect(seen(transcript)).toEqual(seen(whole));
      }),
      { numRuns: 300 },
    );
  });

  it('every item is in the tree once, where its place says', () => {
    fc.assert(
      fc.property(anyLog, (log) => {
        const transcript = foldTranscript(log);
        const found: TranscriptItem[] = [];
        const walk = (items: readonly TranscriptItem[]): void => {
          for (const item of items) {
            found.push(item);
            walk(item.children);
          }
        };
        walk(transcript.roots);
        expect(found).toHaveLength(transcript.itemCount);
        expect(new Set(found.map(({ id }) => id)).size).toBe(found.length);
        for (const item of found) expect(findItem(transcript, item.id)).toBe(item);
      }),
      { numRuns: 200 },
    );
  });

  it('never throws', () => {
    const envelope = fc.record(
      {
        seq: fc.oneof(fc.nat(20), fc.jsonValue()),
        taskId: fc.oneof(fc.constant('t'), fc.jsonValue()),
        type: fc.oneof(fc.constantFrom('a.b.message.delta', 'a.b.tool.started', STATUS), fc.jsonValue()),
        payload: fc.oneof(fc.dictionary(fc.string(), fc.jsonValue()), fc.jsonValue()),
        _meta: fc.oneof(fc.jsonValue(), fc.record({ 'dev.taskstream/event': fc.jsonValue() })),
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(fc.array(fc.oneof(envelope, fc.jsonValue()), { maxLength: 20 }), (events) => {
        const transcript = foldTranscript(events);
        expect(transcript.anomalyCount).toBeGreaterThanOrEqual(transcript.anomalies.length);
      }),
      { numRuns: 300 },
    );
  });
});
