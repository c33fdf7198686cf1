import { EventEmitter } from 'node:events';
import type { ServerResponse } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import type { Delivery, EventStream, Pack } from '@taskstream/core';
import type { StreamEndReason } from '@taskstream/protocol';
import { describe, expect, test } from 'vitest';
import { mcpFormat } from '../src/stream/mcp-format.js';
import { StreamWriter, type StreamFormat, type StreamObserver } from '../src/stream/stream-writer.js';

const TASK = 'd0-0123456789abcdefghijkl';

function pack(firstSeq: number, ...lines: string[]): Pack {
  const data = Buffer.from(lines.map((line) => `${line}\n`).join(''));
  return { firstSeq, count: lines.length, status: 'working', data };
}

/** Hands out what the test puts in, and waits otherwise, as a session of a live task does. */
class FakeSession implements EventStream {
  tailSeq = 0;
  readonly closedWith: StreamEndReason[] = [];
  asked = 0;
  readonly #ready: Array<Delivery | Error> = [];
  #waiting: (() => void) | undefined;

  put(...deliveries: Array<Delivery | Error>): this {
    this.#ready.push(...deliveries);
    this.#waiting?.();
    return this;
  }

  async next(): Promise<Delivery> {
    this.asked++;
    while (this.#ready.length === 0) {
      const [reason] = this.closedWith;
      if (reason !== undefined) return { type: 'end', reason, status: 'working', nextSeq: 2 };
      await new Promise<void>((resolve) => (this.#waiting = resolve));
    }
    const next = this.#ready.shift() as Delivery | Error;
    if (next instanceof Error) throw next;
    return next;
  }

  close(reason: StreamEndReason): void {
    this.closedWith.push(reason);
    this.#waiting?.();
  }
}

/** A response that takes what it is given until it is told to be full. */
class FakeResponse extends EventEmitter {
  head: { status: number; headers: unknown } | undefined;
  text = '';
  full = false;
  ended = false;
  closed = false;
  destroyed = false;
  corks = 0;

  get writableNeedDrain(): boolean {
    return this.full;
  }

  writeHead(status: number, headers: unknown): this {
    this.head = { status, headers };
    return this;
  }

  write(chunk: string | Buffer): boolean {
    if (this.ended) throw new Error('written after the end');
    this.text += chunk.toString();
    return !this.full;
  }

  end(last?: string): void {
    this.text += last ?? '';
    this.ended = true;
  }

  cork(): void {
    this.corks++;
  }

  uncork(): void {
    this.corks--;
  }

  destroy(): void {
    this.destroyed = true;
    this.goAway();
  }

  drain(): void {
    this.full = false;
    this.emit('drain');
  }

  goAway(): void {
    this.closed = true;
    this.emit('close');
  }
}

class Observed implements StreamObserver {
  events = 0;
  bytes = 0;
  readonly endings: string[] = [];
  readonly liveFrom: number[] = [];
  catches = 0;
  readonly failures: unknown[] = [];

  delivered(events: number, bytes: number): void {
    this.events += events;
    this.bytes += bytes;
  }

  readonly live = ({ firstSeq }: Pack) => void this.liveFrom.push(firstSeq);
  readonly caughtUp = () => void this.catches++;

  ended(reason: string): void {
    this.endings.push(reason);
  }

  failed(_taskId: string, error: unknown): void {
    this.failures.push(error);
  }
}

interface Opened {
  readonly session: FakeSession;
  readonly response: FakeResponse;
  readonly observed: Observed;
  readonly writer: StreamWriter;
}

function open(
  options: { slowReaderMsMax?: number; progressToken?: string; format?: Partial<StreamFormat> } = {},
): Opened {
  const session = new FakeSession();
  const response = new FakeResponse();
  const observed = new Observed();
  const format = mcpFormat({
    id: 5,
    taskId: TASK,
    progressToken: options.progressToken,
    result: (end) => ({ ended: end }),
    wireError: () => ({ code: -32603, message: 'Internal error' }),
  });
  const writer = new StreamWriter(
    TASK,
    { ...format, ...options.format },
    session,
    response as unknown as ServerResponse,
    options.slowReaderMsMax ?? 60_000,
    observed,
  );
  return { session, response, observed, writer };
}

/** The JSON of all messages on a response. */
function messagesOf(response: FakeResponse): Array<Record<string, unknown>> {
  return response.text
    .split('\n')
    .flatMap((line) => (line.startsWith('data: ') ? [JSON.parse(line.slice(6)) as Record<string, unknown>] : []));
}

const END: Delivery = { type: 'end', reason: 'terminal', status: 'completed', nextSeq: 3 };

describe('a stream', () => {
  const packs = (...list: Pack[]): Delivery => ({ type: 'packs', packs: list });

  test('tells when it has caught up with what lay in the log, and of what comes live after it', async () => {
    const { session, observed, writer } = open();
    session.tailSeq = 3;
    session.put(packs(pack(0, 'a', 'b')), packs(pack(2, 'c', 'd')), packs(pack(4, 'e')), packs(pack(5, 'f')), END);
    await writer.run();
    expect({ catches: observed.catches, liveFrom: observed.liveFrom }).toEqual({ catches: 1, liveFrom: [4, 5] });
  });

  test('is a head, a comment, events in order, and a response as its last word', async () => {
    const { session, response, observed, writer } = open();
    session.put({ type: 'packs', packs: [pack(0, '{"seq":0}', '{"seq":1}'), pack(2, '{"seq":2}')] }, END);
    await writer.run();
    expect(response.head).toEqual({
      status: 200,
      headers: {
        'content-type': 'text/event-stream',
        'cache-control': 'no-cache, no-transform',
        'x-accel-buffering': 'no',
      },
    });
    expect(response.text.startsWith(': taskstream\n\n')).toBe(true);
    expect(messagesOf(response)).toEqual([
      ...[0, 1, 2].map((seq) => ({ jsonrpc: '2.0', method: 'notifications/tasks/event', params: { seq } })),
      { jsonrpc: '2.0', id: 5, result: { ended: { reason: 'terminal', status: 'completed', nextSeq: 3 } } },
    ]);
    expect(response.ended).toBe(true);
    expect(response.corks).toBe(0);
    expect(observed).toMatchObject({ events: 3, endings: ['terminal'], failures: [] });
    expect(observed.bytes).toBe(
      response.text.indexOf('event: message\ndata: {"jsonrpc":"2.0","id"') - ': taskstream\n\n'.length,
    );
    expect(session.closedWith.length).toBeGreaterThan(0);
  });

  test('that loses its events ends with events_gone', async () => {
    const { session, response, observed, writer } = open();
    session.put({ type: 'packs', packs: [pack(0, '{"seq":0}')] }, { type: 'gone', earliestSeq: 40 });
    await writer.run();
    expect(messagesOf(response).at(-1)).toMatchObject({
      id: 5,
      error: { code: -32010, data: { reason: 'events_gone', taskId: TASK, earliestSeq: 40 } },
    });
    expect(observed.endings).toEqual(['gone']);
  });

  test('that fails ends with an error as its response, and the cause goes to the observer', async () => {
    const { session, response, observed, writer } = open();
    const cause = new Error('the store is away');
    session.put(cause);
    await writer.run();
    expect(messagesOf(response)).toEqual([
      { jsonrpc: '2.0', id: 5, error: { code: -32603, message: 'Internal error' } },
    ]);
    expect(observed).toMatchObject({ endings: ['fault'], failures: [cause] });
    expect(response.text).not.toContain('the store is away');
  });

  test('that holds a broken pack ends with an error, not with half of it', async () => {
    const { session, response, observed, writer } = open();
    session.put({ type: 'packs', packs: [{ ...pack(0, '{"seq":0}'), count: 2 }] });
    await writer.run();
    expect(messagesOf(response)).toEqual([
      { jsonrpc: '2.0', id: 5, error: { code: -32603, message: 'Internal error' } },
    ]);
    expect(observed.endings).toEqual(['fault']);
  });

  test.each<StreamEndReason>(['draining', 'rotated'])('that is ended from outside says %s', async (reason) => {
    const { session, response, observed, writer } = open();
    session.put({ type: 'packs', packs: [pack(0, '{"seq":0}', '{"seq":1}')] });
    const running = writer.run();
    await delay(1);
    writer.end(reason);
    await running;
    expect(session.closedWith[0]).toBe(reason);
    expect(messagesOf(response).at(-1)).toMatchObject({ id: 5, result: { ended: { reason, nextSeq: 2 } } });
    expect(observed.endings).toEqual([reason]);
  });
});

describe('a client', () => {
  test('that goes away ends the session; nothing is written any more', async () => {
    const { session, response, observed, writer } = open();
    const running = writer.run();
    await delay(1);
    const before = response.text;
    response.goAway();
    session.put({ type: 'packs', packs: [pack(0, '{"seq":0}')] });
    await running;
    writer.heartbeat();
    expect(response.text).toBe(before);
    expect(observed.endings).toEqual(['client']);
    expect(session.closedWith.length).toBeGreaterThan(0);
  });

  test('that has gone before the stream begins gets nothing, and its session ends', async () => {
    const { session, response, observed, writer } = open();
    response.closed = true;
    await writer.run();
    expect(response).toMatchObject({ head: undefined, text: '' });
    expect(session.asked).toBe(0);
    expect(session.closedWith.length).toBeGreaterThan(0);
    expect(observed.endings).toEqual(['client']);
  });

  test('that closes after the last word was not cut', async () => {
    const { session, response, observed, writer } = open();
    session.put(END);
    await writer.run();
    response.goAway();
    expect(observed.endings).toEqual(['terminal']);
  });

  test('that is slow is waited for before the session is asked for more', async () => {
    const { session, response, observed, writer } = open();
    session.put(
      { type: 'packs', packs: [pack(0, '{"seq":0}')] },
      { type: 'packs', packs: [pack(1, '{"seq":1}')] },
      END,
    );
    response.full = true;
    const running = writer.run();
    await delay(20);
    expect(session.asked).toBe(1);
    expect(observed.events).toBe(1);
    response.drain();
    await running;
    expect(observed.events).toBe(2);
    expect(messagesOf(response)).toHaveLength(3);
    // The stream's own listener, and nothing of the wait.
    expect([response.listenerCount('drain'), response.listenerCount('close')]).toEqual([0, 1]);
  });

  test('that takes nothing for too long is cut without a last word', async () => {
    const { session, response, observed, writer } = open({ slowReaderMsMax: 30 });
    session.put({ type: 'packs', packs: [pack(0, '{"seq":0}')] }, END);
    response.full = true;
    await writer.run();
    expect(response).toMatchObject({ destroyed: true, ended: false });
    expect(messagesOf(response)).toHaveLength(1);
    expect(observed.endings).toEqual(['slow-reader']);
    expect(session.closedWith[0]).toBe('slow-reader');
  });

  test('that goes away while it is waited for is a client that went, not a slow one', async () => {
    const { session, response, observed, writer } = open({ slowReaderMsMax: 5_000 });
    session.put({ type: 'packs', packs: [pack(0, '{"seq":0}')] });
    response.full = true;
    const running = writer.run();
    await delay(5);
    response.goAway();
    await running;
    expect(observed.endings).toEqual(['client']);
  });
});

describe('a sign of life', () => {
  test('is a comment; with a progress token also a rising number', async () => {
    for (const progressToken of [undefined, 'p']) {
      const { session, response, writer } = open(progressToken === undefined ? {} : { progressToken });
      const running = writer.run();
      await delay(1);
      for (let i = 0; i < 3; i++) writer.heartbeat();
      session.put(END);
      await running;
      expect(response.text.split(': heartbeat\n\n')).toHaveLength(4);
      expect(messagesOf(response).slice(0, -1)).toEqual(
        progressToken === undefined
          ? []
          : [1, 2, 3].map((progress) => ({
              jsonrpc: '2.0',
              method: 'notifications/progress',
              params: { progressToken, progress },
            })),
      );
    }
  });

  test('counts as written, and is left out when the client does not take what it has', async () => {
    const { session, response, writer } = open();
    const running = writer.run();
    await delay(2);
    const before = writer.wroteAt;
    writer.heartbeat();
    expect(writer.wroteAt).toBeGreaterThan(before);
    const text = response.text;
    response.full = true;
    writer.heartbeat();
    expect(response.text).toBe(text);
    response.full = false;
    session.put(END);
    await running;
    const last = response.text;
    writer.heartbeat();
    expect(response.text).toBe(last);
  });
});
