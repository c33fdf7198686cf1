import type { ToolDefinition } from '@taskstream/core';
import { describe, expect, test } from 'vitest';
import { paramHeaderProblem } from '../src/http/param-headers.js';

const TOOL: ToolDefinition = {
  v: 1,
  name: 'deploy',
  description: 'Puts it there',
  inputSchema: {
    type: 'object',
    properties: {
      region: { type: 'string', 'x-mcp-header': 'Region' },
      count: { type: 'integer', 'x-mcp-header': 'Count' },
      target: { type: 'object', properties: { dry: { type: 'boolean', 'x-mcp-header': 'Dry' } } },
      list: { type: 'array', items: { type: 'string', 'x-mcp-header': 'Item' } },
      any: { type: 'object', 'x-mcp-header': 'Any' },
      odd: { type: 'string', 'x-mcp-header': 'no token' },
      free: { type: 'string' },
    },
  },
  taskSupport: 'optional',
  queue: 'default',
  ttlMs: 60_000,
  pollIntervalMs: 1_000,
  attemptsMax: 1,
};

const problem = (args: unknown, headers: Record<string, string | string[]> = {}) =>
  paramHeaderProblem(TOOL, args, headers);

describe('an argument that the schema mirrors into a header', () => {
  test.each([
    ['a string', { region: 'eu' }, { 'mcp-param-region': 'eu' }],
    ['behind the sentinel', { region: 'süd' }, { 'mcp-param-region': '=?base64?c8O8ZA==?=' }],
    ['a number, however it is written', { count: 3 }, { 'mcp-param-count': '3.0' }],
    ['a nested boolean', { target: { dry: false } }, { 'mcp-param-dry': 'false' }],
    ['one that is sent twice with the same value', { region: 'eu' }, { 'mcp-param-region': ['eu', 'eu'] }],
  ])('may come in it: %s', (_what, args, headers) => {
    expect(problem(args, headers)).toBeUndefined();
  });

  test.each([
    ['without its header', { region: 'eu' }, {}, 'arguments.region needs its header Mcp-Param-Region'],
    ['with another value', { region: 'eu' }, { 'mcp-param-region': 'us' }, 'differs from arguments.region'],
    ['with another number', { count: 3 }, { 'mcp-param-count': '4' }, 'differs from arguments.count'],
    ['with nothing for a zero', { count: 0 }, { 'mcp-param-count': '' }, 'differs from arguments.count'],
    ['with broken base64', { region: 'eu' }, { 'mcp-param-region': '=?base64?$?=' }, 'is not valid base64'],
    [
      'nested, without its header',
      { target: { dry: true } },
      {},
      'arguments.target.dry needs its header Mcp-Param-Dry',
    ],
  ])('is refused %s', (_what, args, headers, message) => {
    expect(problem(args, headers)).toMatchObject({ code: -32020, message: expect.stringContaining(message) as string });
  });

  test('needs none when the call does not carry it, or only in a form that no header has', () => {
    expect(problem({})).toBeUndefined();
    expect(problem(undefined)).toBeUndefined();
    expect(problem({ region: null, target: null, count: {} })).toBeUndefined();
  });

  test('is one along properties alone, of a plain type, under a header that is a token', () => {
    expect(problem({ list: ['a'], any: { a: 1 }, odd: 'x', free: 'y' }, { 'mcp-param-free': 'z' })).toBeUndefined();
  });
});
