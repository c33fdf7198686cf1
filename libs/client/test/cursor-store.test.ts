import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { IDBFactory } from 'fake-indexeddb';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { localStorageCursorStore, memoryCursorStore, type CursorStore } from '../src/cursor-store.js';
import { indexedDbCursorStore } from '../src/indexed-db.js';
import { FileCursorStore } from '../src/node.js';

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cursor-'));
});
afterEach(() => rm(folder, { recursive: true }));

function fakeStorage(): Pick<Storage, 'getItem' | 'setItem'> & { readonly values: Map<string, string> } {
  const values = new Map<string, string>();
  return { values, getItem: (key) => values.get(key) ?? null, setItem: (key, value) => void values.set(key, value) };
}

const STORES: readonly [string, () => CursorStore][] = [
  ['memory', () => memoryCursorStore()],
  ['local storage', () => localStorageCursorStore({ storage: fakeStorage() })],
  ['IndexedDB', () => indexedDbCursorStore({ factory: new IDBFactory() })],
  ['file', () => new FileCursorStore(join(folder, 'new', 'cursors.json'))],
  ['file, synced', () => new FileCursorStore(join(folder, 'cursors.json'), { sync: true })],
];

describe.each(STORES)('the %s store', (_name, create) => {
  it('keeps one cursor a task', async () => {
    const store = create();
    expect(await store.load('a')).toBeUndefined();
    await store.save('a', 0);
    await store.save('b', 7);
    await store.save('a', 2);
    expect([await store.load('a'), await store.load('b'), await store.load('c')]).toEqual([2, 7, undefined]);
  });
});

describe('the file store', () => {
  const path = (): string => join(folder, 'cursors.json');

  it('is read by the next process', async () => {
    await new FileCursorStore(path()).save('a', 5);
    expect(await new FileCursorStore(path()).load('a')).toBe(5);
    expect(JSON.parse(await readFile(path(), 'utf8'))).toEqual({ version: 1, cursors: { a: 5 } });
  });

  it('does not take the place of what is no file', async () => {
    const socket = createServer().listen(path());
    await once(socket, 'listening');
    try {
      await expect(new FileCursorStore(path()).save('a', 1)).rejects.toThrow('expected a regular file');
      expect((await stat(path())).isSocket()).toBe(true);
      expect(await readdir(folder)).toEqual(['cursors.json']);
    } finally {
      socket.close();
    }
  });

  it('is a whole file at every moment, and leaves nothing beside it', async () => {
    const store = new FileCursorStore(path());
    await store.save('a', 0);
    const saves = Array.from({ length: 50 }, (_value, seq) => store.save('a', seq));
    const seen: number[] = [];
    const done = Promise.all(saves).then(() => true);
    while (!(await Promise.race([done, Promise.resolve(false)]))) {
      const file = JSON.parse(await readFile(path(), 'utf8')) as { cursors: { a: number } };
      seen.push(file.cursors.a);
    }
    expect(seen).toEqual(seen.toSorted((x, y) => x - y));
    expect(await store.load('a')).toBe(49);
    expect(await readdir(folder)).toEqual(['cursors.json']);
  });

  it('forgets what was saved longest ago', async () => {
    const store = new FileCursorStore(path(), { tasksMax: 2 });
    for (const taskId of ['a', 'b', 'a', 'c']) await store.save(taskId, 1);
    expect([await store.load('a'), await store.load('b'), await store.load('c')]).toEqual([1, undefined, 1]);
  });

  it.each([
    ['', 'is not a cursor file: expected JSON'],
    ['{"version":2,"cursors":{}}', 'is not a cursor file'],
    ['{"version":1,"cursors":{"a":-1}}', 'is not a cursor file'],
  ])('refuses %j and leaves it alone', async (content, problem) => {
    await writeFile(path(), content);
    const store = new FileCursorStore(path());
    await expect(store.load('a')).rejects.toThrow(problem);
    await expect(store.save('a', 1)).rejects.toThrow(path());
    expect(await readFile(path(), 'utf8')).toBe(content);
  });
});

it('the IndexedDB store is shared with other pages, and reports a database that does not open', async () => {
  const factory = new IDBFactory();
  await indexedDbCursorStore({ factory, name: 'app' }).save('a', 5);
  expect(await indexedDbCursorStore({ factory, name: 'app' }).load('a')).toBe(5);
  expect(await indexedDbCursorStore({ factory, name: 'other' }).load('a')).toBeUndefined();
  await new Promise((resolve) => factory.open('newer', 2).addEventListener('success', resolve));
  await expect(indexedDbCursorStore({ factory, name: 'newer' }).load('a')).rejects.toThrow('version');
});

it('the IndexedDB store opens its database again when another page had it closed', async () => {
  const factory = new IDBFactory();
  const store = indexedDbCursorStore({ factory, name: 'app' });
  await store.save('a', 5);
  await new Promise((resolve) => factory.deleteDatabase('app').addEventListener('success', resolve));
  expect(await store.load('a')).toBeUndefined();
  await store.save('a', 6);
  expect(await store.load('a')).toBe(6);
});

it('the local storage store gives what is no number to the check of the caller', () => {
  const storage = fakeStorage();
  storage.values.set('taskstream.cursor.a', 'x');
  storage.values.set('taskstream.cursor.b', ' ');
  const store = localStorageCursorStore({ storage });
  expect([store.load('a'), store.load('b')]).toEqual([Number.NaN, Number.NaN]);
});
