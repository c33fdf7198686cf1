import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createDecoder, looksBinary } from '../../src/tools/audit/encoding.js';
import { clip, clipMiddle, oneLine } from '../../src/tools/audit/text.js';
import { findTodo, todoText } from '../../src/tools/audit/todos.js';

describe('clip', () => {
  it('keeps what fits and marks what does not', () => {
    expect(clip('abc', 3)).toBe('abc');
    expect(clip('abcd', 3)).toBe('ab…');
    expect(clipMiddle('abcdefg', 7)).toBe('abcdefg');
    expect(clipMiddle('abcdefgh', 7)).toBe('abc…fgh');
  });

  it('never leaves half a character, and never exceeds the bound', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.integer({ min: 1, max: 40 }), (text, max) => {
        for (const clipped of [clip(text, max), clipMiddle(text, max)]) {
          expect(clipped.length).toBeLessThanOrEqual(max);
          expect(Buffer.from(clipped).toString()).toBe(clipped);
        }
      }),
    );
  });
});

describe('oneLine', () => {
  it('makes visible what could break or turn a line', () => {
    expect(oneLine('a\nb\r\tc\u0000\u202Ed\u2028')).toBe('a\\nb\\r\\tc\\u0000\\u202ed\\u2028');
    expect(oneLine('plain 🦀 "quotes"')).toBe('plain 🦀 "quotes"');
  });
});

describe('decoding', () => {
  function decode(bytes: Uint8Array, cuts: ReadonlyArray<number> = []): readonly [string, string] {
    const decoder = createDecoder(bytes);
    let text = '';
    let at = 0;
    for (const cut of [...cuts.filter((c) => c < bytes.length).toSorted((a, b) => a - b), bytes.length]) {
      text += decoder.decode(bytes.subarray(at, cut));
      at = Math.max(at, cut);
    }
    return [text + decoder.end(), decoder.encoding];
  }

  it.each([
    ['UTF-8', Buffer.from('grün 🦀'), 'grün 🦀', 'utf-8'],
    ['a byte order mark', Buffer.from('\uFEFFa'), 'a', 'utf-8'],
    ['UTF-16 LE', Buffer.from('\uFEFFab', 'utf16le'), 'ab', 'utf-16le'],
    ['UTF-16 BE', Buffer.from('\uFEFFab', 'utf16le').swap16(), 'ab', 'utf-16be'],
    ['Latin-1', Buffer.from('gr\u00fcn', 'latin1'), 'gr\uFFFDn', 'unknown'],
    ['a character that the end cuts', Buffer.from('a€').subarray(0, 3), 'a\uFFFD', 'unknown'],
    ['a real U+FFFD', Buffer.from('a\uFFFDb'), 'a\uFFFDb', 'utf-8'],
    ['nothing', Buffer.alloc(0), '', 'utf-8'],
  ])('of %s', (_name, bytes, text, encoding) => {
    expect(decode(bytes)).toEqual([text, encoding]);
  });

  it('does not depend on where the chunks are cut', () => {
    const pieces = fc.array(
      fc.constantFrom(
        Buffer.from('a'),
        Buffer.from('€'),
        Buffer.from('🦀'),
        Buffer.from('\uFFFD'),
        Buffer.from([0xff]),
        Buffer.from([0xe2, 0x82]),
        Buffer.from([0xef, 0xbf]),
      ),
      { minLength: 1, maxLength: 12 },
    );
    fc.assert(
      fc.property(pieces, fc.array(fc.integer({ min: 2, max: 40 }), { maxLength: 6 }), (parts, cuts) => {
        const bytes = Buffer.concat([Buffer.from('xx'), ...parts]);
        expect(decode(bytes, cuts)).toEqual(decode(bytes));
      }),
      { numRuns: 500 },
    );
  });

  it('tells binary from text as git does', () => {
    expect(looksBinary(Buffer.from('a\0b'))).toBe(true);
    expect(looksBinary(Buffer.from('\uFEFFab', 'utf16le'))).toBe(false);
    expect(looksBinary(Buffer.from('ab'))).toBe(false);
    expect(looksBinary(Buffer.concat([Buffer.alloc(8_000, 97), Buffer.from([0])]))).toBe(false);
    expect(looksBinary(Buffer.alloc(0))).toBe(false);
  });
});

describe('notes', () => {
  it.each([
    ['// TODO: later', 'TODO'],
    ['  # FIXME(anna) x', 'FIXME'],
    ['code(); /* HACK around it */', 'HACK'],
    [' * XXX', 'XXX'],
    ['- [ ] TODO write', 'TODO'],
    ['TODO write', 'TODO'],
    ['TODO: write', 'TODO'],
    ['<!-- TODO x -->', 'TODO'],
    ['-- TODO x', 'TODO'],
    ['// first FIXME then TODO', 'FIXME'],
  ])('%s', (line, tag) => {
    const found = findTodo(line);
    expect(found?.tag).toBe(tag);
    expect(line.slice(found?.start)).toMatch(new RegExp(`^${tag}`));
  });

  it.each([
    'const TODO = 1;',
    'TODO = 1',
    'TODO: 0,',
    '{ TODO: 0, FIXME: 0 }',
    '// mastodon TODOS',
    '// the word `TODO` is quoted',
    "if (x === 'TODO') {",
    'XXX-XXX-XXXX',
    '// todo in lower case',
    'MY_TODO: x',
  ])('is not: %s', (line) => {
    expect(findTodo(line)).toBeUndefined();
  });

  it('are looked for at a bounded number of places on a line', () => {
    expect(findTodo(`${'x TODO '.repeat(7)}// TODO y`)).toEqual({ tag: 'TODO', start: 52 });
    expect(findTodo(`${'x TODO '.repeat(8)}// TODO y`)).toBeUndefined();
  });

  it('are shown without the end of their comment', () => {
    expect(todoText('TODO x  */  ')).toBe('TODO x');
    expect(todoText('TODO x -->')).toBe('TODO x');
    expect(todoText('TODO x')).toBe('TODO x');
  });
});
