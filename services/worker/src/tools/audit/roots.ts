/**
 * Which directories may be read, and whether a caller's path is one of them.
 *
 * Invariants: a path counts only after every symbolic link in it is resolved; a refusal says nothing about what is
 * outside the roots, not even whether it exists; no message holds a path of the worker's machine.
 */
import { lstat, realpath, stat } from 'node:fs/promises';
import { dirname, isAbsolute, relative, resolve, sep } from 'node:path';
import { typeName } from '@taskstream/protocol';
import { ToolError } from '@taskstream/worker';

export interface AuditDirectory {
  /** The directory with all links resolved. */
  readonly directory: string;
  /** The configured root that holds it, with all links resolved. */
  readonly root: string;
  /** Every configured root that exists, with all links resolved. */
  readonly roots: ReadonlyArray<string>;
  /** The directory as the report names it: relative to its root, `.` for the root itself. */
  readonly name: string;
}

/** Whether `path` is `directory` or below it. Both absolute and resolved. */
export function isInside(directory: string, path: string): boolean {
  return path === directory || path.startsWith(directory.endsWith(sep) ? directory : directory + sep);
}

/** @throws TypeError naming the entry that is not an absolute path */
export function checkRoots(roots: ReadonlyArray<string>): void {
  roots.forEach((root, i) => {
    if (typeof root === 'string' && isAbsolute(root) && !root.includes('\0')) return;
    const came = typeof root === 'string' ? 'a relative path' : typeName(root);
    throw new TypeError(`auditRoots[${i}]: expected an absolute path, got ${came}`);
  });
}

/**
 * Finds the directory that a caller means.
 * @param path absolute, or relative to the first root
 * @throws ToolError when it leads outside the roots, does not exist, or is not a directory
 */
export async function resolveInRoots(roots: ReadonlyArray<string>, path: string): Promise<AuditDirectory> {
  const [first] = roots;
  if (first === undefined) throw new ToolError('path: this worker may read no directory; configure auditRoots');
  const real = await resolveRoots(roots);
  const candidate = resolve(first, path);
  const written = [...roots.map((root) => resolve(root)), ...real];
  if (!written.some((root) => isInside(root, candidate))) throw refused('a path outside of them');

  const directory = await resolveLinks(candidate, real);
  // The innermost root, should one lie within another.
  const root = real.filter((r) => isInside(r, directory)).toSorted((a, b) => b.length - a.length)[0];
  if (root === undefined) throw refused('a path that leads outside of them');
  if (!(await stat(directory)).isDirectory()) throw refused('a file');
  return { directory, root, roots: real, name: relative(root, directory) || '.' };
}

async function resolveRoots(roots: ReadonlyArray<string>): Promise<string[]> {
  const real: string[] = [];
  for (const root of roots) {
    try {
      real.push(await realpath(root));
    } catch (error) {
      // A root that is gone holds nothing; the others still serve.
      if (!isErrno(error)) throw error;
    }
  }
  if (real.length === 0) {
    throw new ToolError('path: none of the directories that this worker may read (auditRoots) can be opened');
  }
  return real;
}

/**
 * `realpath`, with an answer for what does not exist that depends on the inside only: the nearest ancestor that does
 * exist must lie inside, and no link on the way may dangle.
 */
async function resolveLinks(candidate: string, real: ReadonlyArray<string>): Promise<string> {
  try {
    return await realpath(candidate);
  } catch (error) {
    if (!isErrno(error)) throw error;
    for (let at = candidate; ; at = dirname(at)) {
      const resolved = await realpath(at).catch(() => undefined);
      if (resolved !== undefined) {
        if (!real.some((root) => isInside(root, resolved))) throw refused('a path that leads outside of them');
        throw refused(error.code === 'EACCES' ? 'one that the worker may not open' : 'one that does not exist');
      }
      const link = await lstat(at).catch(() => undefined);
      if (link?.isSymbolicLink() === true) throw refused('a path that leads outside of them');
      if (dirname(at) === at) throw refused('a path that leads outside of them');
    }
  }
}

function refused(came: string): ToolError {
  return new ToolError(`path: expected a directory inside the roots that this worker may read, got ${came} (string)`);
}

export function isErrno(error: unknown): error is NodeJS.ErrnoException & { readonly code: string } {
  return error instanceof Error && 'code' in error && typeof error.code === 'string';
}
