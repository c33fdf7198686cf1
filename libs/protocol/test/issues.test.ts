/** The sentence for a failed parse: field, type, expectation; never the value. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { describeIssues, typeName } from '../src/index.js';

const Schema = z.strictObject({
  name: z.string().max(3),
  count: z.int().positive(),
  kind: z.enum(['a', 'b']),
  when: z.iso.datetime(),
  nested: z.object({ list: z.array(z.boolean()) }),
});

function sentence(input: unknown, schema: z.ZodType = Schema, root?: string): string {
  const parsed = schema.safeParse(input);
  if (parsed.success) throw new Error('expected a refusal');
  return root === undefined ? describeIssues(parsed.error, input) : describeIssues(parsed.error, input, root);
}

describe('typeName', () => {
  it.each([
    [null, 'null'],
    [undefined, 'nothing'],
    [[], 'array'],
    [{}, 'object'],
    ['', 'string'],
    [0, 'integer'],
    [-3, 'integer'],
    [2 ** 60, 'integer'],
    [1.5, 'number'],
    [Number.NaN, 'number'],
    [Number.POSITIVE_INFINITY, 'number'],
    [true, 'boolean'],
    [10n, 'bigint'],
  ])('%s is %s', (value, name) => {
    expect(typeName(value)).toBe(name);
  });
});

describe('describeIssues', () => {
  it('names the path into nested values and the type found there', () => {
    const input = { name: 'abc', count: 1, kind: 'a', when: '2026-11-22T10:00:00Z', nested: { list: [true, 'x'] } };
    expect(sentence(input)).toBe('nested.list.1: Invalid input: expected boolean, received string (got string)');
  });

  it('names the root when the whole value is wrong', () => {
    expect(sentence(5)).toMatch(/^value: .*\(got integer\)$/);
    expect(sentence(5, Schema, 'arguments')).toMatch(/^arguments: .*\(got integer\)$/);
  });

  it('lists at most three issues and counts the rest', () => {
    const text = sentence({});
    expect(text.split('; ')).toHaveLength(4);
    expect(text).toMatch(/; and 2 more$/);
  });

  it('names a missing parent as nothing instead of failing', () => {
    const Deep = z.object({ a: z.object({ b: z.string() }).optional() }).superRefine((_v, ctx) => {
      ctx.addIssue({ code: 'custom', message: 'bad', path: ['a', 'b', 'c'] });
    });
    expect(sentence({}, Deep)).toBe('a.b.c: bad (got nothing)');
    expect(sentence({ a: { b: 'text' } }, Deep)).toBe('a.b.c: bad (got nothing)');
  });

  it('says which types a union takes', () => {
    const Union = z.object({ a: z.union([z.string(), z.number(), z.string().min(2)]) });
    expect(sentence({ a: null }, Union)).toBe('a: Invalid input: expected string or number (got null)');
  });

  it('stays short when the field names are huge', () => {
    const name = 'k'.repeat(100_000);
    expect(sentence({ [name]: 'x' }, z.record(z.string(), z.number())).length).toBeLessThan(500);
    expect(sentence({ [name]: 'x' }, z.strictObject({})).length).toBeLessThan(500);
  });

  it('never repeats a value that came', () => {
    const secret = fc.stringMatching(/^[a-z0-9]{12,20}$/).map((s) => `s3cr3t${s}`);
    const wrong = secret.chain((s) =>
      fc.record({
        name: fc.constant(s),
        count: fc.constantFrom<unknown>(s, { [s]: 1 }, [s]),
        kind: fc.constant(s),
        when: fc.constant(s),
        nested: fc.constantFrom<unknown>(s, { list: [s] }, { list: s }),
      }),
    );
    fc.assert(
      fc.property(wrong, (input) => {
        expect(sentence(input)).not.toContain('s3cr3t');
      }),
    );
  });
});
