/**
 * Is a value that stands where a secret could stand likely to be one?
 *
 * Invariants: linear in the length of the value; leans to "no": a report that cries wolf is not read.
 */

/** Words that only stand-ins hold. */
const PLACEHOLDER =
  /example|sample|dummy|placeholder|change.?me|your|xxxx|\*\*\*|fake|mock|redacted|insert|replace|todo|test|foobar|lorem|pass(?:word|wd|phrase)|secret|token|credential|undefined|1234567|abcdefg/i;

/** Shannon entropy in bits per character; 0 for an empty text. */
export function entropyBits(text: string): number {
  if (text.length === 0) return 0;
  const counts = new Map<string, number>();
  for (const c of text) counts.set(c, (counts.get(c) ?? 0) + 1);
  let bits = 0;
  for (const n of counts.values()) bits -= (n / text.length) * Math.log2(n / text.length);
  return bits;
}

/** The share of neighbours that follow each other in the alphabet or are equal (`abcd`, `1111`): 0 to 1. */
export function sequenceShare(text: string): number {
  if (text.length < 2) return 0;
  let runs = 0;
  for (let i = 1; i < text.length; i += 1) {
    const step = text.charCodeAt(i) - text.charCodeAt(i - 1);
    if (step === 0 || step === 1) runs += 1;
  }
  return runs / (text.length - 1);
}

/** The mean length of the runs of letters, a capital starting a new one: words have about 5, random text below 2. */
export function wordLengthMean(text: string): number {
  const words = text.match(/[A-Z]?[a-z]+|[A-Z]+/g);
  return words === null ? 0 : words.join('').length / words.length;
}

/** Whether the variable part of a token with a known prefix is a stand-in, such as `xxxx…` or one with EXAMPLE in it. */
export function isPlaceholderToken(body: string): boolean {
  return (
    /example|xxxx|\.\.\.|placeholder|redacted|dummy|fake/i.test(body) ||
    entropyBits(body) < 2.5 ||
    sequenceShare(body) > 0.4
  );
}

/** Shorter hexadecimal values are mostly checksums and handles. */
const HEX_CHARS_MIN = 24;

/** Whether a value assigned to a name such as `password` looks random rather than written. */
export function looksRandom(value: string): boolean {
  if (value.length < 16 || PLACEHOLDER.test(value)) return false;
  // References, templates and addresses: `${X}`, `{{x}}`, `<x>`, `%x%`, `@x`, `fn(x)`, `https://…`, `./x`, a hash `$2b$…`.
  if (/^[${<%@./~&*!]|[(){}<>[\]]|:\/\/|\$\{|::/.test(value)) return false;
  if (value.includes('...') || /^\d{4}-\d{2}-\d{2}T/.test(value)) return false;
  if (!/\d/.test(value) || !/[A-Za-z]/.test(value)) return false;
  if (wordLengthMean(value) >= 3.5 || sequenceShare(value) > 0.4) return false;
  if (/^[0-9a-fA-F-]+$/.test(value)) return value.length >= HEX_CHARS_MIN && entropyBits(value) >= 3;
  return entropyBits(value) >= 3.5;
}
