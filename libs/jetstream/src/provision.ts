/**
 * Makes the streams, consumers and buckets be as the configuration wants them, as often as it is called.
 *
 * Invariants: a limit is only ever raised, because the server deletes history at once when one is lowered; what
 * cannot be changed safely is refused with the name of the setting and both values.
 */
import { TaskstreamError, type RetentionClass, type TaskPlace } from '@taskstream/core';
import {
  AckPolicy,
  DeliverPolicy,
  DiscardPolicy,
  RetentionPolicy,
  StorageType,
  StoreCompression,
  type StreamConfig,
} from '@nats-io/jetstream';
import { nanos } from '@nats-io/transport-node';
import type { Broker } from './broker.js';
import {
  LAYOUT_METADATA_KEY,
  LAYOUT_VERSION,
  LIVE_PREFIX,
  queueConsumer,
  queueSubjects,
  streamName,
  streamSubjects,
  WORK_STREAM,
  WORK_SUBJECTS,
} from './names.js';
import { isNatsFault } from './nats-errors.js';
import type { StoreOptions } from './options.js';
import { whileUnavailable } from './waiting.js';

type WantedStream = Partial<StreamConfig> & { name: string };

/** What provisioning did, for the log of the service. */
export interface ProvisionReport {
  readonly created: string[];
  readonly raised: string[];
  /** Settings that are larger in the server than in the configuration, and stay. */
  readonly kept: string[];
}

/** @throws TaskstreamError provision_refused, log_unavailable */
export async function provision(broker: Broker, options: StoreOptions): Promise<ProvisionReport> {
  const report: ProvisionReport = { created: [], raised: [], kept: [] };
  for (const retentionClass of options.retentionClasses) {
    for (let shard = 0; shard < options.shards; shard++) {
      await ensureStream(
        broker,
        taskStream({ retentionClass: retentionClass.name, shard }, retentionClass, options),
        report,
      );
    }
  }
  await ensureStream(broker, workStream(options), report);
  return report;
}

/** Makes the durable consumer of a queue. Its `ack_wait` is the lease. */
export async function provisionQueue(broker: Broker, options: StoreOptions, queue: string): Promise<void> {
  await whileUnavailable(`creating the consumer of queue ${queue}`, options.readRetryMsMax, () =>
    broker.jsm.consumers.add(WORK_STREAM, {
      durable_name: queueConsumer(queue),
      filter_subject: queueSubjects(queue),
      ack_policy: AckPolicy.Explicit,
      deliver_policy: DeliverPolicy.All,
      ack_wait: nanos(options.leaseMs),
      max_deliver: -1,
      max_ack_pending: options.runningTasksMax,
      max_waiting: 10_000,
    }),
  );
}

function taskStream(place: TaskPlace, retentionClass: RetentionClass, options: StoreOptions): WantedStream {
  const ageMs = retentionClass.ttlMsMax === null ? 0 : retentionClass.ttlMsMax + options.retentionSlackMs;
  return {
    name: streamName(place),
    subjects: streamSubjects(place),
    retention: RetentionPolicy.Limits,
    storage: StorageType.File,
    discard: DiscardPolicy.New,
    num_replicas: options.replicas,
    max_age: nanos(ageMs),
    max_bytes: options.streamBytesMax,
    max_msgs_per_subject: options.packsPerTaskMax,
    max_msg_size: options.messageBytesMax,
    allow_direct: true,
    compression: StoreCompression.S2,
    republish: { src: '>', dest: `${LIVE_PREFIX}>` },
    metadata: { [LAYOUT_METADATA_KEY]: LAYOUT_VERSION },
  };
}

function workStream(options: StoreOptions): WantedStream {
  return {
    name: WORK_STREAM,
    subjects: [WORK_SUBJECTS],
    retention: RetentionPolicy.Workqueue,
    storage: StorageType.File,
    discard: DiscardPolicy.New,
    discard_new_per_subject: true,
    num_replicas: options.replicas,
    max_msgs_per_subject: 1,
    max_bytes: options.workBytesMax,
    allow_direct: true,
    metadata: { [LAYOUT_METADATA_KEY]: LAYOUT_VERSION },
  };
}

async function ensureStream(broker: Broker, wanted: WantedStream, report: ProvisionReport): Promise<void> {
  await whileUnavailable(`provisioning ${wanted.name}`, 30_000, async () => {
    const existing = await readConfig(broker, wanted.name);
    if (existing === undefined) {
      try {
        await broker.jsm.streams.add(wanted);
        report.created.push(wanted.name);
        return;
      } catch (error) {
        // Another node may have made it meanwhile.
        if ((await readConfig(broker, wanted.name)) === undefined) throw refineCreateError(wanted, error);
        return await ensureStream(broker, wanted, report);
      }
    }
    const { raise, kept } = reconcile(existing, wanted);
    report.kept.push(...kept.map((k) => `${wanted.name}.${k}`));
    if (Object.keys(raise).length === 0) return;
    await broker.jsm.streams.update(wanted.name, { ...existing, ...raise });
    report.raised.push(...Object.keys(raise).map((k) => `${wanted.name}.${k}`));
  });
}

async function readConfig(broker: Broker, name: string): Promise<StreamConfig | undefined> {
  try {
    return (await broker.jsm.streams.info(name)).config;
  } catch (error) {
    if (isNatsFault(error, 'not_found')) return undefined;
    throw error;
  }
}

function refineCreateError(wanted: WantedStream, error: unknown): unknown {
  if (isNatsFault(error, 'unavailable')) return error;
  const why = error instanceof Error ? error.message : String(error);
  return new TaskstreamError(
    'provision_refused',
    `Creating the stream ${wanted.name} with ${wanted.num_replicas} replicas failed: ${why}`,
    {
      cause: error,
    },
  );
}

/** 0 and -1 mean "without a limit" for every limit of a stream. */
function limit(value: number | undefined): number {
  return value === undefined || value <= 0 ? Number.POSITIVE_INFINITY : value;
}

const GROWING = ['max_age', 'max_bytes', 'max_msgs_per_subject', 'max_msg_size'] as const;

/** Pure: what to raise, what stays larger than wanted. @throws TaskstreamError provision_refused */
export function reconcile(
  existing: StreamConfig,
  wanted: WantedStream,
): { raise: Partial<StreamConfig>; kept: string[] } {
  const refuse = (setting: string, is: unknown, want: unknown): never => {
    throw new TaskstreamError(
      'provision_refused',
      `The stream ${wanted.name} has ${setting} ${JSON.stringify(is)}, the configuration wants ${JSON.stringify(want)}`,
      { details: { stream: wanted.name, setting } },
    );
  };
  const layout = existing.metadata?.[LAYOUT_METADATA_KEY];
  if (layout !== LAYOUT_VERSION) refuse('layout version', layout ?? null, LAYOUT_VERSION);
  if (JSON.stringify(existing.subjects.toSorted()) !== JSON.stringify((wanted.subjects ?? []).toSorted())) {
    refuse('subjects', existing.subjects, wanted.subjects);
  }
  for (const fixed of ['retention', 'storage', 'discard', 'compression'] as const) {
    if (wanted[fixed] !== undefined && existing[fixed] !== wanted[fixed]) refuse(fixed, existing[fixed], wanted[fixed]);
  }
  const replicas = wanted.num_replicas ?? 1;
  if (replicas < existing.num_replicas) refuse('num_replicas', existing.num_replicas, replicas);
  const raise: Partial<StreamConfig> = {};
  const kept: string[] = [];
  if (replicas > existing.num_replicas) raise.num_replicas = replicas;
  for (const key of GROWING) {
    if (wanted[key] === undefined || (key === 'max_msgs_per_subject' && wanted[key] === 1)) continue;
    const is = limit(existing[key]);
    const want = limit(wanted[key]);
    if (want > is) raise[key] = Number.isFinite(want) ? want : (wanted[key] as number);
    else if (want < is) kept.push(key);
  }
  return { raise, kept };
}
