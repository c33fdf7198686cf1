/**
 * Text of others, made safe to show as text.
 *
 * Invariant: no control character but line break and tab, and nothing that turns the direction of what follows; half a
 * surrogate pair becomes U+FFFD. What can be read is not changed.
 */

// oxlint-disable-next-line no-control-regex -- control characters are what is taken out
const UNSEEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g;

/** @param charsMax longer text is cut, with an ellipsis in the last place */
export function plainText(text: string, charsMax = Number.POSITIVE_INFINITY): string {
  const cut = text.length > charsMax ? `${text.slice(0, Math.max(0, charsMax - 1))}…` : text;
  return wellFormed(cut).replaceAll(UNSEEN, '');
}

function wellFormed(text: string): string {
  return text.replaceAll(/[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g, '\ufffd');
}
