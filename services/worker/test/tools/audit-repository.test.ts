import { chmodSync, mkdirSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { ToolDefinition } from '@taskstream/core';
import { isVendorEventType, SYSTEM_EVENT_PREFIX } from '@taskstream/protocol';
import { InvalidArguments, ToolError, type Tool, type ToolResult } from '@taskstream/worker';
import { beforeEach, describe, expect, it } from 'vitest';
import { FILE_EVENT, Summary } from '../../src/tools/audit/result.js';
import { createAuditRepository, exampleTools, type AuditOptions } from '../../src/tools/index.js';
import { fakeTask, type FakeTask } from './support/fake-task.js';
import { awsKeyId, githubToken } from './support/tokens.js';
import { repository, tempDirectory, write } from './support/tree.js';

let root = '';
beforeEach(() => {
  root = tempDirectory();
});

const tool = (options: Partial<AuditOptions> = {}): Tool => createAuditRepository({ roots: [root], ...options });
const paths = (task: FakeTask): unknown[] => task.events.map((e) => e.payload['path']);
const many = (n: number): Record<string, string> =>
  Object.fromEntries(Array.from({ length: n }, (_, i) => [`f${String(i).padStart(4, '0')}.ts`, `// TODO ${i}\n`]));

function summaryOf(result: ToolResult): Summary {
  return Summary.parse(result.structuredContent);
}

describe('audit_repository', () => {
  it('emits one event a file and ends with summary and report', async () => {
    repository(join(root, 'r'), {
      'README.md': '# r\n',
      'src/a.ts': `// SPDX-License-Identifier: MIT\n// TODO: one\nconst key = '${githubToken()}';\n`,
      'logo.png': Buffer.from([0x89, 0x50, 0, 0]),
    });
    const task = fakeTask();
    const result = await tool().invoke({ path: 'r' }, task);
    expect(task.events.map((e) => e.type)).toEqual([FILE_EVENT, FILE_EVENT, FILE_EVENT]);
    expect(paths(task)).toEqual(['README.md', 'logo.png', 'src/a.ts']);
    expect(task.events[2]?.payload).toMatchObject({
      status: 'scanned',
      language: 'TypeScript',
      lines: 3,
      todos: { count: 1, first: [{ line: 2, text: 'TODO: one' }] },
      secrets: { count: 1, first: [{ line: 3, kind: 'github-token' }] },
      licence: { id: 'MIT', source: 'tag' },
    });
    expect(task.statuses).toEqual(['Listing the files', 'Auditing 3 files', 'Writing the report']);
    expect(task.progresses.at(-1)).toEqual([3, 3]);
    const summary = summaryOf(result);
    expect(summary).toMatchObject({
      path: 'r',
      listing: { method: 'git' },
      files: { scanned: 2, skipped: 1 },
      lines: 4,
    });
    expect(result.isError).toBeUndefined();
    const [block] = result.content;
    expect(block?.type).toBe('text');
    expect(block?.['text']).toMatch(/^# Audit of `r`\n/);
    const everything = JSON.stringify([task.events, result]);
    expect(everything).not.toContain(githubToken().slice(8, 20));
    expect(everything).not.toContain(root);
  });

  it('gives the same events and the same result every time, however much is read ahead', async () => {
    repository(root, { ...many(120), big: 'x'.repeat(900_000), 'a/b': 'y' });
    const runs = await Promise.all(
      [1, 3, 50].map(async (filesAheadMax) => {
        const task = fakeTask();
        const result = await tool({ filesAheadMax }).invoke({ path: '.' }, task);
        return { events: task.events, result };
      }),
    );
    expect(runs[1]).toEqual(runs[0]);
    expect(runs[2]).toEqual(runs[0]);
    const order = runs[0]?.events.map((e) => Buffer.from(String(e.payload['path']))) ?? [];
    expect(order).toHaveLength(122);
    expect(order).toEqual(order.toSorted((a, b) => Buffer.compare(a, b)));
  });

  it('of an empty repository says that there is nothing', async () => {
    repository(join(root, 'r'), {});
    const task = fakeTask();
    const result = await tool().invoke({ path: 'r' }, task);
    expect(task.events).toEqual([]);
    expect(task.progresses).toEqual([]);
    expect(summaryOf(result)).toMatchObject({ files: { scanned: 0, skipped: 0, truncated: false }, languages: [] });
    expect(result.content[0]?.['text']).toContain('0 files scanned');
  });

  it('has at most so many events that are not durable', async () => {
    repository(root, many(100));
    let pending = 0;
    let most = 0;
    let release = (): void => {};
    const full = new Promise<void>((resolve) => {
      release = resolve;
    });
    const task = fakeTask({
      onEmit: async () => {
        pending += 1;
        most = Math.max(most, pending);
        // Nothing becomes durable before as many are waiting as may wait.
        if (pending === 16) release();
        await full;
        pending -= 1;
      },
    });
    await tool({ eventsPendingMax: 16 }).invoke({ path: '.' }, task);
    expect(task.events).toHaveLength(100);
    expect(most).toBe(16);
    expect(pending).toBe(0);
  });

  it('fails with what an emit failed with', async () => {
    repository(root, many(10));
    const task = fakeTask({
      onEmit: (_event, i) => {
        if (i === 3) throw new Error('emit failed');
      },
    });
    await expect(tool().invoke({ path: '.' }, task)).rejects.toThrow('emit failed');
  });

  it('reports progress at most once in its interval, and at the end', async () => {
    repository(root, many(20));
    let nowMs = 0;
    const task = fakeTask({ onEmit: () => void (nowMs += 100) });
    await tool({ nowMs: () => nowMs }).invoke({ path: '.' }, task);
    expect(task.progresses).toEqual([3, 6, 9, 12, 15, 18, 20].map((n) => [n, 20]));
  });

  it('waits between files when it is asked to, and reads one at a time then', async () => {
    repository(root, many(5));
    const waits: number[] = [];
    const task = fakeTask();
    const sleep = async (ms: number): Promise<void> => {
      waits.push(ms);
      // A file that was read ahead would not notice.
      if (waits.length === 1) rmSync(join(root, 'f0001.ts'));
    };
    await tool({ sleep }).invoke({ path: '.', pauseMs: 40 }, task);
    expect(waits).toEqual([40, 40, 40, 40]);
    expect(task.events[1]?.payload).toMatchObject({ path: 'f0001.ts', status: 'skipped', reason: 'missing' });
    await tool({ sleep }).invoke({ path: '.' }, fakeTask());
    expect(waits).toHaveLength(4);
  });

  it('looks at fewer files when it is asked to', async () => {
    repository(root, many(20));
    const task = fakeTask();
    const result = await tool().invoke({ path: '.', filesMax: 7 }, task);
    expect(task.events).toHaveLength(7);
    expect(summaryOf(result).files).toEqual({ scanned: 7, skipped: 0, truncated: true });
  });

  it('keeps its bounds on files and report', async () => {
    repository(root, { ...many(50), 'big.ts': 'x'.repeat(2_000) });
    const task = fakeTask();
    const result = await tool({ fileBytesMax: 1_000, reportBytesMax: 600 }).invoke({ path: '.' }, task);
    expect(task.events[0]?.payload).toMatchObject({
      path: 'big.ts',
      status: 'skipped',
      reason: 'too-large',
      bytes: 2_000,
    });
    expect(Buffer.byteLength(String(result.content[0]?.['text']))).toBeLessThanOrEqual(600);
  });
});

describe('a tree that changes or resists', () => {
  it('is audited as far as it goes: files vanish, one may not be read, links lead out and round', async () => {
    const tree = repository(join(root, 'r'), { ...many(60), 'locked/x.ts': 'x', 'odd\n🦀"\'.ts': '// TODO x\n' });
    symlinkSync('/etc/passwd', join(tree, 'passwd'));
    symlinkSync('..', join(tree, 'round'));
    mkdirSync(join(tree, 'submodule'));
    repository(join(tree, 'submodule'), { 'inner.ts': '' });
    chmodSync(root, 0o755);
    chmodSync(join(tree, 'locked/x.ts'), 0o000);
    const task = fakeTask({
      onEmit: (_event, i) => {
        // Beyond what is read ahead.
        if (i === 0) rmSync(join(tree, 'f0050.ts'));
      },
    });
    const isRoot = process.geteuid?.() === 0;
    let result: ToolResult;
    if (isRoot) process.seteuid?.(65_534);
    try {
      result = await tool().invoke({ path: 'r' }, fakeTask());
    } finally {
      if (isRoot) process.seteuid?.(0);
    }
    expect(summaryOf(result).skipped.byReason).toEqual({ symlink: 2, 'nested-repository': 1, unreadable: 1 });
    const second = await tool().invoke({ path: 'r' }, task);
    expect(summaryOf(second).skipped.byReason).toMatchObject({ symlink: 2, 'nested-repository': 1, missing: 1 });
    expect(paths(task)).toContain('odd\n🦀"\'.ts');
    expect(JSON.stringify(task.events)).not.toContain('root:');
    expect(task.events.find((e) => e.payload['path'] === 'f0050.ts')?.payload).toMatchObject({ reason: 'missing' });
  });

  it('without git is audited all the same, and says so', async () => {
    write(root, { 'plain/a.ts': 'x\n' });
    const result = await tool().invoke({ path: 'plain' }, fakeTask());
    expect(summaryOf(result)).toMatchObject({
      listing: { method: 'walk', reason: 'not a work tree' },
      files: { scanned: 1 },
    });
    repository(join(root, 'r'), { 'a.ts': 'x\n' });
    const noGit = await tool({ gitSearchPath: '/nothing' }).invoke({ path: 'r' }, fakeTask());
    expect(summaryOf(noGit).listing).toEqual({ method: 'walk', reason: 'git is not installed' });
  });
});

describe('an abort', () => {
  // The second one when every file is being read already.
  it.each([9, 196])(
    'ends the audit between files with its reason, and emits nothing more, at file %i',
    async (last) => {
      repository(root, many(200));
      const controller = new AbortController();
      const reason = new Error('cancelled');
      const task = fakeTask({
        signal: controller.signal,
        onEmit: (_event, i) => {
          if (i === last) controller.abort(reason);
        },
      });
      await expect(tool().invoke({ path: '.' }, task)).rejects.toBe(reason);
      expect(task.events).toHaveLength(last + 1);
      expect(task.statuses).not.toContain('Writing the report');
    },
  );

  it('ends a pause at once', async () => {
    repository(root, many(5));
    const controller = new AbortController();
    const reason = new Error('handed over');
    const task = fakeTask({
      signal: controller.signal,
      onEmit: () => void setImmediate(() => controller.abort(reason)),
    });
    await expect(tool().invoke({ path: '.', pauseMs: 1_000 }, task)).rejects.toBe(reason);
    expect(task.events).toHaveLength(1);
  });

  it('before the start reads nothing', async () => {
    repository(root, many(5));
    const reason = new Error('fenced');
    const task = fakeTask({ signal: AbortSignal.abort(reason) });
    await expect(tool().invoke({ path: '.' }, task)).rejects.toBe(reason);
    expect(task.events).toEqual([]);
  });
});

describe('bad input', () => {
  it.each([
    [{}, /path: .*\(got nothing\)/],
    [{ path: 7 }, /path: .*\(got integer\)/],
    [{ path: '' }, /path: expected a path \(got string\)/],
    [{ path: 'a\0b' }, /path: expected a path without a NUL character \(got string\)/],
    [{ path: 'x'.repeat(5_000) }, /path: .*\(got string\)/],
    [{ path: '.', pauseMs: -1 }, /pauseMs: .*\(got integer\)/],
    [{ path: '.', pauseMs: 1_001 }, /pauseMs: .*\(got integer\)/],
    [{ path: '.', pauseMs: 0.5 }, /pauseMs: .*\(got number\)/],
    [{ path: '.', pauseMs: '5' }, /pauseMs: .*\(got string\)/],
    [{ path: '.', filesMax: 0 }, /filesMax: .*\(got integer\)/],
    [{ path: '.', filesMax: 100_001 }, /filesMax: .*\(got integer\)/],
    [{ path: '.', depth: 1 }, /depth/],
    ['r', /arguments: .*\(got string\)/],
  ])('%j names the field', async (args, message) => {
    const error: unknown = await tool()
      .invoke(args, fakeTask())
      .catch((e: unknown) => e);
    expect(error).toBeInstanceOf(InvalidArguments);
    expect((error as Error).message).toMatch(message);
  });

  it('of a path is a ToolError, before anything is emitted', async () => {
    write(root, { 'file.ts': '' });
    symlinkSync('/etc', join(root, 'out'));
    for (const path of ['..', '/etc', 'out', 'out/ssl', 'file.ts', 'nothing']) {
      const task = fakeTask();
      const error: unknown = await tool()
        .invoke({ path }, task)
        .catch((e: unknown) => e);
      expect(error, path).toBeInstanceOf(ToolError);
      expect((error as Error).message).toMatch(/^path: expected a directory inside .* got .* \(string\)$/);
      expect(task.events).toEqual([]);
      expect(task.statuses).toEqual([]);
    }
  });
});

describe('the definition', () => {
  it('goes to the catalogue', () => {
    const [definition, ...more] = exampleTools({ auditRoots: ['/srv'] }).map((t) => t.definition);
    expect(more).toEqual([]);
    expect(ToolDefinition.parse(definition)).toMatchObject({ name: 'audit_repository', taskSupport: 'optional' });
    expect(definition?.inputSchema).toMatchObject({
      type: 'object',
      required: ['path'],
      additionalProperties: false,
      properties: { pauseMs: { type: 'integer', minimum: 0, maximum: 1_000, default: 0 } },
    });
    expect(JSON.stringify(definition)).not.toContain('/srv');
  });

  it('names an event type that a tool may emit', () => {
    expect(FILE_EVENT).toBe('org.taskstream-examples.audit.file');
    expect(isVendorEventType(FILE_EVENT)).toBe(true);
    expect(FILE_EVENT.startsWith(SYSTEM_EVENT_PREFIX)).toBe(false);
  });

  it('refuses roots that are not absolute', () => {
    expect(() => exampleTools({ auditRoots: ['relative'] })).toThrow('auditRoots[0]: expected an absolute path');
  });

  it('masks everywhere: no way out for a key', async () => {
    const key = awsKeyId(9);
    repository(root, {
      '.env': `AWS_KEY=${key}\n# TODO rotate ${key}\n`,
      LICENSE: `SPDX-License-Identifier: ${key}\n`,
    });
    const task = fakeTask();
    const result = await tool().invoke({ path: '.' }, task);
    expect(summaryOf(result).secrets.count).toBe(3);
    expect(JSON.stringify([task.events, result])).not.toContain(key.slice(4));
  });
});
