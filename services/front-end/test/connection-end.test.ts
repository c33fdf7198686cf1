import { once } from 'node:events';
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, describe, expect, test } from 'vitest';
import { closeWithConnection, endAfterBody } from '../src/http/connection-end.js';

const undo: Array<() => void> = [];
afterEach(() => {
  for (const step of undo.splice(0)) step();
});

async function serve(listener: RequestListener): Promise<Socket> {
  const server = createServer(listener).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  undo.push(() => {
    socket.destroy();
    server.closeAllConnections();
    server.close();
  });
  return socket;
}

const get = (path: string): string => `GET ${path} HTTP/1.1\r\nhost: a\r\n\r\n`;

async function until(condition: () => boolean): Promise<void> {
  for (let i = 0; !condition(); i++) {
    if (i > 500) throw new Error('never');
    await delay(10);
  }
}

describe('a response that waits for its turn', () => {
  test('closes with its connection, once, and so does the one before it', async () => {
    const closed: string[] = [];
    const arrived: string[] = [];
    const socket = await serve((request, response) => {
      closeWithConnection(request, response);
      arrived.push(request.url ?? '');
      response.on('close', () => closed.push(request.url ?? ''));
      response.write('something');
    });
    socket.write(get('/1') + get('/2') + get('/3'));
    await until(() => arrived.length === 3);
    expect(closed).toEqual([]);
    socket.destroy();
    await until(() => closed.length === 3);
    await delay(50);
    expect(closed.toSorted()).toEqual(['/1', '/2', '/3']);
  });

  test('that gets its turn is served as if nothing had been, and leaves no listener behind', async () => {
    const responses: ServerResponse[] = [];
    let server: Socket | undefined;
    const closed: string[] = [];
    const socket = await serve((request, response) => {
      closeWithConnection(request, response);
      server = request.socket;
      responses.push(response);
      response.on('close', () => closed.push(request.url ?? ''));
    });
    let text = '';
    socket.on('data', (chunk: Buffer) => (text += chunk.toString()));
    socket.write(get('/0'));
    await until(() => responses.length === 1);
    responses[0]!.end('answer 0');
    await until(() => closed.length === 1);
    const listeners = server!.listenerCount('close');
    socket.write(get('/1') + get('/2') + get('/3'));
    await until(() => responses.length === 4);
    for (const i of [3, 2, 1]) responses[i]!.end(`answer ${i}`);
    await until(() => text.includes('answer 3'));
    await until(() => closed.length === 4);
    expect(text.match(/answer \d/g)).toEqual(['answer 0', 'answer 1', 'answer 2', 'answer 3']);
    expect(server!.listenerCount('close')).toBe(listeners);
  });
});

describe('an answer before the end of the body', () => {
  const refuse = (request: IncomingMessage, response: ServerResponse, msMax: number) => {
    response.writeHead(413, { 'content-length': 3 }).write('no!');
    endAfterBody(request, response, msMax);
  };
  const head = (length: number, more = '') => `POST / HTTP/1.1\r\nhost: a\r\n${more}content-length: ${length}\r\n\r\n`;

  test.each(['', 'connection: close\r\n'])('reaches a client that sends on (%j)', async (more) => {
    let taken = 0;
    const socket = await serve((request, response) => {
      request.on('data', (chunk: Buffer) => (taken += chunk.length));
      refuse(request, response, 5_000);
    });
    let text = '';
    socket.on('data', (chunk: Buffer) => (text += chunk.toString()));
    socket.write(head(300_000, more));
    for (let i = 0; i < 30; i++) {
      socket.write('x'.repeat(10_000));
      await delay(2);
    }
    await until(() => text.includes('no!'));
    expect(text).toContain('413');
    await until(() => taken === 300_000);
    if (more === '') {
      socket.write(head(0));
      await until(() => text.split('no!').length === 3);
    }
  });

  test('is there before the body is', async () => {
    const socket = await serve((request, response) => refuse(request, response, 5_000));
    let text = '';
    socket.on('data', (chunk: Buffer) => (text += chunk.toString()));
    socket.write(head(300_000));
    await until(() => text.includes('no!'));
    expect(text).toMatch(/^HTTP\/1\.1 413 /);
  });

  test('is followed by the end of the connection when the body does not end', async () => {
    let gone = false;
    const socket = await serve((request, response) => refuse(request, response, 100));
    let text = '';
    socket.on('data', (chunk: Buffer) => (text += chunk.toString()));
    socket.once('close', () => (gone = true));
    socket.write(head(300_000));
    await until(() => gone);
    expect(text).toContain('no!');
  });

  test('to a body that is over needs no patience', async () => {
    let response: ServerResponse | undefined;
    const socket = await serve((request, r) => {
      request.resume();
      request.once('close', () => {
        refuse(request, r, 60_000);
        response = r;
      });
    });
    socket.write(`${head(3)}abc`);
    await until(() => response !== undefined);
    expect(response!.writableEnded).toBe(true);
  });
});
