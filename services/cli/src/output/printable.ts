/**
 * Text of others, made safe for a terminal.
 *
 * Invariant: no escape sequence and no control character but line break and tab reaches the terminal.
 */
import { stripVTControlCharacters } from 'node:util';

// oxlint-disable-next-line no-control-regex -- control characters are what is taken out
const CONTROL = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]/g;

export function printable(text: string): string {
  return stripVTControlCharacters(text).replaceAll(CONTROL, '');
}

/** One line of at most `charsMax` characters. */
export function printableLine(text: string, charsMax: number): string {
  const line = printable(text).replaceAll(/\s+/g, ' ').trim();
  if (line.length <= charsMax) return line;
  // A cut must not leave half of a surrogate pair.
  return `${line.slice(0, charsMax - 1).replace(/[\ud800-\udbff]$/, '')}…`;
}
