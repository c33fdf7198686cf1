/**
 * Which licence a file states for itself: an SPDX tag, or a notice in well-known words.
 *
 * Invariants: only the head of a file is looked at; what is returned is an SPDX expression or a name from the table
 * here, never free text of the file.
 */

/** How much of a file's beginning is searched, in characters. */
export const LICENCE_HEAD_CHARS = 8_192;

/** The longest SPDX expression that is reported, in characters. */
const EXPRESSION_CHARS_MAX = 80;

export interface Licence {
  /** An SPDX identifier or expression; `BSD-style` for a notice that only points to a BSD licence. */
  readonly id: string;
  /** `tag`: an SPDX-License-Identifier line. `text`: recognised by its words. */
  readonly source: 'tag' | 'text';
}

const TAG = /SPDX-License-Identifier:[ \t]*([^\r\n]{1,200})/;
const EXPRESSION = /^\(*[A-Za-z0-9][A-Za-z0-9.+-]*\)*(?: (?:AND|OR|WITH) \(*[A-Za-z0-9][A-Za-z0-9.+-]*\)*){0,6}/;

/** Ordered: a notice that contains the words of another one comes first. All words of a row must be found. */
const NOTICES: ReadonlyArray<readonly [id: string, ...words: ReadonlyArray<string | RegExp>]> = [
  ['Apache-2.0', /apache license,? ?\(?version 2\.0/],
  ['MPL-2.0', /mozilla public license,? ?(?:v\.?|version) ?2\.0/],
  ['AGPL-3.0-or-later', 'gnu affero general public license', /version 3/, 'any later version'],
  ['AGPL-3.0-only', 'gnu affero general public license', /version 3/],
  ['LGPL-3.0-or-later', /gnu (?:lesser|library) general public license/, /version 3/, 'any later version'],
  ['LGPL-2.1-or-later', /gnu (?:lesser|library) general public license/, /version 2(?:\.1)?/, 'any later version'],
  ['LGPL-3.0-only', /gnu (?:lesser|library) general public license/, /version 3/],
  ['LGPL-2.1-only', /gnu (?:lesser|library) general public license/, /version 2(?:\.1)?/],
  ['GPL-3.0-or-later', 'gnu general public license', /version 3/, 'any later version'],
  ['GPL-2.0-or-later', 'gnu general public license', /version 2/, 'any later version'],
  ['GPL-3.0-only', 'gnu general public license', /version 3/],
  ['GPL-2.0-only', 'gnu general public license', /version 2/],
  ['EPL-2.0', /eclipse public license,? ?(?:- )?(?:v\.? ?|version )2\.0/],
  ['BSL-1.0', /boost software license,? ?(?:- )?version 1\.0/],
  ['MIT', 'permission is hereby granted, free of charge, to any person obtaining a copy'],
  ['MIT', /(?:licensed|released|distributed) under (?:the )?(?:terms of the )?mit licen[cs]e/],
  ['BSD-3-Clause', 'redistribution and use in source and binary forms', /neither the names? of/],
  ['BSD-2-Clause', 'redistribution and use in source and binary forms'],
  ['BSD-style', 'bsd-style license'],
  [
    'ISC',
    /permission to use, copy, modify, and(?:\/or)? distribute this software for any purpose/,
    /copyright notice and this permission notice/,
  ],
  ['0BSD', /permission to use, copy, modify, and(?:\/or)? distribute this software for any purpose/],
  ['Unlicense', 'free and unencumbered software released into the public domain'],
  ['CC0-1.0', /cc0 1\.0 universal|creative commons zero/],
];

/**
 * The licence that the beginning of a file states.
 * @param head the first characters of the file; what is beyond `LICENCE_HEAD_CHARS` is left out
 * @param isCode whether only comments before the first statement count
 */
export function licenceOf(head: string, isCode: boolean): Licence | null {
  const start = head.slice(0, LICENCE_HEAD_CHARS);
  const text = isCode ? leadingComments(start) : start;
  const tagged = TAG.exec(text)?.[1];
  if (tagged !== undefined) {
    const id = EXPRESSION.exec(tagged.trim())?.[0];
    if (id !== undefined && id.length <= EXPRESSION_CHARS_MAX) return { id, source: 'tag' };
  }
  // A cheap gate: most files hold none of these words.
  if (!/licen[cs]e|permission|redistribution|public domain/i.test(text)) return null;
  const words = normalise(text);
  for (const [id, ...needles] of NOTICES) {
    if (needles.every((n) => (typeof n === 'string' ? words.includes(n) : n.test(words))))
      return { id, source: 'text' };
  }
  return null;
}

const BLOCKS: ReadonlyArray<readonly [open: RegExp, close: string]> = [
  [/^\/\*/, '*/'],
  [/^<!--/, '-->'],
  [/^[rRuU]?"""/, '"""'],
  [/^[rRuU]?'''/, "'''"],
  [/^\{-/, '-}'],
  [/^\(\*/, '*)'],
  [/^=(?:begin|pod|head1)\b/, '=cut'],
];
const LINE_COMMENT = /^(?:\/\/|#|--|;|%|!|'(?!')|rem\b|dnl\b)/i;
/** What may stand before a notice without being a comment. */
const PREAMBLE = /^(?:<\?(?:php|xml)[^>]*\??>?|@charset [^;]*;|['"]use (?:strict|client)['"];?)$/;

/** The comments of a source file that come before its first statement. */
export function leadingComments(text: string): string {
  const kept: string[] = [];
  let close: string | undefined;
  for (const line of text.split('\n')) {
    const trimmed = line.trim();
    const opened = close === undefined ? BLOCKS.find(([open]) => open.test(trimmed)) : undefined;
    if (close === undefined && opened === undefined && trimmed !== '' && !LINE_COMMENT.test(trimmed)) {
      if (PREAMBLE.test(trimmed)) continue;
      break;
    }
    kept.push(line);
    const ends = close ?? opened?.[1];
    const from = opened === undefined ? 0 : (opened[0].exec(trimmed)?.[0].length ?? 0);
    close = ends === undefined || trimmed.includes(ends, from) ? undefined : ends;
  }
  return kept.join('\n');
}

/** Lower case, without comment signs, one blank between words. */
function normalise(text: string): string {
  return text
    .toLowerCase()
    .replace(/^[ \t]*(?:\/\*+|\*+\/?|\/\/+|#+|--+|;+|%+|<!--|rem\b)/gm, ' ')
    .replace(/\s+/g, ' ');
}
