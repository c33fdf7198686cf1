import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseJsonBody } from '../src/http/json-body.js';

const parse = (text: string, depthMax = 256): unknown => parseJsonBody(Buffer.from(text), depthMax);

describe('a body', () => {
  test('is what JSON says it is', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 20 }), (value) => {
        const text = JSON.stringify(value);
        expect(parse(text)).toEqual(JSON.parse(text));
      }),
    );
  });

  test.each(['', '{', 'nonsense', '{"a":1}}', '"open', '"\\"', ']['])('that is not JSON is none: %j', (text) => {
    expect(parse(text)).toBeUndefined();
  });

  test('that is no buffer is none', () => {
    for (const body of [undefined, null, '{}', {}]) expect(parseJsonBody(body, 256)).toBeUndefined();
  });

  test('may be nested as deep as the limit, and no deeper', () => {
    const nested = (depth: number) => `${'[{"a":'.repeat(depth / 2)}1${'}]'.repeat(depth / 2)}`;
    expect(parse(nested(10), 10)).toEqual(JSON.parse(nested(10)));
    expect(parse(nested(12), 10)).toBeUndefined();
    expect(parse(`[${nested(10)}]`, 10)).toBeUndefined();
    expect(parse('['.repeat(1_000_000))).toBeUndefined();
    let tooDeep = 0;
    const count = (text: string) => parseJsonBody(Buffer.from(text), 10, () => tooDeep++);
    for (const text of [nested(10), 'nonsense', nested(12)]) count(text);
    expect(tooDeep).toBe(1);
  });

  test('may hold any number of brackets in its strings, and be as wide as it likes', () => {
    const texts = ['[[[[[[', '{{{{{{', '"[[[[[[', '\\"[[[[[[', '\\', '\\\\"[[[[['];
    expect(parse(JSON.stringify(texts), 1)).toEqual(texts);
    const wide = Array.from({ length: 1_000 }, () => [{}]);
    expect(parse(JSON.stringify(wide), 3)).toEqual(wide);
  });
});
