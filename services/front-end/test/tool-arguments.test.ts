import type { ToolDefinition } from '@taskstream/core';
import { describe, expect, test } from 'vitest';
import { ToolArguments } from '../src/tool-arguments.js';

function tool(inputSchema: Record<string, unknown>): ToolDefinition {
  return {
    v: 1,
    name: 'a_tool',
    description: '',
    inputSchema: { type: 'object', ...inputSchema },
    taskSupport: 'optional',
    queue: 'default',
    ttlMs: null,
    pollIntervalMs: 1_000,
    attemptsMax: 1,
  };
}

const SCHEMA = {
  properties: {
    n: { type: 'integer', minimum: 0 },
    when: { type: 'string', format: 'date-time' },
    kind: { enum: ['one', 'two'] },
    deep: { type: 'object', properties: { list: { type: 'array', items: { type: 'string' } } }, required: ['list'] },
  },
  required: ['n'],
  additionalProperties: false,
};

describe('arguments', () => {
  const args = new ToolArguments();
  const strict = tool(SCHEMA);

  test('that fit have no problem', () => {
    for (const value of [{ n: 0 }, { n: 1, when: '2026-07-28T00:00:00Z', kind: 'two', deep: { list: ['x'] } }]) {
      expect(args.problem(strict, value)).toBeUndefined();
    }
  });

  test.each([
    [{}, 'n: required, got nothing'],
    [{ n: 'many' }, 'n: must be integer (got string)'],
    [{ n: 1.5 }, 'n: must be integer (got number)'],
    [{ n: -1 }, 'n: must be >= 0 (got integer)'],
    [{ n: null }, 'n: must be integer (got null)'],
    [{ n: 1, when: 'soon' }, 'when: must match format "date-time" (got string)'],
    [{ n: 1, kind: 'three' }, 'kind: must be equal to one of the allowed values (got string)'],
    [{ n: 1, deep: {} }, 'deep.list: required, got nothing'],
    [{ n: 1, deep: { list: ['x', 7] } }, 'deep.list.1: must be string (got integer)'],
    [{ n: 1, more: true }, 'arguments: unknown field "more"'],
    [[], 'arguments: must be object (got array)'],
    ['text', 'arguments: must be object (got string)'],
  ])('%j are named: %s', (value, problem) => {
    expect(args.problem(strict, value)).toBe(`Invalid arguments for a_tool: ${problem}`);
  });

  test('a problem never repeats the value, and names three fields at most', () => {
    const wide = tool({
      properties: Object.fromEntries(Array.from({ length: 10 }, (_, i) => [`f${i}`, { type: 'integer' }])),
    });
    const secrets = Object.fromEntries(Array.from({ length: 10 }, (_, i) => [`f${i}`, `s3cret-${i}`]));
    const problem = args.problem(wide, secrets);
    expect(problem).not.toContain('s3cret');
    expect(problem?.split(';')).toHaveLength(3);
  });

  test('defaults of the schema are not written into the arguments: the worker fills them in', () => {
    const value = {};
    expect(args.problem(tool({ properties: { n: { type: 'integer', default: 7 } } }), value)).toBeUndefined();
    expect(value).toEqual({});
  });

  test('a tool that changes is compiled anew, a tool that stays is not', () => {
    const before = tool({ properties: { n: { type: 'integer' } } });
    const after = tool({ properties: { n: { type: 'string' } } });
    expect(args.problem(before, { n: 1 })).toBeUndefined();
    expect(args.problem(after, { n: 1 })).toContain('n: must be string');
    expect(args.problem(before, { n: 1 })).toBeUndefined();
  });

  test('two tools with the same $id do not get into each other', () => {
    const first = tool({ $id: 'https://example.com/schema', properties: { n: { type: 'integer' } } });
    const second = tool({ $id: 'https://example.com/schema', properties: { n: { type: 'string' } } });
    expect(args.problem(first, { n: 1 })).toBeUndefined();
    expect(args.problem(second, { n: 'one' })).toBeUndefined();
    expect(args.problem(second, { n: 1 })).toContain('n: must be string');
  });
});
