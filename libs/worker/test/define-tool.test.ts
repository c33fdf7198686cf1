/** Declaring a tool: checked when it is made, described without code, and strict about what goes in and comes out. */
import { ToolDefinition } from '@taskstream/core';
import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { defineTool, InvalidArguments, InvalidResult, type Task } from '../src/define-tool.js';
import type { ToolResult } from '../src/tool-result.js';

const base = {
  name: 'tool',
  description: 'A tool',
  inputSchema: z.object({ n: z.int().min(0).default(3) }),
  run: () => 'done',
};
const task = {} as Task;

describe('a declaration', () => {
  it('gives a definition with its defaults, that is one', () => {
    const { definition, timeoutMs, backoffMsBase, backoffMsMax } = defineTool(base);
    expect(ToolDefinition.parse(definition)).toEqual(definition);
    expect(definition).toMatchObject({
      v: 1,
      name: 'tool',
      description: 'A tool',
      taskSupport: 'optional',
      queue: 'default',
      ttlMs: 86_400_000,
      pollIntervalMs: 1_000,
      attemptsMax: 3,
    });
    expect({ timeoutMs, backoffMsBase, backoffMsMax }).toEqual({
      timeoutMs: undefined,
      backoffMsBase: 1_000,
      backoffMsMax: 60_000,
    });
  });

  it('gives everything that it names', () => {
    const tool = defineTool({
      ...base,
      title: 'Tool',
      outputSchema: z.object({ sum: z.number() }),
      taskSupport: 'required',
      queue: 'gpu',
      ttlMs: null,
      pollIntervalMs: 50,
      timeoutMs: 9,
      retry: { attemptsMax: 7, backoffMsBase: 0, backoffMsMax: 5 },
      run: () => ({ content: [], structuredContent: { sum: 1 } }),
    });
    expect(tool.definition).toMatchObject({
      title: 'Tool',
      taskSupport: 'required',
      queue: 'gpu',
      ttlMs: null,
      pollIntervalMs: 50,
      attemptsMax: 7,
      outputSchema: { type: 'object', properties: { sum: { type: 'number' } } },
    });
    expect(tool).toMatchObject({ timeoutMs: 9, backoffMsBase: 0, backoffMsMax: 5 });
  });

  it('describes its input as a client may send it: with a default, a field may be absent', () => {
    const { inputSchema } = defineTool(base).definition;
    expect(inputSchema).toMatchObject({ type: 'object', properties: { n: { type: 'integer', default: 3 } } });
    expect(inputSchema['required'] ?? []).toEqual([]);
  });

  it('holds no code', () => {
    const { definition } = defineTool(base);
    expect(JSON.parse(JSON.stringify(definition))).toEqual(definition);
  });

  const wrong: ReadonlyArray<readonly [string, object, RegExp]> = [
    ['name', { name: 'two words' }, /defineTool\(two words\): name: /],
    ['name of 65 characters', { name: 'x'.repeat(65) }, /name: /],
    ['description', { description: '' }, /description: /],
    ['queue', { queue: 'a.b' }, /queue: /],
    ['ttl', { ttlMs: 0 }, /ttlMs: /],
    ['poll interval', { pollIntervalMs: 1.5 }, /pollIntervalMs: /],
    ['timeout', { timeoutMs: -1 }, /timeoutMs: /],
    ['task support', { taskSupport: 'sometimes' }, /taskSupport: /],
    ['number of attempts', { retry: { attemptsMax: 0 } }, /retry\.attemptsMax: /],
    ['backoff', { retry: { backoffMsBase: -1 } }, /retry\.backoffMsBase: /],
  ];
  it.each(wrong)('of a bad %s is refused when it is made, by the name of the field', (_what, change, message) => {
    expect(() => defineTool({ ...base, ...change })).toThrow(TypeError);
    expect(() => defineTool({ ...base, ...change })).toThrow(message);
  });
});

describe('a call', () => {
  it('gives the tool what its schema makes of the arguments', async () => {
    let got: unknown;
    const tool = defineTool({
      ...base,
      run: (input) => {
        got = input;
        return 'done';
      },
    });
    await tool.invoke({}, task);
    expect(got).toEqual({ n: 3 });
  });

  it.each([
    ['a string for a number', { n: 'x' }, /arguments for tool: n: .*got string/],
    ['a fraction for an integer', { n: 1.5 }, /n: /],
    ['too little', { n: -1 }, /n: /],
    ['no object', 'x', /arguments: .*got string/],
  ])('with %s is refused by the name of the field, and the tool is not called', async (_what, args, message) => {
    let called = false;
    const tool = defineTool({ ...base, run: () => String((called = true)) });
    await expect(tool.invoke(args, task)).rejects.toThrow(InvalidArguments);
    await expect(tool.invoke(args, task)).rejects.toThrow(message);
    expect(called).toBe(false);
  });

  it('that answers with text gives a text block', async () => {
    expect(await defineTool(base).invoke({}, task)).toEqual({ content: [{ type: 'text', text: 'done' }] });
  });

  it('passes on blocks of any type, as they are', async () => {
    const content = [{ type: 'resource_link', uri: 'file:///x', extra: 1 }];
    const tool = defineTool({ ...base, run: () => ({ content, _meta: { a: 1 } }) as ToolResult });
    expect(await tool.invoke({}, task)).toEqual({ content, _meta: { a: 1 } });
  });

  const results: ReadonlyArray<readonly [string, unknown, RegExp]> = [
    ['nothing', undefined, /result: .*got nothing/],
    ['a number', 7, /result: /],
    ['no content', {}, /content: /],
    ['a block without a type', { content: [{ text: 'x' }] }, /content\.0\.type: /],
    ['structured content that is no object', { content: [], structuredContent: [1] }, /structuredContent: /],
  ];
  it.each(results)('that answers with %s is a fault of the tool', async (_what, result, message) => {
    const tool = defineTool({ ...base, run: () => result as ToolResult });
    await expect(tool.invoke({}, task)).rejects.toThrow(InvalidResult);
    await expect(tool.invoke({}, task)).rejects.toThrow(message);
  });

  it('is checked against the output schema, unless it is an error', async () => {
    const tool = (result: ToolResult) =>
      defineTool({ ...base, outputSchema: z.object({ sum: z.number() }), run: () => result }).invoke({}, task);
    const good = { content: [], structuredContent: { sum: 1 } };
    expect(await tool(good)).toEqual(good);
    await expect(tool({ content: [], structuredContent: { sum: 'x' } })).rejects.toThrow(/sum: /);
    await expect(tool({ content: [] })).rejects.toThrow(/structuredContent: /);
    expect(await tool({ content: [], isError: true })).toEqual({ content: [], isError: true });
  });
});
