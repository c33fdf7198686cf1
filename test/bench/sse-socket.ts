/**
 * A `tasks/stream` client that costs next to nothing: one socket, one request, and a scan of the bytes for the
 * numbers that a figure needs. It checks the status line and leaves framing to tests.
 */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { rpcRequest } from '../support/rpc.js';

/** Finds the whole numbers that follow a mark in a byte stream, however it is cut. */
export class NumberScanner {
  readonly #mark: Buffer;
  readonly #onNumber: (value: number) => void;
  #rest: Buffer = Buffer.alloc(0);

  constructor(mark: string, onNumber: (value: number) => void) {
    this.#mark = Buffer.from(mark);
    this.#onNumber = onNumber;
  }

  feed(chunk: Uint8Array): void {
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    const data = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes]);
    let from = 0;
    for (;;) {
      const found = data.indexOf(this.#mark, from);
      if (found < 0) break;
      let at = found + this.#mark.length;
      let value = 0;
      for (; at < data.length; at++) {
        const digit = (data[at] as number) - 0x30;
        if (digit < 0 || digit > 9) break;
        value = value * 10 + digit;
      }
      if (at === data.length) {
        this.#rest = data.subarray(found);
        return;
      }
      this.#onNumber(value);
      from = at;
    }
    this.#rest = data.subarray(Math.max(from, data.length - this.#mark.length + 1));
  }
}

export const SEQ_MARK = '"params":{"seq":';
export const SENT_AT_MARK = '"sentAtUs":';

export interface SseSocket {
  /** Resolves when the server has ended the response or the connection. */
  readonly closed: Promise<void>;
  destroy(): void;
}

/**
 * Opens a stream; resolves when its head and its first comment have come.
 * @throws Error when the answer is anything but a stream
 */
export async function openSse(
  endpoint: string,
  taskId: string,
  after: number | undefined,
  onBytes: (chunk: Buffer) => void,
): Promise<SseSocket> {
  const url = new URL(endpoint);
  const socket = connect({ host: url.hostname, port: Number(url.port) });
  socket.setNoDelay(true);
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  await once(socket, 'connect');
  socket.write(requestText(url, taskId, after));
  await readHead(socket, onBytes);
  return { closed, destroy: () => socket.destroy() };
}

function requestText(url: URL, taskId: string, after: number | undefined): string {
  const request = rpcRequest('tasks/stream', { taskId, ...(after !== undefined && { after }) });
  const text = request.body as string;
  const lines = [
    `POST ${url.pathname} HTTP/1.1`,
    `host: ${url.host}`,
    ...(request.headers as Array<[string, string]>).map(([name, value]) => `${name}: ${value}`),
    `content-length: ${Buffer.byteLength(text)}`,
  ];
  return `${lines.join('\r\n')}\r\n\r\n${text}`;
}

function readHead(socket: Socket, onBytes: (chunk: Buffer) => void): Promise<void> {
  let head = Buffer.alloc(0);
  return new Promise((resolve, reject) => {
    const fail = (why: string) => {
      socket.destroy();
      reject(new Error(why));
    };
    const early = () => fail('the connection ended before a response');
    socket.once('close', early);
    socket.on('error', (error) => fail(error.message));
    const onData = (chunk: Buffer) => {
      head = Buffer.concat([head, chunk]);
      const end = head.indexOf('\r\n\r\n');
      if (end < 0) return;
      socket.off('data', onData);
      socket.off('close', early);
      const text = head.toString('latin1');
      if (!text.startsWith('HTTP/1.1 200 ') || !/text\/event-stream/.test(text)) {
        fail(`not a stream: ${text.slice(0, 500)}`);
        return;
      }
      socket.on('data', onBytes);
      if (head.length > end + 4) onBytes(head.subarray(end + 4));
      resolve();
    };
    socket.on('data', onData);
  });
}
