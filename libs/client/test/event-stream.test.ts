import { createParser } from 'eventsource-parser';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EventStreamReader } from '../src/event-stream.js';

type Seen = readonly ['data' | 'comment', string?];

function ours(pieces: readonly string[]): Seen[] {
  const seen: Seen[] = [];
  const reader = new EventStreamReader({
    onData: (data) => seen.push(['data', data]),
    onComment: () => seen.push(['comment']),
  });
  for (const piece of pieces) reader.feed(piece);
  return seen;
}

/** The library that most clients use. */
function theirs(pieces: readonly string[]): Seen[] {
  const seen: Seen[] = [];
  const parser = createParser({
    onEvent: ({ data }) => {
      if (data !== '') seen.push(['data', data]);
    },
    onComment: () => {
      seen.push(['comment']);
    },
  });
  for (const piece of pieces) parser.feed(piece);
  return seen;
}

const line = fc.constantFrom(
  'data: {"a":1}',
  'data:x',
  'data:',
  'data',
  ': ping',
  ':',
  'event: message',
  'id: 7',
  'odd',
  '',
);
const end = fc.constantFrom('\n', '\r\n', '\r');
const stream = fc
  .array(fc.tuple(line, end), { maxLength: 30 })
  .map((lines) => lines.map(([text, ending]) => text + ending).join(''));

describe('EventStreamReader', () => {
  it('reads an event with several lines of data, and comments', () => {
    expect(ours(['event: message\ndata: a\ndata: b\n\n: hi\n\n'])).toEqual([['data', 'a\nb'], ['comment']]);
  });

  it('keeps back what is not ended', () => {
    expect(ours(['data: a\n\ndata: b\n'])).toEqual([['data', 'a']]);
  });

  it('reads the same as eventsource-parser, however the text is cut', () => {
    fc.assert(
      fc.property(stream, fc.array(fc.nat(), { maxLength: 20 }), (text, cuts) => {
        const places = [...new Set(cuts.map((cut) => cut % (text.length + 1)))].toSorted((a, b) => a - b);
        const pieces = [...places, text.length].map((to, i) => text.slice(i === 0 ? 0 : places[i - 1], to));
        // A final line that may still get its LF is held back by the library; an empty line tells both that it is over.
        const whole = [...pieces, 'x\n'];
        expect(ours(whole)).toEqual(theirs(whole));
      }),
      { numRuns: 2_000 },
    );
  });

  it('counts what it keeps', () => {
    const reader = new EventStreamReader({ onData: () => undefined, onComment: () => undefined });
    reader.feed('data: 12345');
    expect(reader.pending).toBe(11);
    reader.feed('678\ndata: 9');
    expect(reader.pending).toBe(14 + 7);
    reader.feed('\n\n');
    expect(reader.pending).toBe(0);
  });
});
