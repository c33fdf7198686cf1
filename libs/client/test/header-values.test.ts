import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeHeaderValue, mirroredParams, paramHeaders } from '../src/header-values.js';
import { parseRetryAfter } from '../src/transport.js';

describe('header values', () => {
  // The examples of the specification.
  it.each([
    ['us-west1', 'us-west1'],
    ['Hello, 世界', '=?base64?SGVsbG8sIOS4lueVjA==?='],
    [' padded ', '=?base64?IHBhZGRlZCA=?='],
    ['line1\nline2', '=?base64?bGluZTEKbGluZTI=?='],
    ['=?base64?literal?=', '=?base64?PT9iYXNlNjQ/bGl0ZXJhbD89?='],
    ['two words', 'two words'],
    ['', ''],
  ])('%j → %j', (value, header) => {
    expect(encodeHeaderValue(value)).toBe(header);
  });

  it('can always be carried and decoded', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (value) => {
        const header = encodeHeaderValue(value);
        const encoded = /^=\?base64\?(.*)\?=$/.exec(header);
        const decoded = encoded?.[1] === undefined ? header : Buffer.from(encoded[1], 'base64').toString('utf8');
        expect(decoded).toBe(value);
        expect(new Headers({ x: header }).get('x')).toBe(header);
      }),
    );
  });
});

describe('mirrored parameters', () => {
  const schema = (properties: unknown, more: Record<string, unknown> = {}): Record<string, unknown> => ({
    type: 'object',
    properties,
    ...more,
  });
  const region = { type: 'string', 'x-mcp-header': 'Region' };

  it('finds annotations along properties only', () => {
    const found = mirroredParams(
      schema({
        region,
        inner: schema({ count: { type: ['integer', 'null'], 'x-mcp-header': 'Count' } }),
        // A property may have any name.
        'x-mcp-header': { type: 'boolean', 'x-mcp-header': 'Flag', default: { 'x-mcp-header': 'data' } },
      }),
    );
    expect(found).toEqual({
      ok: true,
      params: [
        { path: ['region'], header: 'mcp-param-region' },
        { path: ['inner', 'count'], header: 'mcp-param-count' },
        { path: ['x-mcp-header'], header: 'mcp-param-flag' },
      ],
    });
  });

  it.each([
    ['empty', schema({ a: { ...region, 'x-mcp-header': '' } })],
    ['not a token', schema({ a: { ...region, 'x-mcp-header': 'a b' } })],
    ['with a line break', schema({ a: { ...region, 'x-mcp-header': 'a\r\nb' } })],
    ['not a string', schema({ a: { ...region, 'x-mcp-header': 1 } })],
    ['twice', schema({ a: region, b: { ...region, 'x-mcp-header': 'REGION' } })],
    ['on a number', schema({ a: { ...region, type: 'number' } })],
    ['on an object', schema({ a: { ...region, type: 'object' } })],
    ['on the root', { ...schema({}), 'x-mcp-header': 'A' }],
    ['under items', schema({ a: { type: 'array', items: region } })],
    ['under anyOf', schema({ a: { anyOf: [region] } })],
    ['under a nested anyOf', schema({}, { anyOf: [schema({ region })] })],
    ['under $defs', schema({}, { $defs: { region } })],
    ['too deep', Array.from({ length: 80 }).reduce<unknown>((inner) => schema({ a: inner }), region)],
  ])('refuses an annotation %s', (_name, inputSchema) => {
    expect(mirroredParams(inputSchema as Record<string, unknown>)).toMatchObject({ ok: false });
  });

  it('leaves out what has no value or no plain one', () => {
    const params = ['a', 'b', 'c', 'd', 'e'].map((name) => ({ path: [name], header: `mcp-param-${name}` }));
    const headers = paramHeaders(params, { a: 'x', b: null, c: 7, d: false, e: { f: 1 } });
    expect(headers).toEqual({ 'mcp-param-a': 'x', 'mcp-param-c': '7', 'mcp-param-d': 'false' });
    expect(paramHeaders([{ path: ['toString'], header: 'mcp-param-x' }], {})).toEqual({});
  });
});

describe('Retry-After', () => {
  it.each([
    [null, undefined],
    ['7', 7_000],
    ['Thu, 01 Jan 1970 00:00:10 GMT', 9_000],
    ['Thu, 01 Jan 1970 00:00:00 GMT', 0],
    ['soon', undefined],
  ])('%j → %j', (value, ms) => {
    expect(parseRetryAfter(value, 1_000)).toBe(ms);
  });
});
