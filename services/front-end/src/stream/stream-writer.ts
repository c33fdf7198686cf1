/**
 * One open stream: from the session to the socket, at the pace of the socket.
 *
 * Invariants: nothing is queued beside the socket's own buffer; a client that takes nothing for too long is cut and
 * resumes; a stream that ends by our will says so last.
 */
import type { ServerResponse } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { packEnd, type EventStream, type Pack } from '@taskstream/core';
import type { StreamEnd, StreamEndReason } from '@taskstream/protocol';
import type { KeptAlive } from './open-streams.js';

/** How a stream looks on the wire. */
export interface StreamFormat {
  readonly headers: Readonly<Record<string, string>>;
  /** Goes out before anything is known. */
  readonly opening: string;
  frames(pack: Pack): Buffer;
  /** The nth sign of life, from 1. */
  heartbeat(n: number): string;
  /** The last thing on the stream. */
  end(end: StreamEnd): string;
  gone(earliestSeq: number): string;
  fault(error: unknown): string;
}

export interface StreamObserver {
  delivered(events: number, bytes: number): void;
  /** A pack that came live has been written. */
  live(pack: Pack): void;
  /** Everything that lay in the log when the stream was opened has been written. */
  caughtUp(ms: number): void;
  ended(reason: StreamEndReason | 'client' | 'gone' | 'fault'): void;
  /** `traceparent`: what the task was created with, where it is known. */
  failed(taskId: string, error: unknown, traceparent?: string): void;
}

export class StreamWriter implements KeptAlive {
  readonly openedAt = performance.now();
  /** 0.9 to 1.1: streams that were opened together do not rotate together. */
  readonly ageFactor = 0.9 + Math.random() * 0.2;
  wroteAt = this.openedAt;
  readonly #taskId: string;
  readonly #format: StreamFormat;
  readonly #session: EventStream;
  readonly #response: ServerResponse;
  readonly #slowReaderMsMax: number;
  readonly #observer: StreamObserver;
  #heartbeats = 0;
  #over = false;

  constructor(
    taskId: string,
    format: StreamFormat,
    session: EventStream,
    response: ServerResponse,
    slowReaderMsMax: number,
    observer: StreamObserver,
  ) {
    this.#taskId = taskId;
    this.#format = format;
    this.#session = session;
    this.#response = response;
    this.#slowReaderMsMax = slowReaderMsMax;
    this.#observer = observer;
  }

  /** Asks the session to end; the response follows what has been written. */
  end(reason: StreamEndReason): void {
    this.#session.close(reason);
  }

  destroy(): void {
    this.#response.destroy();
  }

  heartbeat(): void {
    if (this.#over || this.#response.writableNeedDrain) return;
    this.#heartbeats++;
    this.#write(this.#format.heartbeat(this.#heartbeats));
  }

  /** Runs until the stream is over. Never rejects. */
  async run(): Promise<void> {
    const response = this.#response;
    const onGone = () => {
      if (!this.#over) this.#observer.ended('client');
      this.#over = true;
      this.#session.close('rotated');
    };
    if (response.closed) return onGone();
    response.on('close', onGone);
    response.on('error', () => undefined);
    response.writeHead(200, this.#format.headers);
    this.#write(this.#format.opening);
    try {
      while (!this.#over) await this.#passOn();
    } catch (error) {
      if (this.#over) return;
      this.#observer.failed(this.#taskId, error);
      this.#observer.ended('fault');
      this.#finish(this.#format.fault(error));
    }
  }

  /** Waits for one delivery and writes it. Not inlined: a loop that waits keeps the packs of its last round alive. */
  async #passOn(): Promise<void> {
    const delivery = await this.#session.next();
    if (this.#over) return;
    if (delivery.type === 'packs') {
      await this.#deliver(delivery.packs);
    } else if (delivery.type === 'gone') {
      this.#observer.ended('gone');
      this.#finish(this.#format.gone(delivery.earliestSeq));
    } else {
      const { reason, status, nextSeq } = delivery;
      this.#observer.ended(reason);
      this.#finish(this.#format.end({ reason, status, nextSeq }));
    }
  }

  async #deliver(packs: ReadonlyArray<Pack>): Promise<void> {
    const response = this.#response;
    let events = 0;
    let bytes = 0;
    let flowing = true;
    response.cork();
    for (const pack of packs) {
      const frames = this.#format.frames(pack);
      events += pack.count;
      bytes += frames.length;
      flowing = response.write(frames);
    }
    response.uncork();
    this.wroteAt = performance.now();
    this.#observer.delivered(events, bytes);
    const first = packs[0];
    const last = packs.at(-1);
    if (first !== undefined && last !== undefined) {
      const { tailSeq } = this.#session;
      if (first.firstSeq >= tailSeq) this.#observer.live(last);
      else if (packEnd(last) >= tailSeq) this.#observer.caughtUp(this.wroteAt - this.openedAt);
    }
    if (!flowing) await this.#drained();
  }

  /** Waits until the socket takes more, or cuts it. */
  async #drained(): Promise<void> {
    const waited = new AbortController();
    const response = this.#response;
    const flowing = new Promise<'flowing'>((resolve) => {
      const done = () => {
        response.off('drain', done);
        response.off('close', done);
        resolve('flowing');
      };
      response.once('drain', done);
      response.once('close', done);
    });
    const patience = delay(this.#slowReaderMsMax, 'slow' as const, { signal: waited.signal }).catch(
      () => 'slow' as const,
    );
    const outcome = await Promise.race([flowing, patience]);
    waited.abort();
    if (outcome === 'flowing' || this.#over) return;
    this.#over = true;
    this.#observer.ended('slow-reader');
    this.#session.close('slow-reader');
    response.destroy();
  }

  #write(text: string): void {
    this.wroteAt = performance.now();
    this.#response.write(text);
  }

  #finish(last: string): void {
    this.#over = true;
    this.#session.close('terminal');
    this.#response.end(last);
  }
}
