/**
 * The files below a directory that git does not list: own walk.
 *
 * Invariants: gives paths in byte order of the whole path, the same order as a sorted list of git; never follows a
 * symbolic link; skips `.git` and `node_modules` and what the `.gitignore` files say; bounded in depth, in files, and
 * in entries of a directory; checks the signal before every directory.
 */
import { constants, type Dirent } from 'node:fs';
import { lstat, open, opendir } from 'node:fs/promises';
import { sep } from 'node:path';
import ignore, { type Ignore } from 'ignore';
import type { ListedFile } from './listed-file.js';
import { isErrno } from './roots.js';

export const WALK_DEPTH_MAX = 64;
/** More are not read: a directory is sorted in memory. */
export const DIRECTORY_ENTRIES_MAX = 200_000;
const SKIPPED_DIRECTORIES = new Set(['.git', 'node_modules']);
const IGNORE_FILE_BYTES_MAX = 262_144;
const IGNORE_PATTERNS_MAX = 1_000;
const IGNORE_PATTERN_CHARS_MAX = 500;
/** A pattern becomes a regular expression whose cost grows with every `*` in a segment. */
const IGNORE_STARS_MAX = 2;

export interface WalkResult {
  readonly files: ListedFile[];
  /** Whether there is more than was asked for. */
  readonly truncated: boolean;
}

interface Rules {
  /** The directory that the rules belong to, relative to the start, `''` or ending in `/`. */
  readonly base: string;
  readonly rules: Ignore;
}

/** @param directory resolved */
export async function walk(directory: string, filesMax: number, signal: AbortSignal): Promise<WalkResult> {
  const files: ListedFile[] = [];
  let truncated = false;
  const add = (file: ListedFile): void => {
    if (files.length < filesMax) files.push(file);
    else truncated = true;
  };

  const visit = async (prefix: Buffer, inherited: ReadonlyArray<Rules>, depth: number): Promise<void> => {
    signal.throwIfAborted();
    const absolute = Buffer.concat([Buffer.from(directory + sep), prefix]);
    const entries: Dirent<Buffer>[] = [];
    try {
      for await (const entry of await openDirectory(absolute)) {
        if (entries.length >= DIRECTORY_ENTRIES_MAX) {
          truncated = true;
          break;
        }
        entries.push(entry);
      }
    } catch (error) {
      if (!isErrno(error)) throw error;
      add({ path: prefix.length === 0 ? Buffer.from('.') : prefix, skip: 'unreadable', detail: error.code });
      return;
    }
    const base = prefix.toString('utf8');
    const own = await readRules(absolute);
    const rules = own === undefined ? inherited : [...inherited, { base, rules: own }];
    for (const entry of await sorted(absolute, entries)) {
      const path = Buffer.concat([prefix, entry.key]);
      const text = path.toString('utf8');
      if (entry.kind === 'directory') {
        const name = entry.key.subarray(0, -1).toString('utf8');
        if (SKIPPED_DIRECTORIES.has(name) || isIgnored(text, rules)) continue;
        if (depth < WALK_DEPTH_MAX) await visit(path, rules, depth + 1);
        else add({ path, skip: 'too-deep' });
      } else if (!isIgnored(text, rules) && entry.key.toString('utf8') !== '.git') {
        add(entry.kind === 'file' ? { path } : { path, skip: entry.kind });
      }
      if (truncated && files.length >= filesMax) return;
    }
  };
  await visit(Buffer.alloc(0), [], 0);
  return { files, truncated };
}

/** The types of Node leave out that names may come as bytes. */
async function openDirectory(path: Buffer): Promise<AsyncIterable<Dirent<Buffer>>> {
  const directory: unknown = await opendir(path, { encoding: 'buffer' as BufferEncoding, bufferSize: 256 });
  return directory as AsyncIterable<Dirent<Buffer>>;
}

interface Entry {
  /** The name; that of a directory ends in `/`, which gives the order of whole paths. */
  readonly key: Buffer;
  readonly kind: 'file' | 'directory' | 'symlink' | 'special';
}

async function sorted(directory: Buffer, entries: ReadonlyArray<Dirent<Buffer>>): Promise<Entry[]> {
  const all: Entry[] = [];
  for (const entry of entries) {
    const kind = kindOf(entry) ?? (await kindOnDisk(Buffer.concat([directory, entry.name])));
    if (kind === undefined) continue;
    all.push({ key: kind === 'directory' ? Buffer.concat([entry.name, Buffer.from('/')]) : entry.name, kind });
  }
  return all.toSorted((a, b) => Buffer.compare(a.key, b.key));
}

type Typed = Pick<
  Dirent,
  'isFile' | 'isDirectory' | 'isSymbolicLink' | 'isFIFO' | 'isSocket' | 'isBlockDevice' | 'isCharacterDevice'
>;

function kindOf(entry: Typed): Entry['kind'] | undefined {
  if (entry.isFile()) return 'file';
  if (entry.isDirectory()) return 'directory';
  if (entry.isSymbolicLink()) return 'symlink';
  return entry.isFIFO() || entry.isSocket() || entry.isBlockDevice() || entry.isCharacterDevice()
    ? 'special'
    : undefined;
}

/** For file systems whose directories do not tell types. Undefined when it has vanished. */
async function kindOnDisk(path: Buffer): Promise<Entry['kind'] | undefined> {
  try {
    return kindOf(await lstat(path)) ?? 'special';
  } catch (error) {
    if (isErrno(error)) return undefined;
    throw error;
  }
}

function isIgnored(path: string, rules: ReadonlyArray<Rules>): boolean {
  let ignored = false;
  for (const { base, rules: own } of rules) {
    const verdict = own.test(path.slice(base.length));
    if (verdict.ignored) ignored = true;
    else if (verdict.unignored) ignored = false;
  }
  return ignored;
}

/** The `.gitignore` of a directory; none when it is a link, too large, or cannot be read. */
async function readRules(directory: Buffer): Promise<Ignore | undefined> {
  const path = Buffer.concat([directory, Buffer.from('.gitignore')]);
  try {
    await using file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    const { size } = await file.stat();
    if (size > IGNORE_FILE_BYTES_MAX) return undefined;
    const bytes = Buffer.alloc(size);
    const { bytesRead } = await file.read(bytes, 0, size, 0);
    return rulesOf(bytes.toString('utf8', 0, bytesRead));
  } catch (error) {
    if (isErrno(error)) return undefined;
    throw error;
  }
}

/** The rules of a `.gitignore` text, without patterns that could take for ever. */
export function rulesOf(text: string): Ignore {
  const patterns = text.split('\n').map((line) => line.replace(/\r$/, ''));
  const cheap = patterns.filter(
    (p) =>
      p.length <= IGNORE_PATTERN_CHARS_MAX &&
      p.split('/').every((segment) => (segment.match(/\*+/g)?.length ?? 0) <= IGNORE_STARS_MAX),
  );
  return ignore().add(cheap.slice(0, IGNORE_PATTERNS_MAX));
}
