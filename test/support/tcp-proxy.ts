/**
 * A TCP proxy between a client and a nats-server, to lose what the network may lose: whole connections, time, and
 * single messages of the server.
 *
 * Invariant: what passes is unchanged and in order; a message is lost whole or not at all, so that a client never sees
 * a torn protocol.
 */
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

/** Decides about one message that the server sends to a client. */
export type MessageFilter = (subject: string) => 'pass' | 'drop';

export interface TcpProxy extends AsyncDisposable {
  readonly url: string;
  /** Connections that are open now. */
  readonly connections: number;
  /** Messages from the server that were lost so far. */
  readonly dropped: number;
  /** From now on every message from the server to a client is offered to the filter; undefined: all pass. */
  filter(messages: MessageFilter | undefined): void;
  /** From now on nothing reaches that side until `release`; it is kept, not lost. */
  hold(side?: 'client' | 'server'): void;
  release(): void;
  /** Breaks all open connections. */
  cut(): void;
  /** Whether new connections are served. */
  accept(on: boolean): void;
}

/** Listens on a free port of 127.0.0.1 and passes everything on to the server at `natsUrl`. */
export async function startTcpProxy(natsUrl: string): Promise<TcpProxy> {
  const target = new URL(natsUrl);
  const pairs = new Set<{ client: Socket; server: Socket }>();
  let filter: MessageFilter | undefined;
  const held = { client: false, server: false };
  let accepting = true;
  let dropped = 0;
  const listener = createServer((client) => {
    if (!accepting) {
      client.destroy();
      return;
    }
    const server = connect({ host: target.hostname, port: Number(target.port) });
    const pair = { client, server };
    pairs.add(pair);
    const end = () => {
      pairs.delete(pair);
      client.destroy();
      server.destroy();
    };
    for (const socket of [client, server]) {
      socket.setNoDelay(true);
      socket.on('error', end);
      socket.on('close', end);
    }
    client.on('data', (chunk) => server.write(chunk));
    const split = messageSplitter();
    server.on('data', (chunk) => {
      for (const { bytes, subject } of split(chunk)) {
        if (subject !== undefined && filter?.(subject) === 'drop') dropped++;
        else client.write(bytes);
      }
    });
    if (held.client) server.pause();
    if (held.server) client.pause();
  });
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const { port } = listener.address() as AddressInfo;
  const cut = () => {
    for (const { client, server } of pairs) {
      client.destroy();
      server.destroy();
    }
  };
  return {
    url: `nats://127.0.0.1:${port}`,
    get connections() {
      return pairs.size;
    },
    get dropped() {
      return dropped;
    },
    filter(messages) {
      filter = messages;
    },
    hold(side = 'client') {
      held[side] = true;
      for (const { client, server } of pairs) (side === 'client' ? server : client).pause();
    },
    release() {
      held.client = false;
      held.server = false;
      for (const { client, server } of pairs) {
        client.resume();
        server.resume();
      }
    },
    cut,
    accept(on) {
      accepting = on;
    },
    async [Symbol.asyncDispose]() {
      cut();
      listener.close();
      await once(listener, 'close');
    },
  };
}

interface Piece {
  readonly bytes: Buffer;
  /** Set when the piece is a whole message. */
  readonly subject: string | undefined;
}

/** Splits what a nats-server sends into protocol lines and whole messages. */
function messageSplitter(): (chunk: Buffer) => Piece[] {
  let rest: Buffer = Buffer.alloc(0);
  return (chunk) => {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    const pieces: Piece[] = [];
    for (;;) {
      const lineEnd = rest.indexOf('\r\n');
      if (lineEnd < 0) return pieces;
      const words = rest.toString('latin1', 0, lineEnd).split(' ');
      const isMessage = words[0] === 'MSG' || words[0] === 'HMSG';
      const length = lineEnd + 2 + (isMessage ? Number(words.at(-1)) + 2 : 0);
      if (rest.length < length) return pieces;
      pieces.push({ bytes: rest.subarray(0, length), subject: isMessage ? words[1] : undefined });
      rest = rest.subarray(length);
    }
  };
}
