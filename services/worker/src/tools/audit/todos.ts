/**
 * Finds notes that someone left for later.
 *
 * Invariants: at most one a line, the first; a tag counts only where a note can stand, which is in a comment or at the
 * beginning of a line, and never as a quoted word.
 */

export const TODO_TAGS = ['TODO', 'FIXME', 'HACK', 'XXX'] as const;
export type TodoTag = (typeof TODO_TAGS)[number];

export interface TodoFinding {
  readonly tag: TodoTag;
  /** Where the note begins on the line, in UTF-16 units. */
  readonly start: number;
}

/** How many tags of one line are looked at: each is judged by all that stands before it. */
const CANDIDATES_MAX = 8;
/** Most lines end here. */
const ANY_TAG = /TODO|FIXME|HACK|XXX/;
const TAG = /(?<![\w"'`-])(TODO|FIXME|HACK|XXX)(?![\w"'`-])/g;
const COMMENT_OPEN = /\/\/|\/\*|^\s*\*|#|--|;|%|<!--|\{-|"""|'''|^\s*(?:REM|rem|dnl)\s/;
const OPENS_LINE = /^[\s>*+\-[\]]*$/;
/** `TODO: 1,` and `TODO = 1` at the beginning of a line are code. */
const ASSIGNS = /^(?:\s*=|:\s*[\d[{"'`])/;

/** @param line one line without its line break */
export function findTodo(line: string): TodoFinding | undefined {
  if (!ANY_TAG.test(line)) return undefined;
  let candidates = 0;
  for (const match of line.matchAll(TAG)) {
    candidates += 1;
    if (candidates > CANDIDATES_MAX) break;
    const before = line.slice(0, match.index);
    const opens = OPENS_LINE.test(before) && !ASSIGNS.test(line.slice(match.index + match[0].length));
    if (opens || COMMENT_OPEN.test(before)) return { tag: match[1] as TodoTag, start: match.index };
  }
  return undefined;
}

/** The note as it is shown: one line, no comment sign at its end. */
export function todoText(note: string): string {
  return note.replace(/\s*(?:\*\/|-->|-\})\s*$/, '').trim();
}
