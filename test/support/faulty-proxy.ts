/**
 * A TCP proxy that breaks what it carries, as networks do: it refuses, cuts, truncates, stalls and delays, drawn from a
 * seeded source.
 *
 * Invariants: bytes that pass are unchanged and in order; what is not passed is lost together with all that follows it
 * on that connection; a connection that is stalled or delayed keeps at most one chunk here.
 */
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

export const PROXY_FAULTS = ['refuse', 'cut', 'truncate', 'stall', 'delay'] as const;
export type ProxyFault = (typeof PROXY_FAULTS)[number];

export interface FaultyProxyOptions {
  /** From 0 to 1, without 1. */
  readonly random: () => number;
  /** Of the server's bytes, between two faults of a connection. */
  readonly bytesMin: number;
  readonly bytesMax: number;
  readonly stallMsMin: number;
  readonly stallMsMax: number;
  /** Of one chunk. */
  readonly delayMsMax: number;
}

export interface FaultyProxy extends AsyncDisposable {
  readonly port: number;
  readonly faults: Readonly<Record<ProxyFault, number>>;
  /**
   * Milliseconds from a fault that ended or held up the stream of a task to the next event that was passed on for it.
   * Several faults in a row count as one.
   */
  readonly recoveriesMs: readonly number[];
  /** No faults from now on; what is stalled is cut. */
  calm(): void;
}

/** What is lost for a task, over all proxies that it may come through. */
export class Recoveries {
  readonly times: number[] = [];
  readonly #brokenAt = new Map<string, number>();

  broke(taskId: string | undefined): void {
    if (taskId !== undefined && !this.#brokenAt.has(taskId)) this.#brokenAt.set(taskId, performance.now());
  }

  passed(taskId: string | undefined): void {
    const at = taskId === undefined ? undefined : this.#brokenAt.get(taskId);
    if (at === undefined || taskId === undefined) return;
    this.#brokenAt.delete(taskId);
    this.times.push(performance.now() - at);
  }
}

const STREAM_OF = /"method":"tasks\/stream"[^]*?"taskId":"([^"]+)"/;
const EVENT = 'notifications/tasks/event';

/** Listens on a free port of 127.0.0.1 and passes everything on to `target`. */
export async function startFaultyProxy(
  target: URL,
  options: FaultyProxyOptions,
  recoveries = new Recoveries(),
): Promise<FaultyProxy> {
  const { random } = options;
  const faults: Record<ProxyFault, number> = { refuse: 0, cut: 0, truncate: 0, stall: 0, delay: 0 };
  const open = new Set<() => void>();
  const stalled = new Set<() => void>();
  let calm = false;
  const between = (low: number, high: number): number => low + random() * (high - low);

  const listener = createServer((client) => {
    client.on('error', () => undefined);
    if (!calm && random() < 0.05) {
      faults.refuse += 1;
      client.destroy();
      return;
    }
    carry(client, connect({ host: target.hostname, port: Number(target.port) }));
  });

  function carry(client: Socket, server: Socket): void {
    let taskId: string | undefined;
    let fault = next();
    let budget = between(options.bytesMin, options.bytesMax);
    let broken = false;
    const end = (): void => {
      open.delete(end);
      client.destroy();
      server.destroy();
    };
    open.add(end);
    for (const socket of [client, server]) {
      socket.setNoDelay(true);
      socket.on('error', end);
    }
    client.on('close', end);
    server.on('end', () => client.end());
    server.on('close', () => {
      open.delete(end);
      if (!server.readableFlowing) end();
      else client.end();
    });
    client.on('data', (chunk) => {
      taskId = STREAM_OF.exec(chunk.toString('latin1'))?.[1] ?? taskId;
      server.write(chunk);
    });
    const pass = (chunk: Buffer): void => {
      if (!broken && chunk.includes(EVENT)) recoveries.passed(taskId);
      if (client.write(chunk)) return;
      server.pause();
      client.once('drain', () => server.resume());
    };
    const hold = (chunk: Buffer, ms: number, then: () => void): void => {
      server.pause();
      const release = (): void => {
        clearTimeout(timer);
        stalled.delete(release);
        if (client.destroyed) return;
        then();
        pass(chunk);
        server.resume();
      };
      const timer = setTimeout(release, ms);
      stalled.add(release);
    };
    const rearm = (): void => {
      fault = next();
      budget = between(options.bytesMin, options.bytesMax);
    };
    server.on('data', (chunk) => {
      budget -= chunk.length;
      if (calm || fault === undefined) return pass(chunk);
      if (fault === 'delay') {
        if (budget <= 0) rearm();
        return hold(chunk, between(1, options.delayMsMax), () => undefined);
      }
      if (budget > 0) return pass(chunk);
      faults[fault] += 1;
      recoveries.broke(taskId);
      switch (fault) {
        case 'cut':
          broken = true;
          client.resetAndDestroy();
          return end();
        case 'truncate': {
          broken = true;
          server.destroy();
          client.end(chunk.subarray(0, Math.floor(chunk.length / 2)));
          return undefined;
        }
        case 'stall':
          return hold(chunk, between(options.stallMsMin, options.stallMsMax), () => {
            rearm();
            // Half of the stalled connections never come back.
            if (random() < 0.5 && !calm) end();
          });
      }
    });
  }

  function next(): Exclude<ProxyFault, 'refuse'> | undefined {
    const kind = (['cut', 'truncate', 'stall', 'delay', undefined] as const)[Math.floor(random() * 5)];
    if (kind === 'delay') faults.delay += 1;
    return kind;
  }

  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  return {
    port: (listener.address() as AddressInfo).port,
    faults,
    recoveriesMs: recoveries.times,
    calm() {
      calm = true;
      for (const release of stalled) release();
    },
    async [Symbol.asyncDispose]() {
      calm = true;
      for (const end of open) end();
      listener.close();
      await once(listener, 'close');
    },
  };
}
