/**
 * Reads Server-Sent Events from text that comes in pieces. HTML Living Standard §Server-sent events.
 *
 * Only what MCP uses is handed on: the data of an event, and comments. Ids, names and retry times are left alone. Own
 * code because a browser loads it: the usual library is a tenth of the client.
 * Invariants: an event counts only with the blank line that ends it; what is kept is bounded by the caller, who looks at
 * `pending`; every character is looked at a bounded number of times, however small the pieces are.
 */
export interface EventStreamListener {
  readonly onData: (data: string) => void;
  readonly onComment: () => void;
}

const LINE_END = /\r\n?|\n/g;

export class EventStreamReader {
  readonly #listener: EventStreamListener;
  /** The pieces of the unfinished line. */
  #line: string[] = [];
  #data: string[] = [];
  #lineChars = 0;
  #dataChars = 0;
  /** The last piece ended with CR: an LF that follows belongs to it. */
  #halfEnd = false;

  constructor(listener: EventStreamListener) {
    this.#listener = listener;
  }

  /** Characters that wait for the end of their event. */
  get pending(): number {
    return this.#lineChars + this.#dataChars;
  }

  feed(piece: string): void {
    if (piece === '') return;
    let from = this.#halfEnd && piece.startsWith('\n') ? 1 : 0;
    this.#halfEnd = piece.endsWith('\r');
    LINE_END.lastIndex = from;
    for (let end = LINE_END.exec(piece); end !== null; end = LINE_END.exec(piece)) {
      const rest = piece.slice(from, end.index);
      from = LINE_END.lastIndex;
      this.#take(this.#line.length === 0 ? rest : this.#line.join('') + rest);
      this.#line = [];
      this.#lineChars = 0;
    }
    const rest = piece.slice(from);
    this.#lineChars += rest.length;
    if (rest !== '') this.#line.push(rest);
  }

  #take(line: string): void {
    if (line === '') {
      const data = this.#data.join('\n');
      this.#data = [];
      this.#dataChars = 0;
      // An event without data only carries an id or a retry time.
      if (data !== '') this.#listener.onData(data);
    } else if (line.startsWith(':')) this.#listener.onComment();
    else if (line === 'data' || line.startsWith('data:')) {
      this.#data.push(line.slice(line[5] === ' ' ? 6 : 5));
      this.#dataChars += line.length;
    }
  }
}
