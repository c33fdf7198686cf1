/**
 * The worker as a service: connect, provision, publish the tools, run.
 *
 * Invariant: it claims nothing before its tools are in the catalogue, and nothing after a drain has begun.
 */
import { isTaskstreamError, type LimitHit } from '@taskstream/core';
import {
  connectBroker,
  observeConnection,
  observeStore,
  openQuestionLeases,
  openStore,
  openToolPublisher,
  provision,
  startLeaseKeeper,
  storeOptionsOf,
  watchToolCatalogue,
  type Broker,
  type LeaseKeeper,
  type Store,
} from '@taskstream/jetstream';
import {
  countLimits,
  createMetrics,
  createOpsHandler,
  createReadiness,
  natsUnreachable,
  NO_TRACING,
  startOpsServer,
  startTracing,
  taskLogger,
  type OpsServer,
  type ReadyInfo,
} from '@taskstream/service-host';
import { WorkerRuntime, type WorkerObserver } from '@taskstream/worker';
import { nanoid } from 'nanoid';
import type { Logger } from 'pino';
import { traceAttempts } from './attempt-traces.js';
import type { WorkerConfig } from './config.js';
import { loadTools } from './load-tools.js';

export class WorkerService {
  readonly #config: WorkerConfig;
  readonly #logger: Logger;
  readonly #metrics = createMetrics({ service: 'worker' });
  readonly #readiness = createReadiness(['nats', 'tools']);
  #tracing = NO_TRACING;
  #broker: Broker | undefined;
  #store: Store | undefined;
  #catalogue: { close(): void } | undefined;
  #keeper: LeaseKeeper | undefined;
  #runtime: WorkerRuntime | undefined;
  #sweeper: { close(): Promise<void> } | undefined;
  #ops: OpsServer | undefined;

  constructor(config: WorkerConfig, logger: Logger) {
    this.#config = config;
    this.#logger = logger;
  }

  async start(): Promise<ReadyInfo> {
    const config = this.#config;
    const options = storeOptionsOf(config);
    const tools = await loadTools(config.tools, config.auditRoots);
    if (config.opsPort !== undefined) {
      const handler = createOpsHandler({
        readiness: this.#readiness,
        registry: this.#metrics.registry,
        logger: this.#logger,
      });
      this.#ops = await startOpsServer(handler, config.opsPort, config.opsHost);
    }
    const worker = `w${process.pid}-${nanoid(8)}`;
    const limitHit = countLimits(this.#metrics);
    this.#tracing = await startTracing(config, {
      service: 'worker',
      instance: worker,
      onFault: (error, spans) =>
        this.#logger.warn({ err: error, spans }, 'spans were dropped: the receiver of traces (tracesUrl) took none'),
    });
    const connection = {
      servers: config.natsUrl,
      connectMsMax: config.connectMsMax,
      pingMs: config.natsPingMs,
      readTimeoutMs: config.readTimeoutMs,
      ...(config.natsToken !== undefined && { auth: { token: config.natsToken } }),
    };
    const broker = await connectBroker({
      ...connection,
      name: `taskstream worker ${worker}`,
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
    const report = await provision(broker, options);
    this.#logger.info(report, 'streams are as configured');
    // It may have gone again meanwhile; then its return says so.
    if (broker.connected) this.#readiness.pass('nats');
    await (await openToolPublisher(broker, options)).publish(tools.map((t) => t.definition));
    this.#readiness.pass('tools');
    this.#keeper = await startLeaseKeeper({
      connection: { ...connection, name: `taskstream lease keeper ${worker}` },
      leaseMs: options.leaseMs,
      blockedMsMax: config.blockedMsMax,
      onFault: (error) =>
        this.#logger.error(
          { err: error },
          'the lease keeper ended: a tool that blocks the event loop now loses its lease',
        ),
    });
    observeConnection(this.#metrics, broker);
    const observers = traceAttempts(this.#tracing, {
      worker: this.#observer(limitHit),
      store: observeStore(this.#metrics, this.#logger, limitHit),
    });
    this.#store = openStore(broker, options, observers.store, this.#keeper);
    const catalogue = await watchToolCatalogue(broker, options, (tool, why) =>
      this.#logger.warn({ tool, why }, 'a tool definition is left out; its worker may be of another version'),
    );
    this.#catalogue = catalogue;
    const runtime = new WorkerRuntime({
      tools,
      attempts: this.#store.attempts,
      work: this.#store.work,
      children: { tasks: this.#store.tasks, events: this.#store.events, catalogue },
      options: { ...config, worker, limitHit },
      observer: observers.worker,
    });
    this.#runtime = runtime;
    this.#metrics.gauge({
      name: 'running_attempts',
      unit: 'none',
      help: 'Attempts that run on this worker now',
      collect: (gauge) => gauge.set(runtime.running),
    });
    runtime.start();
    const leases = await openQuestionLeases(broker, options);
    this.#sweeper = this.#store.startSweeper({ leases, catalogue, holder: worker });
    return {
      worker,
      tools: tools.map((t) => t.definition.name),
      ...(this.#ops !== undefined && { ops: this.#ops.url }),
    };
  }

  async stop(): Promise<void> {
    this.#readiness.fail('draining', 'this worker is shutting down');
    await this.#runtime?.drain();
    await this.#sweeper?.close();
    this.#catalogue?.close();
    this.#store?.close();
    await this.#keeper?.close();
    await this.#broker?.close();
    await this.#tracing.stop();
    await this.#ops?.close();
  }

  #observer(limitHit: LimitHit): WorkerObserver {
    const started = this.#metrics.counter({
      name: 'attempts_started',
      unit: 'none',
      help: 'Attempts that began here, by cause; lease_lost: their predecessor lost its lease',
      labels: ['tool', 'cause'],
    });
    const wait = this.#metrics.histogram({
      name: 'queue_wait',
      unit: 'seconds',
      help: 'From the queueing of a task, or the time that it was due, to the start of its attempt; first and woken attempts',
      labels: ['tool'],
      buckets: [0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300, 1_800],
    });
    const ended = this.#metrics.counter({
      name: 'attempts_ended',
      unit: 'none',
      help: 'Attempts that ended here, by tool and by how',
      labels: ['tool', 'how'],
    });
    const duration = this.#metrics.histogram({
      name: 'attempt_duration',
      unit: 'seconds',
      help: 'From the start of an attempt to its end',
      labels: ['tool'],
      buckets: [0.01, 0.1, 1, 10, 60, 600, 3_600],
    });
    const doubts = this.#metrics.counter({
      name: 'leases_in_doubt',
      unit: 'none',
      help: 'Times that a lease could not be extended in time',
    });
    const ignored = this.#metrics.counter({
      name: 'stops_ignored',
      unit: 'none',
      help: 'Tools that were abandoned because they did not stop when told to',
      labels: ['tool'],
    });
    const late = this.#metrics.counter({
      name: 'late_emits',
      unit: 'none',
      help: 'Events of abandoned tools that were refused',
      labels: ['tool'],
    });
    const released = this.#metrics.counter({
      name: 'items_released',
      unit: 'none',
      help: 'Work items that were let go without an attempt',
    });
    return {
      attemptStarted: ({ cause, tool, waitMs, ...context }) => {
        // Alerts see the first of them only when they have seen none before.
        started.inc({ tool, cause: 'lease_lost' }, 0);
        ignored.inc({ tool }, 0);
        started.inc({ tool, cause });
        if (waitMs !== undefined) wait.observe({ tool }, waitMs / 1_000);
        taskLogger(this.#logger, context).info({ tool, cause, waitMs }, 'attempt started');
      },
      stepEnded: () => undefined,
      attemptEnded: ({ how, ms, error, tool, ...context }) => {
        ended.inc({ tool, how });
        duration.observe({ tool }, ms / 1_000);
        const log = taskLogger(this.#logger, context);
        if (how !== 'silent') log.info({ tool, how, ms: Math.round(ms) }, 'attempt ended');
        else log.warn({ tool, how, err: error }, 'attempt stopped without a word; its lease will bring the task back');
      },
      stopIgnored: ({ tool, why, graceMs, ...context }) => {
        ignored.inc({ tool });
        const what = 'the tool did not stop when told to; it is abandoned, and may still be running in this process';
        taskLogger(this.#logger, context).warn({ tool, why, graceMs }, what);
      },
      lateEmit: ({ tool, type, ...context }) => {
        late.inc({ tool });
        taskLogger(this.#logger, context).debug({ tool, type }, 'an event after the end of its attempt was refused');
      },
      leaseInDoubt: ({ gapMs, ...context }) => {
        doubts.inc();
        taskLogger(this.#logger, context).warn({ gapMs: Math.round(gapMs) }, 'lease in doubt: confirming the attempt');
      },
      released: ({ why, limit, ...context }) => {
        released.inc();
        if (limit !== undefined) limitHit(limit);
        taskLogger(this.#logger, context).info({ why }, 'item released without an attempt');
      },
      pullFailed: ({ queue, error }) =>
        this.#logger.warn(
          { queue, err: error },
          'pulling work failed; trying again, look at NATS and its stream WORK if it lasts',
        ),
      stuck: ({ abandoned }) => {
        this.#logger.fatal({ abandoned }, 'every slot is held by a tool that does not stop: ending this worker');
        // The same way out as from outside: a supervisor starts a fresh one.
        process.kill(process.pid, 'SIGTERM');
      },
      itemFailed: ({ error, ...context }) => {
        // A broker that does not answer is no error of the item.
        const level = isTaskstreamError(error, 'log_unavailable') ? 'warn' : 'error';
        taskLogger(this.#logger, context)[level](
          { err: error },
          'an item could not be worked on; its lease will bring it back',
        );
      },
    };
  }
}
