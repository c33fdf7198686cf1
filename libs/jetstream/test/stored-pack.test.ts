/** A pack as it is stored: what is written is read back, and what is not ours is never guessed at. */
import { TASK_STATUSES } from '@taskstream/protocol';
import { headers } from '@nats-io/transport-node';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Header } from '../src/names.js';
import { compact, decodePack, encodeHead, type PackHead } from '../src/stored-pack.js';

const count = fc.integer({ min: 1, max: 100_000 });
const seq = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER - 100_000 });
const token = fc.stringMatching(/^[A-Za-z0-9:_-]{1,40}$/);

const head: fc.Arbitrary<PackHead> = fc
  .record({
    firstSeq: seq,
    count,
    attempt: fc.nat(),
    failures: fc.nat(),
    running: fc.option(fc.tuple(token, fc.nat()), { nil: undefined }),
    handedOver: fc.boolean(),
    suspended: fc.boolean(),
    taken: fc.record({ entry: fc.nat(), paused: fc.boolean() }),
    writeId: token,
    status: fc.constantFrom(...TASK_STATUSES),
    statusAt: fc.option(fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }), { nil: undefined }),
  })
  .map(({ running, ...rest }) => ({ ...rest, runningItem: running?.[0], runningDelivery: running?.[1] ?? 0 }));

describe('a stored pack', () => {
  it('is read back as it was written', () => {
    fc.assert(
      fc.property(head, fc.integer({ min: 1, max: 2 ** 50 }), fc.uint8Array(), (written, streamSeq, data) => {
        expect(decodePack(encodeHead(written), streamSeq, data)).toEqual({
          ...written,
          streamSeq,
          data,
          statusAt: written.statusAt ?? streamSeq,
        });
      }),
    );
  });

  it('survives the way over the wire as text', () => {
    fc.assert(
      fc.property(head, (written) => {
        const sent = encodeHead(written);
        const received = headers();
        for (const key of sent.keys()) received.set(key, String(sent.get(key)));
        expect(decodePack(received, 9, new Uint8Array())).toEqual(decodePack(sent, 9, new Uint8Array()));
      }),
    );
  });

  const sample: PackHead = {
    firstSeq: 7,
    count: 2,
    attempt: 1,
    failures: 0,
    runningItem: '12',
    runningDelivery: 3,
    handedOver: false,
    suspended: false,
    taken: { entry: 4, paused: true },
    writeId: 'nonce:3',
    status: 'working',
    statusAt: 5,
  };

  it('has these headers', () => {
    const h = encodeHead(sample);
    expect(Object.fromEntries(h.keys().map((key) => [key, h.get(key)]))).toEqual({
      'Ts-V': '1',
      'Ts-Seq': '7',
      'Ts-Count': '2',
      'Ts-Attempt': '1',
      'Ts-Item': '12',
      'Ts-Delivery': '3',
      'Ts-Taken': '4',
      'Ts-Paused': '1',
      'Ts-Write': 'nonce:3',
      'Ts-Status': 'working',
      'Ts-Status-At': '5',
    });
  });

  it('is not ours without any one of its headers that must be there', () => {
    for (const key of [Header.version, Header.seq, Header.count, Header.attempt, Header.write, Header.status]) {
      const h = encodeHead(sample);
      h.delete(key);
      expect([key, decodePack(h, 1, new Uint8Array())]).toEqual([key, undefined]);
    }
    expect(decodePack(undefined, 1, new Uint8Array())).toBeUndefined();
    expect(decodePack(headers(), 1, new Uint8Array())).toBeUndefined();
  });

  it('is not ours when a number is not one', () => {
    const numbers = [Header.seq, Header.count, Header.attempt, Header.failures, Header.statusAt];
    const wrong = [
      '',
      ' ',
      '-1',
      '1.5',
      'NaN',
      'Infinity',
      '0x1f',
      '1e3',
      '9007199254740993',
      '12345678901234567890',
      'x',
    ];
    for (const key of numbers) {
      for (const text of wrong) {
        const h = encodeHead(sample);
        h.set(key, text);
        const pack = decodePack(h, 1, new Uint8Array());
        expect([key, text, pack]).toEqual([key, text, undefined]);
      }
    }
  });

  it('is never something else than undefined or a pack that makes sense, whatever the headers hold', () => {
    const keys = Object.values(Header);
    const value = fc.oneof(fc.constantFrom('1', '0', 'working', 'completed', '-1'), fc.string({ maxLength: 20 }));
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.constantFrom(...keys), value), { maxLength: 14 }),
        fc.integer({ min: -1, max: 5 }),
        (fields, streamSeq) => {
          const h = headers();
          for (const [key, text] of fields) h.set(key, text.replace(/[\r\n]/g, ''));
          const pack = decodePack(h, streamSeq, new Uint8Array());
          if (pack === undefined) return;
          expect(pack.streamSeq).toBeGreaterThan(0);
          expect(pack.count).toBeGreaterThan(0);
          expect(pack.firstSeq).toBeGreaterThanOrEqual(0);
          expect(TASK_STATUSES).toContain(pack.status);
          expect(pack.writeId).not.toBe('');
        },
      ),
      { numRuns: 500 },
    );
  });
});

const BYTES = new Uint8Array(4_000).map((_x, i) => i % 251);

describe('compact', () => {
  it('gives the same bytes, and keeps no buffer alive that is much larger', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 4_000 }), fc.integer({ min: 0, max: 4_000 }), (a, b) => {
        const part = Buffer.from(BYTES.buffer, Math.min(a, b), Math.abs(a - b));
        const small = compact(part);
        expect(Buffer.compare(small, part)).toBe(0);
        expect(small.buffer.byteLength).toBeLessThanOrEqual(2 * small.byteLength);
      }),
    );
  });
});
