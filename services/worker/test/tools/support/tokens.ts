/** Things that look like secrets, made at run time: the source of these tests holds none. */

export const ALPHANUMERIC = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';
export const UPPER_AND_DIGITS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
export const HEXADECIMAL = '0123456789abcdef';

/** How a PEM block opens. */
export const BEGIN = '-----BEGIN';

/** The same text for the same seed; holds at least one digit. */
export function randomText(length: number, seed = 1, alphabet = ALPHANUMERIC): string {
  let state = seed * 2_654_435_761;
  let text = '';
  for (let i = 0; i < length; i += 1) {
    state = (Math.imul(state ^ (state >>> 15), 2_246_822_519) + 374_761_393) >>> 0;
    text += alphabet.charAt((state >>> 8) % alphabet.length);
  }
  const at = length >> 1;
  return `${text.slice(0, at)}7${text.slice(at + 1)}`;
}

export const awsKeyId = (seed = 1): string => `AKIA${randomText(16, seed, UPPER_AND_DIGITS)}`;
export const githubToken = (seed = 1): string => `ghp_${randomText(36, seed)}`;
