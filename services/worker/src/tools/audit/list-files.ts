/**
 * Which files an audit looks at, and in which order.
 *
 * Invariants: paths are bytes relative to the directory, `/` between segments, sorted by byte, each once; the list
 * is at most `filesMax` long and says whether there was more.
 */
import { listWithGit, type NoGitReason } from './git-listing.js';
import type { ListedFile } from './listed-file.js';
import type { AuditDirectory } from './roots.js';
import { walk } from './walk.js';

export interface Listing {
  readonly files: ReadonlyArray<ListedFile>;
  readonly truncated: boolean;
  readonly method: 'git' | 'walk';
  /** Why git did not list. */
  readonly reason?: NoGitReason;
}

export interface ListOptions {
  readonly filesMax: number;
  readonly gitSearchPath: string;
  readonly gitTimeoutMs: number;
  readonly listBytesMax: number;
  readonly signal: AbortSignal;
}

export async function listFiles(at: AuditDirectory, o: ListOptions): Promise<Listing> {
  const listed = await listWithGit(at, {
    searchPath: o.gitSearchPath,
    timeoutMs: o.gitTimeoutMs,
    listBytesMax: o.listBytesMax,
    signal: o.signal,
  });
  if (!listed.ok) {
    const walked = await walk(at.directory, o.filesMax, o.signal);
    return { ...walked, method: 'walk', reason: listed.reason };
  }
  const paths = sortedOnce(listed.paths);
  return {
    files: paths.slice(0, o.filesMax).map(toListed),
    truncated: paths.length > o.filesMax,
    method: 'git',
  };
}

/** In byte order; git names a path in conflict once a stage. */
function sortedOnce(paths: ReadonlyArray<Buffer>): Buffer[] {
  const sorted = paths.toSorted((a, b) => Buffer.compare(a, b));
  return sorted.filter((path, i, all) => i === 0 || !path.equals(all[i - 1] as Buffer));
}

/** Git gives an untracked repository inside the tree as a directory. */
function toListed(path: Buffer): ListedFile {
  return path.at(-1) === 0x2f ? { path: path.subarray(0, -1), skip: 'nested-repository' } : { path };
}
