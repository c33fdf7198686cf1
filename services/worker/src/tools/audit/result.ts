/**
 * What goes over the wire: the event's payload and the summary, with the summary's schema.
 *
 * Invariants: every list has a bound; a path is shown in at most `PATH_CHARS_MAX` units; the schema is the only
 * statement of the summary's shape.
 */
import * as z from 'zod';
import { NO_GIT_REASONS } from './git-listing.js';
import { SKIP_REASONS } from './listed-file.js';
import type { FileOutcome } from './read-file.js';
import { SECRET_KINDS } from './secrets.js';
import { clipMiddle } from './text.js';
import { TODO_TAGS } from './todos.js';

/** Emitted once a file, in byte order of the paths. Payload: see `fileEvent`. */
export const FILE_EVENT = 'org.taskstream-examples.audit.file';

/** The longest path in an event and in the summary, in UTF-16 units; of a longer one the middle is left out. */
export const PATH_CHARS_MAX = 400;

const count = z.int().nonnegative();
const lineNumber = z.int().positive();

export const Summary = z.strictObject({
  /** Relative to its root; `.` for the root itself. */
  path: z.string(),
  listing: z.strictObject({
    method: z.enum(['git', 'walk']),
    /** Why git did not list. */
    reason: z.enum(NO_GIT_REASONS).optional(),
  }),
  files: z.strictObject({
    scanned: count,
    skipped: count,
    /** Whether there were more files than `filesMax`. */
    truncated: z.boolean(),
  }),
  bytes: count,
  lines: count,
  languages: z.array(z.strictObject({ language: z.string(), files: count, bytes: count, lines: count })),
  todos: z.strictObject({
    count,
    byTag: z.record(z.enum(TODO_TAGS), count),
    first: z.array(z.strictObject({ path: z.string(), line: lineNumber, tag: z.enum(TODO_TAGS), text: z.string() })),
  }),
  secrets: z.strictObject({
    count,
    byKind: z.partialRecord(z.enum(SECRET_KINDS), count),
    first: z.array(
      z.strictObject({ path: z.string(), line: lineNumber, kind: z.enum(SECRET_KINDS), excerpt: z.string() }),
    ),
  }),
  licences: z.strictObject({
    /** SPDX identifiers or expressions; what is beyond the bound is under `other`. */
    byId: z.array(z.strictObject({ id: z.string(), files: count })),
    /** Source files that state none. */
    sourceFilesWithout: count,
  }),
  largestFiles: z.array(z.strictObject({ path: z.string(), bytes: count })),
  longestLines: z.array(z.strictObject({ path: z.string(), line: lineNumber, length: count })),
  skipped: z.strictObject({
    byReason: z.partialRecord(z.enum(SKIP_REASONS), count),
    first: z.array(z.strictObject({ path: z.string(), reason: z.enum(SKIP_REASONS), detail: z.string().optional() })),
  }),
});
export type Summary = z.infer<typeof Summary>;

export function shownPath(path: string): string {
  return clipMiddle(path, PATH_CHARS_MAX);
}

/** The payload of a `FILE_EVENT`. */
export function fileEvent(outcome: FileOutcome): Record<string, unknown> {
  const path = shownPath(outcome.path);
  if (outcome.status === 'skipped') return { ...outcome, path };
  const { analysis, status, bytes } = outcome;
  return {
    status,
    path,
    language: analysis.language.name,
    bytes,
    lines: analysis.lines,
    longestLine: analysis.longestLine,
    encoding: analysis.encoding,
    ...(analysis.linesClipped > 0 && { linesClipped: analysis.linesClipped }),
    todos: { count: sum(analysis.todos.byTag), first: analysis.todos.first },
    secrets: { count: sum(analysis.secrets.byKind), first: analysis.secrets.first },
    licence: analysis.licence,
  };
}

export function sum(counts: Readonly<Partial<Record<string, number>>>): number {
  return Object.values(counts).reduce<number>((total, n) => total + (n ?? 0), 0);
}
