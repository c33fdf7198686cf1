/**
 * Reads the JSON-RPC messages of one HTTP response, JSON or Server-Sent Events.
 *
 * Invariants: the body is read only when a message is asked for, so that a slow consumer slows the sender; a message
 * that was cut off is never handed on; bytes that are not UTF-8 are a fault, not replaced; one message is bounded.
 */
import { EventStreamReader } from './event-stream.js';
import { parseMessage, type Message } from './wire.js';
import { parsed, WireFault } from './wire-fault.js';

export type Incoming =
  | { readonly type: 'message'; readonly message: Message; readonly text: string }
  /** A comment of an event stream. */
  | { readonly type: 'heartbeat' }
  /** A part of a message. */
  | { readonly type: 'bytes' }
  | { readonly type: 'eof' };

export class MessageReader {
  readonly #body: ReadableStreamDefaultReader<Uint8Array>;
  readonly #decoder = new TextDecoder('utf-8', { fatal: true });
  readonly #charsMax: number;
  readonly #events: EventStreamReader | undefined;
  /** What the last chunk held, faults in their place; bounded by the size of a chunk. */
  readonly #ready: (Incoming | WireFault)[] = [];
  #json = '';
  #ended = false;

  constructor(body: ReadableStream<Uint8Array>, contentType: string, charsMax: number) {
    this.#body = body.getReader();
    this.#charsMax = charsMax;
    const mediaType = contentType.split(';')[0]?.trim().toLowerCase();
    if (mediaType === 'text/event-stream') {
      this.#events = new EventStreamReader({
        onData: (data) => this.#push(data),
        onComment: () => {
          this.#ready.push({ type: 'heartbeat' });
        },
      });
    } else if (mediaType !== 'application/json') {
      throw new WireFault('wrong_content_type', `The server answered with ${shownType(mediaType)}`);
    }
  }

  /** What comes next has come. */
  get ready(): boolean {
    return this.#ready.length > 0;
  }

  /** What comes next. Throws `WireFault`, and whatever the body throws when the connection is cut. */
  async read(): Promise<Incoming> {
    if (this.#ready.length === 0 && !this.#ended) await this.#fill();
    const next = this.#ready.shift();
    if (next instanceof WireFault) {
      this.#ended = true;
      throw next;
    }
    return next ?? { type: this.#ended ? 'eof' : 'bytes' };
  }

  /** Gives the body up. */
  async cancel(): Promise<void> {
    this.#ended = true;
    this.#ready.length = 0;
    await this.#body.cancel();
  }

  async #fill(): Promise<void> {
    const { done, value } = await this.#body.read();
    if (done) {
      this.#ended = true;
      // An unfinished frame or an unfinished character is a cut, and is dropped.
      if (this.#json !== '') this.#push(this.#json);
      return;
    }
    const chunk = this.#decode(value);
    if (this.#events !== undefined) {
      this.#events.feed(chunk);
      if (this.#events.pending > this.#charsMax) this.#refuseSize();
      return;
    }
    this.#json += chunk;
    if (this.#json.length > this.#charsMax) this.#refuseSize();
  }

  #decode(chunk: Uint8Array): string {
    try {
      return this.#decoder.decode(chunk, { stream: true });
    } catch {
      throw new WireFault('invalid_utf8', 'The server sent bytes that are not UTF-8');
    }
  }

  #refuseSize(): void {
    const message = `The server sent a message of more than ${this.#charsMax} characters`;
    this.#ready.push(new WireFault('message_too_large', message));
  }

  #push(text: string): void {
    if (text.length > this.#charsMax) {
      this.#refuseSize();
      return;
    }
    try {
      this.#ready.push({ type: 'message', message: parsed('message', () => parseMessage(text)), text });
    } catch (error) {
      if (!(error instanceof WireFault)) throw error;
      this.#ready.push(error);
    }
  }
}

function shownType(mediaType: string | undefined): string {
  return mediaType === undefined || mediaType === '' ? 'no content type' : `content type ${mediaType.slice(0, 60)}`;
}
