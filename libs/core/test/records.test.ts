/** The stored records, spec and tool definition: what is accepted, what is refused, pinned versions. */
import { describe, expect, it } from 'vitest';
import { SPEC_VERSION, TaskSpec, TOOL_DEFINITION_VERSION, ToolDefinition } from '../src/index.js';

const spec = {
  v: 1,
  taskId: 'd0-V1StGXR8_Z5jdHi6B-myTg',
  tool: 'audit_repository',
  arguments: { path: '.' },
  owner: 'anonymous',
  createdAt: '2026-11-22T10:00:00.000Z',
  ttlMs: 60_000,
  pollIntervalMs: 1_000,
  queue: 'default',
  priority: 5,
  fairnessKey: 'anonymous',
  attemptsMax: 3,
  clientCapabilities: {},
};

const tool = {
  v: 1,
  name: 'audit_repository',
  description: 'Walks a git work tree',
  inputSchema: { type: 'object', properties: { path: { type: 'string' } } },
  taskSupport: 'required',
  queue: 'default',
  ttlMs: 60_000,
  pollIntervalMs: 1_000,
  attemptsMax: 3,
};

describe('TaskSpec', () => {
  it('pins the version', () => {
    expect(SPEC_VERSION).toBe(1);
  });

  it('keeps a spec as it is, members of later versions included', () => {
    for (const good of [
      spec,
      { ...spec, ttlMs: null, traceparent: '00-x', requestDigest: 'abc', later: { a: 1 } },
      { ...spec, priority: 0 },
      { ...spec, priority: 9 },
    ]) {
      expect(TaskSpec.parse(JSON.parse(JSON.stringify(good)))).toEqual(good);
    }
  });

  it.each(Object.keys(spec))('refuses a spec without %s', (member) => {
    expect(TaskSpec.safeParse({ ...spec, [member]: undefined }).success).toBe(false);
  });

  it.each([
    { v: 2 },
    { v: '1' },
    { tool: '' },
    { arguments: [] },
    { arguments: null },
    { owner: '' },
    { createdAt: 'yesterday' },
    { createdAt: 1_700_000_000_000 },
    { createdAt: '2026-11-22T10:00:00+02:00' },
    { ttlMs: 0 },
    { ttlMs: -1 },
    { ttlMs: 1.5 },
    { ttlMs: '60000' },
    { pollIntervalMs: 0 },
    { priority: -1 },
    { priority: 10 },
    { priority: 0.5 },
    { attemptsMax: 0 },
    { clientCapabilities: null },
  ])('refuses %j', (change) => {
    expect(TaskSpec.safeParse({ ...spec, ...change }).success).toBe(false);
  });
});

describe('ToolDefinition', () => {
  it('pins the version', () => {
    expect(TOOL_DEFINITION_VERSION).toBe(1);
  });

  it('keeps a definition as it is, JSON Schema keywords included', () => {
    for (const good of [
      tool,
      { ...tool, ttlMs: null, title: 'Audit', outputSchema: { type: 'object', required: ['a'] }, later: 1 },
      { ...tool, taskSupport: 'optional' },
      { ...tool, taskSupport: 'forbidden' },
      { ...tool, name: 'a'.repeat(64), queue: 'q'.repeat(32) },
      { ...tool, name: 'A.b-c_9', queue: 'A_b-9' },
    ]) {
      expect(ToolDefinition.parse(JSON.parse(JSON.stringify(good)))).toEqual(good);
    }
  });

  it.each(Object.keys(tool))('refuses a definition without %s', (member) => {
    expect(ToolDefinition.safeParse({ ...tool, [member]: undefined }).success).toBe(false);
  });

  it.each([
    { v: 2 },
    { name: '' },
    { name: 'a'.repeat(65) },
    { name: 'has space' },
    { name: 'slash/y' },
    { name: 'star*' },
    { name: 'é' },
    { inputSchema: { type: 'string' } },
    { inputSchema: true },
    { outputSchema: { type: 'array' } },
    { taskSupport: 'maybe' },
    { queue: '' },
    { queue: 'q'.repeat(33) },
    { queue: 'a.b' },
    { queue: 'a>' },
    { queue: 'a*' },
    { ttlMs: 0 },
    { pollIntervalMs: -5 },
    { attemptsMax: 1.5 },
  ])('refuses %j', (change) => {
    expect(ToolDefinition.safeParse({ ...tool, ...change }).success).toBe(false);
  });
});
