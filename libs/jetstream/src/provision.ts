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
  type ConsumerConfig,
  type ConsumerUpdateConfig,
  type StreamConfig,
} from '@nats-io/jetstream';
import { nanos } from '@nats-io/transport-node';
import type { Broker } from './broker.js';
import {
  LAYOUT_METADATA_KEY,
  LAYOUT_VERSION,
  lineConsumer,
  LINES,
  lineSubjects,
  LIVE_PREFIX,
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

/**
 * Makes the durable consumers of a queue, one a line. Their `ack_wait` is the lease, and is only ever raised: a worker
 * whose lease is shorter than the consumer's is late at worst, one whose lease is longer would lose its tasks.
 */
export async function provisionQueue(broker: Broker, options: StoreOptions, queue: string): Promise<void> {
  // The line that an older version gave the whole queue to comes first: it makes room for the others.
  for (const line of LINES.toSorted((a, b) => Number(b.name === 'QUEUE') - Number(a.name === 'QUEUE'))) {
    await provisionLine(broker, options, lineConsumer(queue, line), lineSubjects(queue, line));
  }
}

async function provisionLine(broker: Broker, options: StoreOptions, name: string, subjects: string[]): Promise<void> {
  const wanted = { ack_wait: nanos(options.leaseMs), max_ack_pending: options.runningTasksMax };
  await whileUnavailable(`creating the consumer ${name}`, options.readRetryMsMax, async () => {
    let existing = await readConsumer(broker, name);
    if (existing === undefined) {
      try {
        await broker.jsm.consumers.add(WORK_STREAM, {
          durable_name: name,
          filter_subjects: subjects,
          ack_policy: AckPolicy.Explicit,
          deliver_policy: DeliverPolicy.All,
          max_deliver: -1,
          max_waiting: 10_000,
          ...wanted,
        });
        return;
      } catch (error) {
        // Another worker may have made it meanwhile, with a lease of its own.
        existing = await readConsumer(broker, name);
        if (existing === undefined) throw error;
      }
    }
    const raised = {
      ack_wait: Math.max(existing.ack_wait ?? 0, wanted.ack_wait),
      max_ack_pending: Math.max(existing.max_ack_pending ?? 0, wanted.max_ack_pending),
    };
    const same = JSON.stringify(existing.filter_subjects?.toSorted()) === JSON.stringify(subjects.toSorted());
    if (same && raised.ack_wait === existing.ack_wait && raised.max_ack_pending === existing.max_ack_pending) return;
    // The client sends what the consumer has with what is given: an absent key takes the older form of a filter out.
    const change = {
      filter_subject: undefined,
      filter_subjects: subjects,
      ...raised,
    } as unknown as ConsumerUpdateConfig;
    await broker.jsm.consumers.update(WORK_STREAM, name, change);
  });
}

async function readConsumer(broker: Broker, name: string): Promise<ConsumerConfig | undefined> {
  try {
    return (await broker.jsm.consumers.info(WORK_STREAM, name)).config;
  } catch (error) {
    if (isNatsFault(error, 'not_found')) return undefined;
    throw error;
  }
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
        if ((await readConfig(broker, wanted.name)) === undefined) {
          const { name, num_replicas: replicas, max_bytes: maxBytes } = wanted;
          const what = `Creating the stream ${name} with num_replicas ${replicas} and max_bytes ${maxBytes}`;
          throw refineError(what, error);
        }
        return await ensureStream(broker, wanted, report);
      }
    }
    const { raise, kept } = reconcile(existing, wanted);
    report.kept.push(...kept.map((k) => `${wanted.name}.${k}`));
    if (Object.keys(raise).length === 0) return;
    if (raise.num_replicas !== undefined && broker.nc.info?.cluster === undefined) {
      // A lone server takes the number and keeps one copy.
      throw refineError(`Raising num_replicas of the stream ${wanted.name}`, 'the server is not part of a cluster');
    }
    try {
      await broker.jsm.streams.update(wanted.name, { ...existing, ...raise });
    } catch (error) {
      throw refineError(`Raising ${Object.keys(raise).join(', ')} of the stream ${wanted.name}`, error);
    }
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

function refineError(what: string, error: unknown): unknown {
  if (isNatsFault(error, 'unavailable')) return error;
  const why = error instanceof Error ? error.message : String(error);
  return new TaskstreamError('provision_refused', `${what} failed: ${why}`, { cause: error });
}

/** 0 and -1 mean "without a limit" for every limit of a stream. */
function limit(value: number | undefined): number {
  return value === undefined || value <= 0 ? Number.POSITIVE_INFINITY : value;
}

/** Without any of these a log is not what the rest of the library takes it for. */
const FIXED = [
  'retention',
  'storage',
  'discard',
  'discard_new_per_subject',
  'compression',
  'allow_direct',
  'republish',
] as const;
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
  for (const fixed of FIXED) {
    const [is, want] = [existing[fixed] ?? null, wanted[fixed]];
    if (want !== undefined && JSON.stringify(is) !== JSON.stringify(want)) refuse(fixed, is, want);
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
    if (want > is) raise[key] = Number.isFinite(want) ? want : wanted[key];
    else if (want < is) kept.push(key);
  }
  return { raise, kept };
}
