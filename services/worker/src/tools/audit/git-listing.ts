/**
 * The files of a git work tree, as git itself lists them.
 *
 * Invariants: the tree is not trusted, so git runs with an environment of its own, reads no configuration of user or
 * system, starts no program that the repository names, takes no lock and opens no connection; an index or a git
 * directory outside the roots is not read; the output, the time and the signal bound every run.
 */
import { execFile, type ExecFileException } from 'node:child_process';
import { realpath } from 'node:fs/promises';
import { devNull } from 'node:os';
import { dirname, join } from 'node:path';
import { isErrno, isInside, type AuditDirectory } from './roots.js';

/** Why a directory was not listed by git. */
export const NO_GIT_REASONS = [
  'not a work tree',
  'git is not installed',
  'git directory outside the roots',
  'git lists nothing here',
  'git failed',
] as const;
export type NoGitReason = (typeof NO_GIT_REASONS)[number];

export type GitListing =
  | { readonly ok: true; readonly paths: Buffer[] }
  | { readonly ok: false; readonly reason: NoGitReason };

export interface GitOptions {
  /** Where `git` is looked for, as in PATH. */
  readonly searchPath: string;
  readonly timeoutMs: number;
  /** The longest list that is read. */
  readonly listBytesMax: number;
  readonly signal: AbortSignal;
}

/** Settings that win over what the repository's own configuration says. */
const SETTINGS = [
  'core.fsmonitor=false',
  'core.untrackedCache=false',
  `core.hooksPath=${devNull}`,
  `core.excludesFile=${devNull}`,
  // Nothing of the repository is run, so that its owner need not be the worker's user.
  'safe.directory=*',
  'safe.bareRepository=explicit',
].flatMap((setting) => ['-c', setting]);

export async function listWithGit(at: AuditDirectory, options: GitOptions): Promise<GitListing> {
  const run = (args: ReadonlyArray<string>) => runGit(args, at.directory, at.root, options);
  const found = await run([
    'rev-parse',
    '--path-format=absolute',
    '--is-inside-work-tree',
    '--absolute-git-dir',
    '--git-common-dir',
  ]);
  if (!found.ok) return { ok: false, reason: found.reason };
  const [inside, gitDirectory, commonDirectory, ...rest] = found.stdout.toString('utf8').split('\n');
  if (inside !== 'true' || gitDirectory === undefined || commonDirectory === undefined) {
    return { ok: false, reason: 'not a work tree' };
  }
  // A path with a line break in it cannot be told apart here.
  if (rest.join('') !== '') return { ok: false, reason: 'git failed' };
  for (const path of [gitDirectory, commonDirectory, join(gitDirectory, 'index')]) {
    if (!(await leadsInside(path, at.roots))) return { ok: false, reason: 'git directory outside the roots' };
  }
  const listed = await run(['ls-files', '-z', '--cached', '--others', '--exclude-standard']);
  if (!listed.ok) return { ok: false, reason: listed.reason === 'git is not installed' ? listed.reason : 'git failed' };
  const paths = splitNul(listed.stdout);
  // So it is in an empty repository, and also below a directory that a parent's .gitignore names.
  return paths.length === 0 ? { ok: false, reason: 'git lists nothing here' } : { ok: true, paths };
}

/** An index that is not there yet counts as inside: it is next to what was checked before. */
async function leadsInside(path: string, roots: ReadonlyArray<string>): Promise<boolean> {
  try {
    const real = await realpath(path);
    return roots.some((root) => isInside(root, real));
  } catch (error) {
    return isErrno(error) && error.code === 'ENOENT' && path.endsWith('index');
  }
}

type GitRun = { readonly ok: true; readonly stdout: Buffer } | { readonly ok: false; readonly reason: NoGitReason };

function runGit(args: ReadonlyArray<string>, cwd: string, root: string, o: GitOptions): Promise<GitRun> {
  return new Promise((resolve, reject) => {
    execFile(
      'git',
      [...SETTINGS, ...args],
      {
        cwd,
        encoding: 'buffer',
        maxBuffer: o.listBytesMax,
        timeout: o.timeoutMs,
        killSignal: 'SIGKILL',
        signal: o.signal,
        windowsHide: true,
        env: {
          PATH: o.searchPath,
          LC_ALL: 'C',
          GIT_CONFIG_NOSYSTEM: '1',
          GIT_CONFIG_GLOBAL: devNull,
          GIT_CEILING_DIRECTORIES: dirname(root),
          GIT_OPTIONAL_LOCKS: '0',
          GIT_TERMINAL_PROMPT: '0',
          GIT_ALLOW_PROTOCOL: 'none',
          GIT_NO_LAZY_FETCH: '1',
        },
      },
      (error, stdout) => {
        if (o.signal.aborted) reject(o.signal.reason as Error);
        else if (error === null) resolve({ ok: true, stdout });
        else resolve({ ok: false, reason: whyNot(error) });
      },
    );
  });
}

/** `rev-parse` leaves with a status of its own outside of a repository; a timeout or a too long list has none. */
function whyNot(error: ExecFileException): NoGitReason {
  if (error.code === 'ENOENT') return 'git is not installed';
  return typeof error.code === 'number' ? 'not a work tree' : 'git failed';
}

/** The parts of a NUL-separated list; views into `bytes`, not copies. */
export function splitNul(bytes: Buffer): Buffer[] {
  const parts: Buffer[] = [];
  let start = 0;
  for (let at = bytes.indexOf(0); at >= 0; at = bytes.indexOf(0, start)) {
    if (at > start) parts.push(bytes.subarray(start, at));
    start = at + 1;
  }
  if (start < bytes.length) parts.push(bytes.subarray(start));
  return parts;
}
