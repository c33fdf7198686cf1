/** Pack arithmetic: lines, cuts and fits of any pack; a wrong count throws. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fit, forEachLine, packEnd, packFrom, type Fit, type Pack } from '../src/index.js';

const encoder = new TextEncoder();
const decoder = new TextDecoder();

function packOf(firstSeq: number, lines: readonly string[]): Pack {
  const data = encoder.encode(lines.map((l) => `${l}\n`).join(''));
  return { firstSeq, count: lines.length, status: 'working', data };
}

function linesOf(pack: Pack): string[] {
  const lines: string[] = [];
  forEachLine(pack, (start, end) => {
    lines.push(decoder.decode(pack.data.subarray(start, end)));
  });
  return lines;
}

/** JSON text of an object: never holds a raw line feed. */
const line = fc.dictionary(fc.string({ unit: 'binary' }), fc.jsonValue(), { maxKeys: 3 }).map((o) => JSON.stringify(o));
const lines = fc.array(line, { minLength: 1, maxLength: 12 });
const firstSeq = fc.nat({ max: 1_000_000 });
const pack = fc.tuple(firstSeq, lines).map(([seq, ls]) => packOf(seq, ls));

describe('forEachLine', () => {
  it('visits each line of any pack, without its line feed, in order', () => {
    fc.assert(
      fc.property(firstSeq, lines, (seq, ls) => {
        expect(linesOf(packOf(seq, ls))).toEqual(ls);
      }),
    );
  });

  it('throws for any count but the right one', () => {
    fc.assert(
      fc.property(pack, fc.nat({ max: 30 }), (p, count) => {
        fc.pre(count !== p.count);
        expect(() => linesOf({ ...p, count })).toThrow(RangeError);
      }),
    );
  });

  it('throws when the last line feed is missing, and when anything follows it', () => {
    fc.assert(
      fc.property(pack, (p) => {
        expect(() => linesOf({ ...p, data: p.data.subarray(0, -1) })).toThrow(RangeError);
        expect(() => linesOf({ ...p, data: Uint8Array.of(...p.data, 0x0a) })).toThrow(RangeError);
        expect(() => linesOf({ ...p, data: Uint8Array.of(...p.data, 0x20) })).toThrow(RangeError);
      }),
    );
  });

  it('says what is wrong by numbers, not by content', () => {
    const p = packOf(7, ['{"secret":1}']);
    expect(() => linesOf({ ...p, count: 2 })).toThrow('a pack of 2 events from 7 holds only 1 lines');
    expect(() => linesOf({ ...packOf(7, ['{}', '{}']), count: 1 })).toThrow('a pack from 7 holds more than 1 lines');
    expect(() => linesOf({ ...p, data: new Uint8Array(0) })).toThrow('a pack of 1 events from 7 holds only 0 lines');
  });
});

describe('packFrom', () => {
  it('cuts any pack at any of its seqs into the lines from there on', () => {
    fc.assert(
      fc.property(firstSeq, lines, fc.nat(), (seq, ls, at) => {
        const whole = packOf(seq, ls);
        const skip = at % ls.length;
        const cut = packFrom(whole, seq + skip);
        expect(cut.firstSeq).toBe(seq + skip);
        expect(packEnd(cut)).toBe(packEnd(whole));
        expect(cut.status).toBe(whole.status);
        expect(linesOf(cut)).toEqual(ls.slice(skip));
      }),
    );
  });

  it('gives the pack itself at its first seq, and copies no bytes elsewhere', () => {
    const whole = packOf(3, ['{"a":1}', '{"b":2}']);
    expect(packFrom(whole, 3)).toBe(whole);
    expect(packFrom(whole, 4).data.buffer).toBe(whole.data.buffer);
  });

  it('cutting twice is cutting once', () => {
    fc.assert(
      fc.property(pack, fc.nat(), fc.nat(), (p, a, b) => {
        const [low, high] = [a % p.count, b % p.count].toSorted((x, y) => x - y) as [number, number];
        const twice = packFrom(packFrom(p, p.firstSeq + low), p.firstSeq + high);
        expect(linesOf(twice)).toEqual(linesOf(packFrom(p, p.firstSeq + high)));
      }),
    );
  });

  it('throws for any seq outside the pack', () => {
    fc.assert(
      fc.property(pack, fc.integer({ min: 1, max: 100 }), (p, off) => {
        expect(() => packFrom(p, p.firstSeq - off)).toThrow(RangeError);
        expect(() => packFrom(p, packEnd(p) + off - 1)).toThrow(RangeError);
      }),
    );
  });

  it('never gives a pack that reads well from one that holds a wrong number of lines', () => {
    fc.assert(
      fc.property(pack, fc.nat({ max: 30 }), fc.nat(), (p, count, at) => {
        fc.pre(count !== p.count && count > 0);
        const wrong = { ...p, count };
        expect(() => linesOf(packFrom(wrong, wrong.firstSeq + (at % count)))).toThrow(RangeError);
      }),
    );
  });
});

describe('fit', () => {
  /** What a reader that wants `next` must do with [first, end), said by membership instead of comparison. */
  function byMembership(next: number, first: number, end: number): Fit {
    const seqs = Array.from({ length: end - first }, (_x, i) => first + i);
    if (seqs.every((s) => s < next)) return 'old';
    if (!seqs.includes(next)) return 'gap';
    return seqs[0] === next ? 'next' : 'overlap';
  }

  it('is right for every reader and every pack of a small log', () => {
    let cases = 0;
    for (let next = 0; next <= 12; next++) {
      for (let first = 0; first <= 12; first++) {
        for (let count = 1; count <= 6; count++) {
          expect(fit(next, { firstSeq: first, count })).toBe(byMembership(next, first, first + count));
          cases++;
        }
      }
    }
    expect(cases).toBe(13 * 13 * 6);
  });

  it('agrees with packFrom: what fits can be cut at the wanted seq', () => {
    fc.assert(
      fc.property(pack, fc.integer({ min: -3, max: 15 }), (p, off) => {
        const next = Math.max(0, p.firstSeq + off);
        const fits = fit(next, p);
        if (fits === 'next' || fits === 'overlap') expect(packFrom(p, next).firstSeq).toBe(next);
        else expect(() => packFrom(p, next)).toThrow(RangeError);
      }),
    );
  });
});
