/**
 * What every part stands on: nats-servers of its own, a provisioned store, and a bare connection beside it.
 */
import { connectBroker, type Broker, type Store, type StoreOptions } from '@taskstream/jetstream';
import { connectStore, startCluster, startNats } from '../support/nats.js';
import { startFrontEnd, stopAll, type FrontEnd } from '../support/system.js';

export interface Ground extends AsyncDisposable {
  readonly urls: string[];
  /** The processes of the nats-servers. */
  readonly natsPids: readonly number[];
  readonly replicas: number;
  readonly store: Store;
  readonly broker: Broker;
  /** A connection that nothing of ours uses: for the figures of the bare client. */
  readonly bare: Broker;
  /** Counts of packs and events that this process has appended so far. */
  readonly appended: { packs: number; events: number };
  /** Another bare connection; who asks for it closes it. */
  connect(): Promise<Broker>;
  /** A front end process, with what its environment sets. It is ended with the ground. */
  frontEnd(env?: Record<string, string>): Promise<FrontEnd>;
}

/** `syncInterval`: when the nats-servers write through to the disk; absent: as they do by themselves. */
export async function layGround(
  nodes: 1 | 3,
  overrides: Partial<StoreOptions> = {},
  syncInterval?: string,
): Promise<Ground> {
  const stack = new AsyncDisposableStackLike();
  try {
    const urls: string[] = [];
    const natsPids: number[] = [];
    if (nodes === 1) {
      const nats = stack.use(await startNats(syncInterval));
      urls.push(nats.url);
      natsPids.push(nats.server.pid);
    } else {
      const nats = stack.use(await startCluster(syncInterval));
      urls.push(...nats.urls);
      natsPids.push(...nats.cluster.nodes.map((node) => node.pid));
    }
    const appended = { packs: 0, events: 0 };
    const { store, broker } = stack.use(
      await connectStore(
        urls,
        { replicas: nodes, ...overrides },
        {
          packAppended: (events) => {
            appended.packs++;
            appended.events += events;
          },
        },
      ),
    );
    const connect = () => connectBroker({ servers: urls, name: 'bare', connectMsMax: 10_000, readTimeoutMs: 10_000 });
    const bare = await connect();
    stack.defer(() => bare.close());
    return {
      urls,
      natsPids,
      replicas: nodes,
      store,
      broker,
      bare,
      connect,
      appended,
      async frontEnd(env = {}) {
        const frontEnd = await startFrontEnd(urls, {
          TASKSTREAM_REPLICAS: String(nodes),
          TASKSTREAM_LOG_LEVEL: 'warn',
          TASKSTREAM_STREAMS_PER_OWNER_MAX: '100000',
          TASKSTREAM_DRAIN_SPREAD_MS: '0',
          ...env,
        });
        stack.defer(() => stopAll([frontEnd], 'SIGKILL'));
        return frontEnd;
      },
      [Symbol.asyncDispose]: () => stack[Symbol.asyncDispose](),
    };
  } catch (error) {
    await stack[Symbol.asyncDispose]();
    throw error;
  }
}

/** Ends what was started, the latest first. Node 20 has no AsyncDisposableStack. */
class AsyncDisposableStackLike implements AsyncDisposable {
  readonly #ends: Array<() => PromiseLike<void>> = [];

  use<T extends AsyncDisposable>(resource: T): T {
    this.defer(() => resource[Symbol.asyncDispose]());
    return resource;
  }

  defer(end: () => PromiseLike<void>): void {
    this.#ends.push(end);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const end of this.#ends.splice(0).toReversed()) await end();
  }
}
