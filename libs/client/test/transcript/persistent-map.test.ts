import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PersistentMap } from '../../src/transcript/persistent-map.js';

/** Pairs with the same 32-bit FNV-1a hash, and keys that an object would trip over. */
const KEYS = ['costarring', 'liquid', 'declinate', 'macallums', 'altarage', 'zinke', '__proto__', 'constructor', ''];

describe('a persistent map', () => {
  it('holds what a map holds, and every version of it keeps what it held', () => {
    const key = fc.oneof(fc.constantFrom(...KEYS), fc.string());
    fc.assert(
      fc.property(fc.array(fc.tuple(key, fc.nat()), { maxLength: 200 }), (entries) => {
        const model = new Map<string, number>();
        const versions: (readonly [PersistentMap<number>, Map<string, number>])[] = [];
        let map = new PersistentMap<number>();
        for (const [k, value] of entries) {
          model.set(k, value);
          map = map.with(k, value);
          versions.push([map, new Map(model)]);
        }
        for (const [version, held] of versions) {
          expect(version.size).toBe(held.size);
          for (const k of [...KEYS, ...model.keys()]) expect(version.get(k)).toBe(held.get(k));
        }
      }),
    );
  });
});
