/**
 * From the bytes of a file to text, chunk by chunk.
 *
 * Invariants: no byte sequence makes it throw; what is not valid becomes U+FFFD, so that everything around it stays
 * findable; the text does not depend on where the chunks are cut. Only the first chunk must hold the byte order mark.
 */

export type Encoding = 'utf-8' | 'utf-16le' | 'utf-16be' | 'unknown';

/** How many bytes decide whether a file is binary. As git does it. */
export const SNIFF_BYTES = 8_000;

const REPLACEMENT = '\uFFFD';
const REPLACEMENT_BYTES = Buffer.from(REPLACEMENT);

function byteOrderMark(head: Uint8Array): 'utf-16le' | 'utf-16be' | undefined {
  if (head[0] === 0xff && head[1] === 0xfe) return 'utf-16le';
  if (head[0] === 0xfe && head[1] === 0xff) return 'utf-16be';
  return undefined;
}

/** Whether a file that begins with these bytes is binary: a NUL among the first ones, and no UTF-16 mark. */
export function looksBinary(head: Uint8Array): boolean {
  return byteOrderMark(head) === undefined && head.subarray(0, SNIFF_BYTES).includes(0);
}

export interface Decoder {
  decode(chunk: Uint8Array): string;
  /** What a character that the file's end cut off becomes. */
  end(): string;
  /** `unknown` once something was not valid UTF-8. */
  readonly encoding: Encoding;
}

/** @param head the first bytes of the file, for its byte order mark */
export function createDecoder(head: Uint8Array): Decoder {
  const wide = byteOrderMark(head);
  const decoder = new TextDecoder(wide ?? 'utf-8');
  let encoding: Encoding = wide ?? 'utf-8';
  // The last bytes of the chunk before, for a real U+FFFD that two chunks share.
  let before = Buffer.alloc(0);

  const judge = (text: string, chunk: Uint8Array): string => {
    if (encoding !== 'utf-8') return text;
    if (text.includes(REPLACEMENT)) {
      const written = count(Buffer.concat([before, chunk]), REPLACEMENT_BYTES);
      if (text.split(REPLACEMENT).length - 1 > written) encoding = 'unknown';
    }
    before = Buffer.concat([before, chunk.subarray(-2)]).subarray(-2);
    return text;
  };
  return {
    get encoding() {
      return encoding;
    },
    decode: (chunk) => judge(decoder.decode(chunk, { stream: true }), chunk),
    end: () => judge(decoder.decode(), new Uint8Array()),
  };
}

function count(bytes: Buffer, needle: Buffer): number {
  let n = 0;
  for (let at = bytes.indexOf(needle); at >= 0; at = bytes.indexOf(needle, at + needle.length)) n += 1;
  return n;
}
