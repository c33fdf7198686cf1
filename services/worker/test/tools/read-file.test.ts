import { execFileSync } from 'node:child_process';
import { chmodSync, linkSync, mkdirSync, renameSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import type { ListedFile } from '../../src/tools/audit/listed-file.js';
import { auditFile, type FileOutcome } from '../../src/tools/audit/read-file.js';
import { tempDirectory, write } from './support/tree.js';

let base = '';
let root = '';
beforeEach(() => {
  base = tempDirectory();
  root = join(base, 'root');
  mkdirSync(root);
});

const LIVE = new AbortController().signal;
function audit(path: string | Buffer, bytesMax = 100_000, more: Partial<ListedFile> = {}): Promise<FileOutcome> {
  return auditFile(root, { path: Buffer.from(path), ...more }, bytesMax, LIVE);
}

describe('a file is scanned', () => {
  it('whole, also over several chunks', async () => {
    write(root, { 'a.ts': `${'x'.repeat(99)}\n`.repeat(699) + '// TODO the end'.padEnd(99) + '\n', empty: '' });
    expect(await audit('a.ts')).toMatchObject({
      status: 'scanned',
      path: 'a.ts',
      bytes: 70_000,
      analysis: { lines: 700, todos: { first: [{ line: 700, text: 'TODO the end' }] } },
    });
    expect(await audit('empty')).toMatchObject({
      status: 'scanned',
      bytes: 0,
      analysis: { lines: 0, longestLine: null },
    });
  });

  it('up to its bound, and noted beyond it', async () => {
    write(root, { 'a.txt': 'x'.repeat(1_000) });
    expect(await audit('a.txt', 1_000)).toMatchObject({ status: 'scanned' });
    expect(await audit('a.txt', 999)).toEqual({
      status: 'skipped',
      path: 'a.txt',
      reason: 'too-large',
      bytes: 1_000,
      language: 'Text',
    });
  });

  it('of 10 MB in a single line', async () => {
    write(root, { 'a.json': Buffer.alloc(10_000_000, 'ab ') });
    expect(await audit('a.json', 1_048_576)).toMatchObject({ reason: 'too-large', bytes: 10_000_000 });
    expect(await audit('a.json', 16_000_000)).toMatchObject({
      status: 'scanned',
      analysis: { lines: 1, longestLine: { line: 1, length: 10_000_000 }, linesClipped: 1 },
    });
  });

  it('whatever its name is', async () => {
    for (const name of ['a\nb.ts', '🦀.rs', '"; rm -rf ~;"', '-x', ' ']) {
      write(root, { [name]: 'a\n' });
      expect(await audit(name), name).toMatchObject({ status: 'scanned', path: name, analysis: { lines: 1 } });
    }
    const raw = Buffer.from([0x66, 0xff, 0x2e, 0x63]);
    writeFileSync(Buffer.concat([Buffer.from(`${root}/`), raw]), 'int x;\n');
    expect(await audit(raw)).toMatchObject({
      status: 'scanned',
      path: 'f\uFFFD.c',
      analysis: { language: { name: 'C' } },
    });
  });

  it('when it is text in some encoding, and not when it is binary', async () => {
    write(root, {
      bin: Buffer.from([0x7f, 0x45, 0x4c, 0x46, 0, 1]),
      'latin.c': Buffer.from('// gr\u00fcn\n', 'latin1'),
    });
    expect(await audit('bin')).toEqual({
      status: 'skipped',
      path: 'bin',
      reason: 'binary',
      bytes: 6,
      language: 'Other',
    });
    expect(await audit('latin.c')).toMatchObject({ status: 'scanned', analysis: { encoding: 'unknown', lines: 1 } });
  });

  it('when it is a hard link', async () => {
    write(root, { a: 'x' });
    linkSync(join(root, 'a'), join(root, 'b'));
    expect(await audit('b')).toMatchObject({ status: 'scanned' });
  });
});

describe('a file is noted', () => {
  it('when the listing knows why', async () => {
    expect(await audit('x', 1, { skip: 'unreadable', detail: 'EACCES' })).toEqual({
      status: 'skipped',
      path: 'x',
      reason: 'unreadable',
      detail: 'EACCES',
      language: 'Other',
    });
  });

  it('when it is gone, or its directory became a file', async () => {
    write(root, { a: '' });
    expect(await audit('gone')).toMatchObject({ reason: 'missing', detail: 'ENOENT' });
    expect(await audit('a/b')).toMatchObject({ reason: 'missing', detail: 'ENOTDIR' });
  });

  it('when it may not be read', async () => {
    write(root, { 'locked.ts': 'x' });
    chmodSync(join(root, 'locked.ts'), 0o000);
    chmodSync(base, 0o755);
    // Root may read everything: it steps down for this one.
    const isRoot = process.geteuid?.() === 0;
    if (isRoot) process.seteuid?.(65_534);
    try {
      expect(await audit('locked.ts')).toEqual({
        status: 'skipped',
        path: 'locked.ts',
        reason: 'unreadable',
        detail: 'EACCES',
        language: 'TypeScript',
      });
    } finally {
      if (isRoot) process.seteuid?.(0);
    }
  });

  it('when its name is too long', async () => {
    expect(await audit('x'.repeat(300))).toMatchObject({ reason: 'unreadable', detail: 'ENAMETOOLONG' });
  });

  it('when it is a link, a loop, a directory, a pipe or a socket; none is waited for', async () => {
    symlinkSync('/etc/passwd', join(root, 'link'));
    symlinkSync('loop', join(root, 'loop'));
    mkdirSync(join(root, 'directory'));
    execFileSync('mkfifo', [join(root, 'pipe')]);
    const server = createServer().listen(join(root, 'socket'));
    onTestFinished(() => void server.close());
    await new Promise((resolve) => server.once('listening', resolve));
    const reasons = ['link', 'loop', 'directory', 'pipe', 'socket'].map(async (name) => {
      const outcome = await audit(name);
      return outcome.status === 'skipped' ? outcome.reason : outcome.status;
    });
    expect(await Promise.all(reasons)).toEqual(['symlink', 'symlink', 'nested-repository', 'special', 'special']);
  });

  it('when a directory on its way leads out', async () => {
    write(base, { 'outside/a.txt': 'private' });
    symlinkSync(join(base, 'outside'), join(root, 'sub'));
    expect(await audit('sub/a.txt')).toEqual({
      status: 'skipped',
      path: 'sub/a.txt',
      reason: 'outside',
      language: 'Text',
    });
    expect(await audit('../outside/a.txt')).toMatchObject({ reason: 'outside' });
  });
});

describe('a file that changes meanwhile', () => {
  it('that shrinks is scanned as far as it goes', async () => {
    write(root, { 'a.txt': 'line\n'.repeat(40_000) });
    let reads = 0;
    // The signal is asked before every chunk: a place to act in between.
    const meddling = {
      throwIfAborted: () => {
        reads += 1;
        if (reads === 2) truncateSync(join(root, 'a.txt'), 0);
      },
    } as AbortSignal;
    const outcome = await auditFile(root, { path: Buffer.from('a.txt') }, 1_000_000, meddling);
    expect(outcome).toMatchObject({ status: 'scanned', bytes: 200_000 });
    expect(outcome.status === 'scanned' && outcome.analysis.lines).toBe(Math.ceil(65_536 / 5));
  });

  it('that is replaced while it is read stays the one that was opened', async () => {
    write(root, { 'a.txt': 'old\n'.repeat(40_000), 'b.txt': 'x' });
    let reads = 0;
    const meddling = {
      throwIfAborted: () => {
        reads += 1;
        if (reads === 2) renameSync(join(root, 'b.txt'), join(root, 'a.txt'));
      },
    } as AbortSignal;
    const outcome = await auditFile(root, { path: Buffer.from('a.txt') }, 1_000_000, meddling);
    expect(outcome).toMatchObject({ status: 'scanned', analysis: { lines: 40_000 } });
  });
});

it('an abort ends the reading with its reason', async () => {
  write(root, { 'a.txt': 'x' });
  const reason = Object.assign(new Error('fenced'), { code: 'fenced' });
  await expect(auditFile(root, { path: Buffer.from('a.txt') }, 10, AbortSignal.abort(reason))).rejects.toBe(reason);
});
