/**
 * One open `tasks/stream`: from the session to the socket, at the pace of the socket.
 *
 * Invariants: nothing is queued beside the socket's own buffer; a client that takes nothing for too long is cut and
 * resumes; the last thing on a stream that ends by our will is its JSON-RPC response.
 */
import type { ServerResponse } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import type { EventStream } from '@taskstream/core';
import {
  commentFrame,
  eventsGone,
  messageFrame,
  SSE_HEADERS,
  type StreamEnd,
  type StreamEndReason,
  type WireError,
} from '@taskstream/protocol';
import type { JsonRpcId } from '../http/json-rpc-reply.js';
import { eventFrames } from './frames.js';
import type { KeptAlive } from './open-streams.js';

export interface StreamRequest {
  readonly id: JsonRpcId;
  readonly taskId: string;
  readonly progressToken: string | number | undefined;
  /** The shape of the empty result depends on the era of the reader. */
  readonly result: (end: StreamEnd) => Record<string, unknown>;
}

export interface StreamObserver {
  delivered(events: number, bytes: number): void;
  ended(reason: StreamEndReason | 'client' | 'gone' | 'fault'): void;
  failed(taskId: string, error: unknown): void;
}

export class StreamWriter implements KeptAlive {
  readonly openedAt = performance.now();
  /** 0.9 to 1.1: streams that were opened together do not rotate together. */
  readonly ageFactor = 0.9 + Math.random() * 0.2;
  wroteAt = this.openedAt;
  readonly #request: StreamRequest;
  readonly #session: EventStream;
  readonly #response: ServerResponse;
  readonly #slowReaderMsMax: number;
  readonly #observer: StreamObserver;
  readonly #wireError: (error: unknown) => WireError;
  #heartbeats = 0;
  #over = false;

  constructor(
    request: StreamRequest,
    session: EventStream,
    response: ServerResponse,
    slowReaderMsMax: number,
    observer: StreamObserver,
    wireError: (error: unknown) => WireError,
  ) {
    this.#request = request;
    this.#session = session;
    this.#response = response;
    this.#slowReaderMsMax = slowReaderMsMax;
    this.#observer = observer;
    this.#wireError = wireError;
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
    this.#write(commentFrame('heartbeat'));
    const { progressToken } = this.#request;
    if (progressToken === undefined) return;
    const params = { progressToken, progress: this.#heartbeats };
    this.#write(messageFrame({ jsonrpc: '2.0', method: 'notifications/progress', params }));
  }

  /** Runs until the stream is over. Never rejects. */
  async run(): Promise<void> {
    const response = this.#response;
    response.on('close', () => {
      if (!this.#over) this.#observer.ended('client');
      this.#over = true;
      this.#session.close('rotated');
    });
    response.on('error', () => undefined);
    response.writeHead(200, SSE_HEADERS);
    this.#write(commentFrame('taskstream'));
    try {
      while (!this.#over) {
        const delivery = await this.#session.next();
        if (this.#over) return;
        if (delivery.type === 'packs') {
          await this.#deliver(delivery.packs);
        } else if (delivery.type === 'gone') {
          this.#observer.ended('gone');
          this.#finish({ error: eventsGone(this.#request.taskId, delivery.earliestSeq) });
        } else {
          const { reason, status, nextSeq } = delivery;
          this.#observer.ended(reason);
          this.#finish({ result: this.#request.result({ reason, status, nextSeq }) });
        }
      }
    } catch (error) {
      if (this.#over) return;
      this.#observer.failed(this.#request.taskId, error);
      this.#observer.ended('fault');
      this.#finish({ error: this.#wireError(error) });
    }
  }

  async #deliver(packs: ReadonlyArray<Parameters<typeof eventFrames>[0]>): Promise<void> {
    const response = this.#response;
    let events = 0;
    let bytes = 0;
    let flowing = true;
    response.cork();
    for (const pack of packs) {
      const frames = eventFrames(pack);
      events += pack.count;
      bytes += frames.length;
      flowing = response.write(frames);
    }
    response.uncork();
    this.wroteAt = performance.now();
    this.#observer.delivered(events, bytes);
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

  #finish(outcome: { result: Record<string, unknown> } | { error: WireError }): void {
    this.#over = true;
    this.#session.close('terminal');
    this.#response.end(messageFrame({ jsonrpc: '2.0', id: this.#request.id, ...outcome }));
  }
}
