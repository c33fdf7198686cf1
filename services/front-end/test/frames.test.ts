import type { Pack } from '@taskstream/core';
import fc from 'fast-check';
import { createParser } from 'eventsource-parser';
import { describe, expect, test } from 'vitest';
import { eventFrames } from '../src/stream/frames.js';

function pack(lines: readonly string[], overrides: Partial<Pack> = {}): Pack {
  const data = Buffer.from(lines.map((line) => `${line}\n`).join(''));
  return { firstSeq: 0, count: lines.length, status: 'working', data, ...overrides };
}

/** What a client of Server-Sent Events makes of it. */
function parsed(frames: Buffer): Array<{ event: string | undefined; id: string | undefined; data: string }> {
  const events: Array<{ event: string | undefined; id: string | undefined; data: string }> = [];
  createParser({ onEvent: ({ event, id, data }) => void events.push({ event, id, data }) }).feed(
    frames.toString('utf8'),
  );
  return events;
}

describe('the frames of a pack', () => {
  test('are pinned on the wire', () => {
    expect(eventFrames(pack(['{"seq":0}', '{"seq":1}'])).toString()).toBe(
      'event: message\ndata: {"jsonrpc":"2.0","method":"notifications/tasks/event","params":{"seq":0}}\n\n' +
        'event: message\ndata: {"jsonrpc":"2.0","method":"notifications/tasks/event","params":{"seq":1}}\n\n',
    );
  });

  test('carry every line byte for byte, one message each, without an id', () => {
    fc.assert(
      fc.property(fc.array(fc.jsonValue(), { minLength: 1, maxLength: 20 }), (values) => {
        const lines = values.map((value) => JSON.stringify({ value }));
        const events = parsed(eventFrames(pack(lines)));
        expect(events.map((e) => e.id)).toEqual(lines.map(() => undefined));
        expect(events.map((e) => JSON.parse(e.data) as unknown)).toEqual(
          lines.map((line) => ({
            jsonrpc: '2.0',
            method: 'notifications/tasks/event',
            params: JSON.parse(line) as unknown,
          })),
        );
        events.forEach((e, i) => expect(e.data.endsWith(`"params":${lines[i]}}`)).toBe(true));
      }),
    );
  });

  test('are built once and shared by all readers of a pack', () => {
    const shared = pack(['{}']);
    expect(eventFrames(shared)).toBe(eventFrames(shared));
    expect(eventFrames(pack(['{}']))).not.toBe(eventFrames(shared));
  });

  test('of a part of a buffer hold nothing of the rest', () => {
    const whole = Buffer.from('{"before":1}\n{"seq":5}\n{"after":1}\n');
    const part = new Uint8Array(whole.buffer, whole.byteOffset + 13, 10);
    expect(parsed(eventFrames(pack(['{}'], { data: part }))).map((e) => e.data)).toEqual([
      '{"jsonrpc":"2.0","method":"notifications/tasks/event","params":{"seq":5}}',
    ]);
  });

  test.each([
    ['fewer lines', { count: 3 }],
    ['more lines', { count: 1 }],
  ])('of a pack with %s than it says are not made', (_what, overrides) => {
    expect(() => eventFrames(pack(['{}', '{}'], overrides))).toThrow(RangeError);
  });
});
