import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { acceptsEventStream, decodeHeaderValue, standardHeaders } from '../src/http/mcp-headers.js';

const encode = (text: string): string => `=?base64?${Buffer.from(text, 'utf8').toString('base64')}?=`;

describe('the standard headers', () => {
  test('are read by name, and absent when they are', () => {
    expect(
      standardHeaders({ 'mcp-protocol-version': '2026-07-28', 'mcp-method': 'm', 'mcp-name': 'n', other: 'x' }),
    ).toEqual({
      protocolVersionHeader: '2026-07-28',
      mcpMethodHeader: 'm',
      mcpNameHeader: 'n',
    });
    expect(standardHeaders({})).toEqual({});
    expect(standardHeaders({ 'mcp-name': '' })).toEqual({ mcpNameHeader: '' });
  });
});

describe('a header value', () => {
  test('that is plain stands for itself, without the spaces around it', () => {
    expect(decodeHeaderValue('d0-abc')).toBe('d0-abc');
    expect(decodeHeaderValue(' \td0-abc \t')).toBe('d0-abc');
    expect(decodeHeaderValue('')).toBe('');
  });

  test('behind the sentinel is decoded, whatever it is', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        expect(decodeHeaderValue(encode(text))).toBe(text);
      }),
    );
    expect(decodeHeaderValue(encode('=?base64?literal?='))).toBe('=?base64?literal?=');
    expect(decodeHeaderValue(encode(' padded '))).toBe(' padded ');
  });

  test.each([
    ['not of the alphabet', '=?base64?$$$?='],
    ['of the other alphabet', '=?base64?_-8=?='],
    ['without its padding', '=?base64?YQ?='],
    ['with a space', '=?base64?YW Jj?='],
    ['not UTF-8', '=?base64?/w==?='],
    ['half a character', `=?base64?${Buffer.from([0xc3]).toString('base64')}?=`],
  ])('within the sentinel %s is invalid', (_what, header) => {
    expect(decodeHeaderValue(header)).toBeUndefined();
  });
});

describe('an event stream is accepted', () => {
  test.each([
    [undefined, true],
    ['text/event-stream', true],
    ['application/json, text/event-stream', true],
    ['APPLICATION/JSON,TEXT/EVENT-STREAM;q=0.1', true],
    ['text/*', true],
    ['*/*;q=0.1', true],
    ['application/json', false],
    ['text/html, application/*', false],
    ['', false],
    ['text/event-streams', false],
  ])('under %j: %s', (accept, accepted) => {
    expect(acceptsEventStream(accept)).toBe(accepted);
  });
});
