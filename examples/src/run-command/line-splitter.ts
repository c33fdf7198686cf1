/**
 * Turns the chunks of one output stream into lines.
 *
 * Invariant: what is kept between chunks is bounded: a line that is longer is given in pieces.
 */
import { StringDecoder } from 'node:string_decoder';

export class LineSplitter {
  readonly #decoder = new StringDecoder('utf8');
  readonly #lineLengthMax: number;
  #rest = '';

  /** `lineLengthMax` in characters. */
  constructor(lineLengthMax: number) {
    this.#lineLengthMax = lineLengthMax;
  }

  push(chunk: Buffer): string[] {
    return this.#cut(this.#decoder.write(chunk));
  }

  /** What is left when the stream has ended. */
  end(): string[] {
    const lines = this.#cut(this.#decoder.end());
    if (this.#rest !== '') lines.push(this.#rest);
    this.#rest = '';
    return lines;
  }

  #cut(text: string): string[] {
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop() ?? '';
    const whole = lines.flatMap((line) => this.#pieces(line.endsWith('\r') ? line.slice(0, -1) : line));
    while (this.#rest.length > this.#lineLengthMax) {
      whole.push(this.#rest.slice(0, this.#lineLengthMax));
      this.#rest = this.#rest.slice(this.#lineLengthMax);
    }
    return whole;
  }

  #pieces(line: string): string[] {
    if (line.length <= this.#lineLengthMax) return [line];
    const pieces: string[] = [];
    for (let at = 0; at < line.length; at += this.#lineLengthMax) pieces.push(line.slice(at, at + this.#lineLengthMax));
    return pieces;
  }
}
