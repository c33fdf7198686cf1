/**
 * What stands before front ends: one address, a target that can be changed, and a patience that can end.
 */
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

export interface Balancer extends AsyncDisposable {
  /** URL of /mcp. */
  readonly endpoint: string;
  /** New connections go there from now on; those that are open stay. */
  send(to: string): void;
  /** From now on every connection on which nothing passes for so long is cut. */
  bear(silenceMs: number): void;
}

/** Listens on a free port of 127.0.0.1. */
export async function startBalancer(target: string): Promise<Balancer> {
  let to = new URL(target);
  let silenceMs = 0;
  const open = new Set<Socket>();
  const clients = new Set<Socket>();
  const listener = createServer((client) => {
    const server = connect(Number(to.port), to.hostname);
    const end = () => {
      client.destroy();
      server.destroy();
    };
    for (const socket of [client, server]) {
      open.add(socket);
      socket.on('error', end);
      socket.on('close', () => {
        open.delete(socket);
        end();
      });
    }
    client.pipe(server);
    server.pipe(client);
    // Bytes of either direction pass this socket.
    client.setTimeout(silenceMs);
    client.on('timeout', () => {
      // After a stall of this very process bytes may lie unread: then it was not silent.
      const passed = client.bytesRead + client.bytesWritten;
      setImmediate(() => {
        if (client.bytesRead + client.bytesWritten === passed) end();
      });
    });
    clients.add(client);
    client.on('close', () => clients.delete(client));
  });
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const { port } = listener.address() as AddressInfo;
  return {
    endpoint: `http://127.0.0.1:${port}${to.pathname}`,
    send(next) {
      to = new URL(next);
    },
    bear(ms) {
      silenceMs = ms;
      for (const client of clients) client.setTimeout(ms);
    },
    async [Symbol.asyncDispose]() {
      for (const socket of open) socket.destroy();
      listener.close();
      await once(listener, 'close');
    },
  };
}
