/**
 * Every bound of the event log, the readers, the mailbox and the work queue, with its default.
 *
 * Invariants: no number of this kind is written anywhere else in the library; services take these keys over into
 * their own configuration.
 */
import type { RetentionClass } from '@taskstream/core';
import * as z from 'zod';

const ms = z.int().positive();
const bytes = z.int().positive();
const count = z.int().positive();
const DAY_MS = 86_400_000;

/** One class as text: a name, a colon, its longest ttl in milliseconds; nothing after the colon: without age. */
const RetentionClassText = z
  .string()
  .regex(/^[a-z]{1,8}:\d*$/, 'expected a class such as d:86400000 or p:')
  .transform((text): RetentionClass => {
    const [name = '', ttl = ''] = text.split(':');
    return { name, ttlMsMax: ttl === '' ? null : Number(ttl) };
  });

export const storeOptionsShape = {
  retentionClasses: z
    .array(RetentionClassText)
    .min(1)
    .prefault(['h:3600000', `d:${DAY_MS}`, `w:${7 * DAY_MS}`, 'p:'])
    .meta({ description: 'Retention classes and the longest ttl of each in milliseconds; p: is without age' }),
  shards: count.max(64).default(1).meta({ description: 'Streams per retention class; new tasks are spread over them' }),
  replicas: z.int().min(1).max(5).default(1).meta({ description: 'JetStream replicas of every stream' }),
  streamBytesMax: bytes.default(4 * 1024 ** 3).meta({ description: 'max_bytes of each TASKS stream' }),
  messageBytesMax: bytes.default(1024 * 1024).meta({ description: 'max_msg_size of each TASKS stream' }),
  packsPerTaskMax: count.default(200_000).meta({ description: 'Stored packs per task before its oldest go' }),
  retentionSlackMs: ms.default(3_600_000).meta({ description: 'Time that expired data stay readable for cleaning up' }),

  payloadBytesMax: bytes.default(256 * 1024).meta({ description: 'Largest payload of one event, as JSON' }),
  packEventsMax: count.default(200).meta({ description: 'Most events in one pack' }),
  packBytesMax: bytes.default(256 * 1024).meta({ description: 'A pack is closed when it reaches this size' }),
  emitQueueBytesMax: bytes.default(16 * 1024 * 1024).meta({ description: 'Events of one attempt not yet durable' }),
  lingerMsMax: z.int().nonnegative().default(50).meta({ description: 'Longest wait to fill a pack' }),
  lingerAboveRttMs: ms.default(8).meta({ description: 'Acks slower than this make a writer linger' }),
  publishTimeoutMs: ms.default(2_000).meta({ description: 'Wait for one ack before the same pack is sent again' }),
  publishRetryMsMax: ms
    .default(30_000)
    .meta({ description: 'Time to keep sending a pack while JetStream has no leader' }),

  feedRingBytesMax: bytes.default(512 * 1024).meta({ description: 'Recent packs kept per followed task' }),
  feedRingsBytesMax: bytes
    .default(256 * 1024 * 1024)
    .meta({ description: 'Recent packs kept over all followed tasks' }),
  feedLingerMs: ms.default(10_000).meta({
    description: 'A feed without readers is kept so long for resumes; a new feed begins with the packs of so long ago',
  }),
  tailCheckMs: ms.default(2_000).meta({ description: 'Silence after which the tail of a followed task is checked' }),
  tailCheckMsMax: ms.default(10_000).meta({ description: 'Longest interval between tail checks of a live task' }),
  historyBatchMessages: count.default(256).meta({ description: 'Packs per page of a replay' }),
  historyBatchBytes: bytes.default(1024 * 1024).meta({ description: 'Bytes per page of a replay' }),
  historyStallMs: ms.default(2_000).meta({ description: 'A page that brings nothing for so long is asked again' }),
  historyRetriesMax: count.default(20).meta({ description: 'Fruitless pages in a row before a replay gives up' }),
  leaderReadsMax: count.default(32).meta({ description: 'Reads from stream leaders at a time, per node' }),
  readTimeoutMs: ms.default(5_000).meta({ description: 'Wait for one read' }),
  readRetryMsMax: ms.default(20_000).meta({ description: 'Time to keep reading while JetStream has no leader' }),
  snapshotCacheMax: count.default(20_000).meta({ description: 'Specs kept in memory per node' }),

  purgeMessages: count.default(1_000).meta({ description: 'Packs of a deleted task that are removed in one step' }),

  mailboxEntriesMax: count.default(1_000).meta({ description: 'Commands per task' }),
  steerEntriesMax: count.default(500).meta({
    description:
      'Commands per task above which no steer, pause or resume is taken: the rest is for answers and cancels',
  }),
  steerBytesMax: bytes.default(16 * 1024).meta({ description: 'Largest steer, message and data as JSON' }),
  mailboxCheckMs: ms.default(5_000).meta({ description: 'Interval of reading a mailbox besides its live tail' }),
  wakeRetryMsMax: ms
    .default(5_000)
    .meta({ description: 'Time to keep waking a suspended task while its old work item is still there' }),
  leaseMs: ms.default(15_000).meta({ description: 'A claimed task without a heartbeat for so long is claimed again' }),
  sweepEveryMs: ms.max(20_000).default(15_000).meta({
    description: 'Wait between two sweeps over all tasks; one node at a time sweeps, under a lease of 30 s',
  }),
  sweepTasksMax: count.default(50).meta({ description: 'Tasks that a sweep looks at in one step' }),
  sweepRestMs: ms.default(200).meta({ description: 'Rest of a sweep after each step' }),
  sweepKnownMax: count
    .default(200_000)
    .meta({ description: 'Ended tasks that a sweep remembers and does not look at again' }),
  claimMsMax: ms.default(20_000).meta({ description: 'Longest wait of one pull for work' }),
  runningTasksMax: count.default(100_000).meta({ description: 'Claimed tasks at a time, per queue (max_ack_pending)' }),
  ownerLineMax: count
    .default(20)
    .meta({ description: 'Tasks of one owner in the ordinary lines of a queue, per priority; more wait in the last' }),
  workBytesMax: bytes.default(1024 ** 3).meta({ description: 'max_bytes of the WORK stream' }),
} as const;

export const StoreOptions = z.strictObject(storeOptionsShape);
export type StoreOptions = z.infer<typeof StoreOptions>;

/** The options among the keys of a service's configuration, which has been parsed by its own schema. */
export function storeOptionsOf(config: StoreOptions): StoreOptions {
  const keys = Object.keys(storeOptionsShape) as Array<keyof StoreOptions>;
  return Object.fromEntries(keys.map((key) => [key, config[key]])) as StoreOptions;
}
