import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  eventLine,
  importEvents,
  plainText,
  readEventLines,
  verifyExport,
  type EventLine,
} from '../../src/transcript/index.js';
import { event, lines, numbered } from './events.js';

const STATUS = 'dev.taskstream.task.status';
const whole = numbered(
  [STATUS, { status: 'working' }],
  ['note.taken', { text: 'é😀\n' }],
  [STATUS, { status: 'completed' }],
);

async function collect<T>(all: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const one of all) found.push(one);
  return found;
}

describe('event lines', () => {
  it('are read whole, wherever the pieces are cut', async () => {
    const bytes = Buffer.from(lines(whole));
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(bytes.length), { maxLength: 8 }), async (cuts) => {
        const at = [0, ...cuts.toSorted((a, b) => a - b), bytes.length];
        const pieces = at.slice(1).map((end, i) => bytes.subarray(at[i], end));
        const read = await collect(readEventLines(pieces));
        expect(read.map((line) => line.is === 'json' && line.text)).toEqual(whole.map((e) => JSON.stringify(e)));
        expect(read.map(({ line, ended }) => [line, ended])).toEqual([
          [1, true],
          [2, true],
          [3, true],
        ]);
      }),
      { numRuns: 50 },
    );
  });

  it('name what is not one, and go on', async () => {
    const pieces = ['{"a":1}\n{"b\n', Buffer.from([0x22, 0xff, 0x22, 10]), 'x'.repeat(40), 'x\n[]\n{"half'];
    const read = await collect(readEventLines(pieces, { lineBytesMax: 40 }));
    expect(read.map(({ is, ended }: EventLine) => [is, ended])).toEqual([
      ['json', true],
      ['not-json', true],
      ['not-utf8', true],
      ['too-long', true],
      ['json', true],
      ['not-json', false],
    ]);
  });

  it('are what the follow gave, and come back as events', async () => {
    const raw = '{"seq":0, "taskId":"t","type":"a.b.c","payload":{"n":1.0}}';
    expect(eventLine({ type: 'event', event: event(0, 'x'), raw })).toBe(`${raw}\n`);
    expect(() => eventLine({ type: 'event', event: event(0, 'x') })).toThrow('raw: true');
    const bad: number[] = [];
    const events = await collect(importEvents([lines(whole), '{"gap":{}}\n', `${raw}\n`], (line) => bad.push(line)));
    expect(events).toEqual([...whole, JSON.parse(raw)]);
    expect(bad).toEqual([4]);
  });
});

describe('verifyExport', () => {
  const report = (events: readonly unknown[], options = {}) => verifyExport([lines(events)], options);
  const faults = async (events: readonly unknown[], options = {}) =>
    (await report(events, options)).faults.map(({ fault, line }) => [fault, line]);

  it('finds a whole export complete', async () => {
    expect(await report(whole)).toEqual({
      gapFree: true,
      complete: true,
      taskId: 't',
      events: 3,
      firstSeq: 0,
      lastSeq: 2,
      endedAs: 'completed',
      faults: [],
      faultCount: 0,
    });
  });

  it('tells a gap-free part from a whole', async () => {
    expect(await report(whole.slice(0, 2))).toMatchObject({ gapFree: true, complete: false, endedAs: undefined });
    expect(await report(whole.slice(1), { after: 0 })).toMatchObject({ gapFree: true, complete: false });
    expect(await report([])).toMatchObject({ gapFree: false, complete: false, events: 0 });
  });

  it.each([
    ['the first is missing', whole.slice(1), [['gap', 1]]],
    ['one is missing', [whole[0], whole[2]], [['gap', 2]]],
    ['one is there twice', [whole[0], whole[0], whole[1], whole[2]], [['repeated_event', 2]]],
    [
      'two are swapped',
      [whole[0], whole[2], whole[1]],
      [
        ['gap', 2],
        ['repeated_event', 3],
      ],
    ],
    [
      'one is of another task',
      [whole[0], event(1, 'x', {}, { taskId: 'u' }), ...whole.slice(1)],
      [['foreign_task', 2]],
    ],
    ['metadata is missing', [whole[0], { ...whole[1], _meta: {} }, whole[2]], [['wrong_related_task', 2]]],
    ['something else stands between', [whole[0], { gap: {} }, ...whole.slice(1)], [['malformed_line', 2]]],
    ['something comes after the end', [...whole, event(3, 'x')], [['event_after_end', 4]]],
  ])('notices when %s', async (_, events, expected) => {
    expect(await faults(events)).toEqual(expected);
    expect(await report(events)).toMatchObject({ gapFree: false, complete: false });
  });

  it('notices a file that was cut off anywhere but between lines', async () => {
    const text = lines(whole);
    for (let length = 1; length < text.length; length += 1) {
      const found = await verifyExport([text.slice(0, length)]);
      const atLineEnd = text[length - 1] === '\n' || text[length] === '\n';
      expect(found.faults.map(({ fault }) => fault)).toEqual(atLineEnd ? [] : ['truncated_last_line']);
      expect(found.complete).toBe(length === text.length - 1);
    }
  });

  it('any one line less, more or elsewhere is found', async () => {
    const events = Array.from({ length: 12 }, (_, seq) => event(seq, 'note.taken', { seq }));
    const log = [...events, event(12, STATUS, { status: 'failed' })];
    const at = fc.nat(log.length - 1);
    await fc.assert(
      fc.asyncProperty(at, at, fc.boolean(), async (from, to, remove) => {
        const [line] = log.slice(from, from + 1);
        const without = log.toSpliced(from, 1);
        const changed = remove ? without : log.toSpliced(to, 0, line!);
        const cutAtTheEnd = remove && from === log.length - 1;
        expect(await report(changed)).toMatchObject({ gapFree: cutAtTheEnd, complete: false });
      }),
    );
  });

  it('lists no more faults than it is told to, and counts all', async () => {
    const many = await verifyExport(['x\n'.repeat(1000)], { faultsMax: 3 });
    expect(many.faults).toHaveLength(3);
    expect(many.faultCount).toBe(1000);
  });
});

describe('plainText', () => {
  it('leaves what can be read, and nothing that acts', () => {
    expect(plainText('<b>&amp;</b>\tü\n')).toBe('<b>&amp;</b>\tü\n');
    expect(plainText('a\u001b[2J\u0000\u202eb\u2066c\ufeff')).toBe('a[2Jbc');
    expect(plainText('x\ud800y\udc00')).toBe('x\ufffdy\ufffd');
    expect(plainText('abcdef', 4)).toBe('abc…');
    expect(plainText('ab😀', 4)).toBe('ab😀');
    expect(plainText('ab😀cd', 4)).toBe('ab\ufffd…');
  });
});
