/**
 * Reads the lines of a file from a byte position on, some at a time.
 *
 * Invariant: `end` is the position of the first byte that is not in the chunk's lines: reading goes on there.
 */
import { createReadStream } from 'node:fs';

const LINE_FEED = 0x0a;
/** A longer line is a fault of the file. */
const LINE_BYTES_MAX = 1024 * 1024;

export interface LineChunk {
  readonly lines: ReadonlyArray<string>;
  readonly end: number;
}

/** @throws Error when a line is longer than 1 MiB, or the file cannot be read */
export async function* lineChunks(file: string, start: number, linesPerChunk: number): AsyncGenerator<LineChunk> {
  let rest: Buffer = Buffer.alloc(0);
  let lines: string[] = [];
  let end = start;
  for await (const piece of createReadStream(file, { start }) as AsyncIterable<Buffer>) {
    const data = rest.length === 0 ? piece : Buffer.concat([rest, piece]);
    let at = 0;
    for (let feed = data.indexOf(LINE_FEED); feed !== -1; feed = data.indexOf(LINE_FEED, at)) {
      lines.push(data.toString('utf8', at, feed));
      end += feed + 1 - at;
      at = feed + 1;
      if (lines.length === linesPerChunk) {
        yield { lines, end };
        lines = [];
      }
    }
    rest = data.subarray(at);
    if (rest.length > LINE_BYTES_MAX) throw new Error(`a line at byte ${end} is longer than ${LINE_BYTES_MAX} bytes`);
  }
  if (rest.length > 0) {
    lines.push(rest.toString('utf8'));
    end += rest.length;
  }
  if (lines.length > 0) yield { lines, end };
}
