/**
 * The front end as a service: connect, provision, watch the catalogue, listen; and the same backwards.
 *
 * Invariant: it is ready only while it is connected to NATS and not draining; it is alive regardless of NATS.
 */
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import {
  connectBroker,
  observeConnection,
  observeQueues,
  observeStore,
  observeStreamFill,
  openFrontEndBus,
  openQuestionLeases,
  openStore,
  provision,
  storeOptionsOf,
  watchToolCatalogue,
  type Broker,
  type Store,
} from '@taskstream/jetstream';
import {
  countLimits,
  createMetrics,
  createOpsHandler,
  createReadiness,
  natsUnreachable,
  NO_TRACING,
  ServiceError,
  startOpsServer,
  startTracing,
  type OpsServer,
  type ReadyInfo,
} from '@taskstream/service-host';
import { nanoid } from 'nanoid';
import type { Logger } from 'pino';
import { buildApp, type App } from './app.js';
import { observeAttempts } from './attempt-metrics.js';
import { chooseAuthenticator, resourceMetadata } from './auth/authenticator.js';
import { FrontEndLimits, type FrontEndConfig } from './config.js';
import { CancellableRequests } from './legacy/cancellable-requests.js';
import { Sessions } from './legacy/session.js';
import { OwnedTasks } from './owned-tasks.js';
import { OpenCalls } from './mcp/open-calls.js';
import type { McpParts } from './mcp/parts.js';
import { RequestStates } from './mcp/request-states.js';
import { OpenStreams } from './stream/open-streams.js';
import { observeStreams } from './stream/stream-metrics.js';
import type { StreamParts } from './stream/stream-route.js';
import { ToolArguments } from './tool-arguments.js';

const SERVER_INFO = { name: 'taskstream', version: '0.1.0' };

export class FrontEndService {
  readonly #config: FrontEndConfig;
  readonly #logger: Logger;
  readonly #metrics = createMetrics({ service: 'front_end' });
  readonly #readiness = createReadiness(['nats', 'listening']);
  readonly #calls = new OpenCalls();
  #tracing = NO_TRACING;
  #broker: Broker | undefined;
  #store: Store | undefined;
  #catalogue: { close(): void } | undefined;
  #streams: OpenStreams | undefined;
  #app: App | undefined;
  #sweeper: { close(): Promise<void> } | undefined;
  #cancellable: CancellableRequests | undefined;
  #ops: OpsServer | undefined;

  constructor(config: FrontEndConfig, logger: Logger) {
    this.#config = config;
    this.#logger = logger;
  }

  async start(): Promise<ReadyInfo> {
    const config = this.#config;
    const options = storeOptionsOf(config);
    const limits = FrontEndLimits.parse(config);
    const authenticator = chooseAuthenticator(config);
    const opsHandler = createOpsHandler({
      readiness: this.#readiness,
      registry: this.#metrics.registry,
      logger: this.#logger,
    });
    if (config.opsPort !== undefined) this.#ops = await startOpsServer(opsHandler, config.opsPort, config.opsHost);
    const instance = `f${process.pid}-${nanoid(8)}`;
    const limitHit = countLimits(this.#metrics);
    this.#tracing = await startTracing(config, {
      service: 'front-end',
      instance,
      onFault: (error, spans) =>
        this.#logger.warn({ err: error, spans }, 'spans were dropped: the receiver of traces (tracesUrl) took none'),
    });
    const tracing = this.#tracing;
    const broker = await connectBroker({
      servers: config.natsUrl,
      name: `taskstream front end ${process.pid}`,
      connectMsMax: config.connectMsMax,
      pingMs: config.natsPingMs,
      readTimeoutMs: config.readTimeoutMs,
      ...(config.natsToken !== undefined && { auth: { token: config.natsToken } }),
      onStatus: (type, detail) => {
        if (type === 'disconnect') this.#readiness.fail('nats', 'disconnected');
        if (type === 'reconnect') this.#readiness.pass('nats');
        if (type === 'disconnect')
          this.#logger.warn(
            { detail },
            'lost the connection to NATS; reconnecting for ever, look at the servers if it lasts',
          );
        else if (type !== 'ping') this.#logger.info({ type, detail }, 'nats');
      },
    }).catch((error: unknown) => {
      throw natsUnreachable(config, error);
    });
    this.#broker = broker;
    this.#logger.info(await provision(broker, options), 'streams are as configured');
    // It may have gone again meanwhile; then its return says so.
    if (broker.connected) this.#readiness.pass('nats');
    observeConnection(this.#metrics, broker);
    observeStreamFill(this.#metrics, broker);
    const store = openStore(broker, options, observeStore(this.#metrics, this.#logger, limitHit));
    this.#store = store;
    const catalogue = await watchToolCatalogue(broker, options, (tool, why) =>
      this.#logger.warn({ tool, why }, 'a tool definition is left out; its worker may be of another version'),
    );
    this.#catalogue = catalogue;
    observeQueues(this.#metrics, broker, () => catalogue.list().map((tool) => tool.queue));
    const streams = new OpenStreams(limits, limitHit);
    this.#streams = streams;
    const cancellable = new CancellableRequests(openFrontEndBus(broker));
    this.#cancellable = cancellable;
    const owned = new OwnedTasks(store.tasks, limits, observeAttempts(this.#metrics, this.#logger, limitHit));
    const mcp: McpParts = {
      tasks: store.tasks,
      owned,
      events: store.events,
      catalogue,
      toolArguments: new ToolArguments(),
      requestStates: new RequestStates(config.sessionKey, limits.requestStateMsMax),
      calls: this.#calls,
      retentionClasses: options.retentionClasses,
      shards: options.shards,
      limits,
      limitHit,
      serverInfo: SERVER_INFO,
    };
    const stream: StreamParts = {
      tasks: store.tasks,
      owned,
      events: store.events,
      streams,
      limits,
      observer: observeStreams(this.#metrics, this.#logger, streams, store.events),
      tracing,
      serverInfo: SERVER_INFO,
    };
    if (config.sessionKey === undefined) {
      this.#logger.warn('no sessionKey: sessions of 2025-11-25 clients are good on this node only');
    }
    const questions = await openQuestionLeases(broker, options);
    const app = buildApp({
      mcp,
      stream,
      legacy: {
        mcp,
        stream,
        sessions: new Sessions(config.sessionKey, limits.sessionMsMax),
        cancellable,
        questions,
      },
      authenticator,
      tracing,
      resourceMetadata: resourceMetadata(config),
      allowedHosts: config.allowedHosts,
      allowedOrigins: config.allowedOrigins,
      ops: this.#ops === undefined ? opsHandler : undefined,
      onError: (error) => this.#logger.debug({ err: error }, 'a request was refused'),
      onFault: (error) =>
        this.#logger.error(
          { err: error },
          'a request failed and was answered with an error; please report it with this line',
        ),
    });
    this.#app = app;
    catalogue.onChange(() => app.toolsChanged());
    await this.#listen(app);
    this.#readiness.pass('listening');
    // Also here: with no worker at all, expired and cancelled tasks still have to end.
    this.#sweeper = store.startSweeper({ leases: questions, catalogue, holder: instance });
    const { port } = app.http.server.address() as AddressInfo;
    return {
      endpoint: `http://${config.host.includes(':') ? `[${config.host}]` : config.host}:${port}/mcp`,
      ...(this.#ops !== undefined && { ops: this.#ops.url }),
    };
  }

  async stop(): Promise<void> {
    this.#readiness.fail('draining', 'this front end is shutting down');
    const { drainDelayMs, shutdownMsMax } = this.#config;
    if (this.#app !== undefined) await delay(Math.min(drainDelayMs, shutdownMsMax));
    // On the port of /readyz it would look dead, and a balancer may cut the streams of a dead node.
    if (this.#ops !== undefined) this.#app?.refuseConnections();
    const msMax = Math.max(1_000, shutdownMsMax - drainDelayMs - 2_000);
    await Promise.all([this.#streams?.drain(msMax), this.#calls.drain(msMax)]);
    this.#streams?.close();
    await this.#app?.close();
    this.#cancellable?.close();
    await this.#sweeper?.close();
    this.#catalogue?.close();
    this.#store?.close();
    await this.#broker?.close();
    await this.#tracing.stop();
    await this.#ops?.close();
  }

  async #listen(app: App): Promise<void> {
    const { host, port } = this.#config;
    try {
      await app.http.listen({ host, port });
    } catch (error) {
      throw new ServiceError(`Cannot listen on ${host}:${port}; free the port, or set another one as port`, {
        cause: error,
      });
    }
  }
}
