/**
 * Reads one file of the tree, at most `fileBytesMax` bytes, and analyses it while it is read.
 *
 * Invariants: opens no link, device, pipe or directory for reading; what was opened must lie below the directory,
 * checked on the open file, so that a link swapped in meanwhile leads nowhere; whatever goes wrong with one file is
 * an outcome, not an error.
 */
import { constants } from 'node:fs';
import { open, readlink, realpath, type FileHandle } from 'node:fs/promises';
import { sep } from 'node:path';
import { createAnalyser, type Analysis } from './analyse.js';
import { looksBinary } from './encoding.js';
import { languageOf } from './languages.js';
import type { ListedFile, SkipReason } from './listed-file.js';
import { isErrno, isInside } from './roots.js';

const CHUNK_BYTES = 65_536;
/** Never waits for a pipe's writer, never follows a link in the last place. */
const OPEN_FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

export interface ScannedFile {
  readonly status: 'scanned';
  readonly path: string;
  readonly bytes: number;
  readonly analysis: Analysis;
}

export interface SkippedFile {
  readonly status: 'skipped';
  readonly path: string;
  readonly reason: SkipReason;
  /** An error code such as `EACCES`. */
  readonly detail?: string;
  readonly bytes?: number;
  readonly language: string;
}

export type FileOutcome = ScannedFile | SkippedFile;

/** @param directory resolved. Bytes of a name that are not UTF-8 become U+FFFD in the outcome's path. */
export async function auditFile(
  directory: string,
  file: ListedFile,
  fileBytesMax: number,
  signal: AbortSignal,
): Promise<FileOutcome> {
  const path = file.path.toString('utf8');
  const skipped = (reason: SkipReason, more: { detail?: string; bytes?: number } = {}): SkippedFile => {
    return { status: 'skipped', path, reason, ...more, language: languageOf(path).name };
  };
  if (file.skip !== undefined) return skipped(file.skip, file.detail === undefined ? {} : { detail: file.detail });
  try {
    const absolute = Buffer.concat([Buffer.from(directory + sep), file.path]);
    await using handle = await open(absolute, OPEN_FLAGS);
    const stat = await handle.stat();
    if (stat.isDirectory()) return skipped('nested-repository');
    if (!stat.isFile()) return skipped('special');
    if (!(await liesInside(handle, absolute, directory))) return skipped('outside');
    if (stat.size > fileBytesMax) return skipped('too-large', { bytes: stat.size });
    const analysis = await scan(handle, path, stat.size, signal);
    if (analysis === undefined) return skipped('binary', { bytes: stat.size });
    return { status: 'scanned', path, bytes: stat.size, analysis };
  } catch (error) {
    signal.throwIfAborted();
    if (!isErrno(error)) throw error;
    return skipped(reasonOf(error.code), { detail: error.code });
  }
}

/** Undefined for a binary file. Reads what the file held when it was opened; what is added later is left out. */
async function scan(
  handle: FileHandle,
  path: string,
  size: number,
  signal: AbortSignal,
): Promise<Analysis | undefined> {
  const analyser = createAnalyser(path);
  const chunk = Buffer.allocUnsafe(Math.min(size, CHUNK_BYTES));
  for (let at = 0; at < size;) {
    signal.throwIfAborted();
    const { bytesRead } = await handle.read(chunk, 0, Math.min(chunk.length, size - at), at);
    if (bytesRead === 0) break;
    const read = chunk.subarray(0, bytesRead);
    if (at === 0 && looksBinary(read)) return undefined;
    analyser.push(read);
    at += bytesRead;
  }
  return analyser.end();
}

/** Linux tells where an open file is; elsewhere, or without `/proc`, the path is resolved once more. */
async function liesInside(handle: FileHandle, absolute: Buffer, directory: string): Promise<boolean> {
  const told = process.platform === 'linux' ? await placeOf(handle) : undefined;
  const place = told ?? (await realpath(absolute, 'buffer'));
  return isInside(directory, place.toString('utf8'));
}

async function placeOf(handle: FileHandle): Promise<Buffer | undefined> {
  try {
    return await readlink(`/proc/self/fd/${handle.fd}`, 'buffer');
  } catch (error) {
    if (isErrno(error)) return undefined;
    throw error;
  }
}

function reasonOf(code: string): SkipReason {
  switch (code) {
    case 'ENOENT':
    case 'ENOTDIR':
      return 'missing';
    case 'ELOOP':
    case 'EMLINK':
      return 'symlink';
    case 'ENXIO':
      return 'special';
    default:
      return 'unreadable';
  }
}
