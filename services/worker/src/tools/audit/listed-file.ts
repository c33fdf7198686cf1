/**
 * A path that a listing gave, and why a listed path may not be scanned.
 *
 * Invariant: the reasons go over the wire; one is never renamed.
 */

export const SKIP_REASONS = [
  'binary',
  'too-large',
  'unreadable',
  'missing',
  'symlink',
  'nested-repository',
  'special',
  'outside',
  'too-deep',
] as const;
/**
 * Why a listed path was not scanned. `missing`: listed, but not there (deleted, or gone meanwhile).
 * `nested-repository`: a submodule or another work tree, which is a call of its own. `outside`: its real place is not
 * below the directory.
 */
export type SkipReason = (typeof SKIP_REASONS)[number];

export interface ListedFile {
  readonly path: Buffer;
  /** Known from the listing already. */
  readonly skip?: SkipReason;
  /** An error code such as `EACCES`. */
  readonly detail?: string;
}
