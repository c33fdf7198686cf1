/**
 * The connection to NATS as the rest of the library uses it.
 *
 * Invariants: it reconnects for ever; whether it is connected now is known, because messages that are published while
 * it is not would be sent late, by somebody who may no longer be entitled to send them.
 */
import { jetstream, jetstreamManager, type JetStreamClient, type JetStreamManager } from '@nats-io/jetstream';
import { connect, type ConnectionOptions, type NatsConnection } from '@nats-io/transport-node';

export interface Broker {
  readonly nc: NatsConnection;
  readonly js: JetStreamClient;
  readonly jsm: JetStreamManager;
  readonly connected: boolean;
  /** Counts disconnections: a change between two looks means that messages may have been missed. */
  readonly disconnections: number;
  /** Called after each reconnect and after each election of a stream leader. Returns an unsubscribe function. */
  onDisturbance(listener: (what: 'reconnect' | 'leader_elected') => void): () => void;
  close(): Promise<void>;
}

export interface BrokerOptions {
  readonly servers: string | string[];
  readonly name: string;
  /** Bound of the first connection; later ones are tried for ever. */
  readonly connectMsMax: number;
  /** Interval of pings; a server that has not answered two is left for another. 2,000 when absent. */
  readonly pingMs?: number;
  readonly readTimeoutMs: number;
  readonly auth?: Pick<ConnectionOptions, 'authenticator' | 'user' | 'pass' | 'token' | 'tls'>;
  /** Told about disconnects, reconnects and protocol errors. */
  readonly onStatus?: (type: string, detail: string) => void;
}

const LEADER_ELECTED = '$JS.EVENT.ADVISORY.STREAM.LEADER_ELECTED.>';

/** Of one attempt to connect: a server at its `max_connections` closes the connection, and the client waits on. */
const ATTEMPT_MS_MAX = 5_000;

/** @throws the client's own error when no server answers within `connectMsMax` */
export async function connectBroker(options: BrokerOptions): Promise<Broker> {
  const nc = await connectWithin(options);
  const js = jetstream(nc, { timeout: options.readTimeoutMs });
  const jsm = await jetstreamManager(nc, { checkAPI: false, timeout: options.readTimeoutMs });
  const listeners = new Set<(what: 'reconnect' | 'leader_elected') => void>();
  let connected = true;
  let disconnections = 0;
  const tell = (what: 'reconnect' | 'leader_elected') => {
    for (const listener of listeners) listener(what);
  };
  nc.subscribe(LEADER_ELECTED, { callback: () => tell('leader_elected') });
  const watching = (async () => {
    for await (const s of nc.status()) {
      if (s.type === 'disconnect') {
        connected = false;
        disconnections++;
      }
      if (s.type === 'reconnect') {
        connected = true;
        tell('reconnect');
      }
      if (s.type === 'close') connected = false;
      options.onStatus?.(s.type, 'error' in s ? s.error.message : 'server' in s ? s.server : '');
    }
  })();
  return {
    nc,
    js,
    jsm,
    get connected() {
      return connected;
    },
    get disconnections() {
      return disconnections;
    },
    onDisturbance(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    async close() {
      listeners.clear();
      await nc.close();
      await watching;
    },
  };
}

async function connectWithin(options: BrokerOptions): Promise<NatsConnection> {
  const deadline = Date.now() + options.connectMsMax;
  for (let waitMs = 100; ; waitMs = Math.min(waitMs * 2, 2_000)) {
    try {
      return await connect({
        servers: options.servers,
        name: options.name,
        maxReconnectAttempts: -1,
        timeout: Math.min(options.connectMsMax, ATTEMPT_MS_MAX),
        reconnectTimeWait: 100,
        reconnectJitter: 100,
        pingInterval: options.pingMs ?? 2_000,
        maxPingOut: 2,
        noAsyncTraces: true,
        // Else the client gives up for good after two refusals, as when a token is changed on the servers first.
        ignoreAuthErrorAbort: true,
        ...options.auth,
      });
    } catch (error) {
      if (Date.now() + waitMs >= deadline) throw error;
      await new Promise((resolve) => setTimeout(resolve, waitMs));
    }
  }
}
