/**
 * A request's body as JSON.
 *
 * Invariant: what is nested deeper than the limit is not parsed; whoever handles a body may walk it by recursion.
 */
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const ARRAY = 0x5b;
const ARRAY_END = 0x5d;
const OBJECT = 0x7b;
const OBJECT_END = 0x7d;

/** Undefined when the body is not JSON, or nested deeper than `depthMax`. */
export function parseJsonBody(body: unknown, depthMax: number, onTooDeep: () => void = () => undefined): unknown {
  if (!Buffer.isBuffer(body)) return undefined;
  if (isDeeper(body, depthMax)) {
    onTooDeep();
    return undefined;
  }
  try {
    return JSON.parse(body.toString('utf8')) as unknown;
  } catch {
    return undefined;
  }
}

function isDeeper(text: Buffer, depthMax: number): boolean {
  let depth = 0;
  let inString = false;
  for (let i = 0; i < text.length; i++) {
    const byte = text[i] as number;
    if (byte === QUOTE) inString = !inString;
    else if (inString) {
      if (byte === BACKSLASH) i++;
    } else if (byte === ARRAY || byte === OBJECT) {
      if (++depth > depthMax) return true;
    } else if (byte === ARRAY_END || byte === OBJECT_END) depth--;
  }
  return false;
}
