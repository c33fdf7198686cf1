/**
 * Cuts a byte stream into lines.
 *
 * Invariant: at most `LINE_CHARS_MAX` characters are kept back; a longer line is cut there.
 */
import type { Readable } from 'node:stream';

export const LINE_CHARS_MAX = 64 * 1024;

export function splitLines(stream: Readable, onLine: (line: string) => void): void {
  let kept = '';
  stream.setEncoding('utf8');
  stream.on('data', (chunk: string) => {
    const lines = (kept + chunk).split('\n');
    kept = lines.pop() ?? '';
    for (const line of lines) onLine(line.slice(0, LINE_CHARS_MAX));
    if (kept.length > LINE_CHARS_MAX) {
      onLine(kept.slice(0, LINE_CHARS_MAX));
      kept = '';
    }
  });
  stream.on('end', () => {
    if (kept !== '') onLine(kept);
  });
}
