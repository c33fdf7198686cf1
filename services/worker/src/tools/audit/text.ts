/**
 * Cutting and showing text that came from somewhere else.
 *
 * Invariant: what is cut stays well-formed, and what is shown on one line holds no character that could break or
 * reorder that line.
 */

/** The first `charsMax` UTF-16 units, `…` as the last one when something was left out; never half a character. */
export function clip(text: string, charsMax: number): string {
  if (text.length <= charsMax) return withoutHalf(text);
  return `${withoutHalf(text.slice(0, Math.max(0, charsMax - 1)))}…`;
}

/** Like `clip`, but what is left out is in the middle: the end of a path says more than its beginning. */
export function clipMiddle(text: string, charsMax: number): string {
  if (text.length <= charsMax) return withoutHalf(text);
  const tail = Math.floor((charsMax - 1) / 2);
  return `${clip(text, charsMax - tail)}${text.slice(text.length - tail).replace(/^[\uDC00-\uDFFF]/, '')}`;
}

function withoutHalf(text: string): string {
  return text.replace(/[\uD800-\uDBFF]$/, '');
}

/** Control characters, line and paragraph separators, and the characters that turn the direction of writing. */
// oxlint-disable-next-line no-control-regex
const UNPRINTABLE = /[\u0000-\u001F\u007F-\u009F\u2028\u2029\u200E\u200F\u202A-\u202E\u2066-\u2069\uFEFF]/g;

/** One line: unprintable characters become visible escapes such as `\n` or `\u202e`. */
export function oneLine(text: string): string {
  return text.replace(UNPRINTABLE, (c) => {
    if (c === '\n') return '\\n';
    if (c === '\r') return '\\r';
    if (c === '\t') return '\\t';
    return `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
}
