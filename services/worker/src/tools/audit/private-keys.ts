/**
 * Finds private keys: a BEGIN line that a body follows.
 *
 * Invariants: code and prose that only name the BEGIN line are not reported; a finding holds nothing of the body.
 */
import { entropyBits, wordLengthMean } from './secret-likelihood.js';

const KEY_BEGIN = /-----BEGIN ((?:[A-Z0-9]{1,20} ){0,3}PRIVATE KEY(?: BLOCK)?)-----/;
/** The first line of base64, behind quotes, signs and an escaped line break. */
const KEY_BODY = /^[\s"'`+*#>|/.,\\nr-]{0,40}?([A-Za-z0-9+/]{32,76})/;
/** How many lines may stand between BEGIN and the body (`Proc-Type:`, `Version:`, an empty one). */
const KEY_HEADER_LINES_MAX = 4;

export interface PrivateKeyFinding {
  /** The number of the BEGIN line. */
  readonly line: number;
  readonly excerpt: string;
}

export interface PrivateKeyFinder {
  /** Takes the lines in order; answers at the line that proves that a key follows its BEGIN. */
  line(text: string, number: number): PrivateKeyFinding | undefined;
}

export function createPrivateKeyFinder(): PrivateKeyFinder {
  let begun: PrivateKeyFinding | undefined;
  let linesLeft = 0;
  return {
    line(text, number) {
      const match = text.includes('-----BEGIN') ? KEY_BEGIN.exec(text) : null;
      if (match !== null) {
        begun = { line: number, excerpt: `-----BEGIN ${match[1] ?? 'PRIVATE KEY'}----- …` };
        linesLeft = KEY_HEADER_LINES_MAX + 1;
      }
      if (begun === undefined) return undefined;
      const rest = match === null ? text : text.slice(match.index + match[0].length);
      const found = isKeyBody(rest) ? begun : undefined;
      if (match === null) linesLeft -= 1;
      if (found !== undefined || linesLeft === 0) begun = undefined;
      return found;
    },
  };
}

function isKeyBody(text: string): boolean {
  const run = KEY_BODY.exec(text)?.[1];
  return run !== undefined && wordLengthMean(run) < 3.5 && entropyBits(run) >= 3.5;
}
