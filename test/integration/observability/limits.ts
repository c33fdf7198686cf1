/**
 * Every bound in the configurations of front end and worker, and where it is seen that it was reached.
 *
 * `hit` and `slowed` are counted under the key; `seen` names another metric or sign; `quiet` says why nothing is kept
 * back from anybody.
 */
export type LimitRow =
  | { readonly how: 'hit' | 'slowed' | 'both' }
  | { readonly how: 'seen' | 'quiet'; readonly what: string };

const hit = { how: 'hit' } as const;
const slowed = { how: 'slowed' } as const;
const both = { how: 'both' } as const;
const seen = (what: string): LimitRow => ({ how: 'seen', what });
const quiet = (what: string): LimitRow => ({ how: 'quiet', what });
const metric = (name: string) => `\`taskstream_${name}\``;

const ends = quiet('the process ends, its last log line says why');
const step = quiet('size of a step or a wait; what is over follows in the next');
const cache = quiet('what a node remembers; the rest is read again');

export const LIMITS: Readonly<Record<string, LimitRow>> = {
  requestBytesMax: hit,
  requestDepthMax: hit,
  refusedBodyMsMax: quiet('the request was refused and counted before'),
  streamsPerOwnerMax: hit,
  streamsMax: hit,
  streamOpensPerMinuteMax: hit,
  unknownTasksPerMinuteMax: hit,
  countedOwnersMax: slowed,
  slowReaderMsMax: seen(metric('streams_ended_total{reason="slow-reader"}')),
  streamAgeMsMax: seen(metric('streams_ended_total{reason="rotated"}')),
  sessionMsMax: quiet('the client opens another session'),
  requestStateMsMax: quiet('the client calls again'),
  callMsMax: hit,
  progressPerSecondMax: slowed,

  streamBytesMax: hit,
  messageBytesMax: hit,
  payloadBytesMax: hit,
  packsPerTaskMax: quiet('NATS drops the oldest packs; readers are told by `events_gone`'),
  emitQueueBytesMax: both,
  publishRetryMsMax: seen(metric('append_failures_total{code="log_unavailable"}')),
  readRetryMsMax: quiet('the request or attempt fails with `log_unavailable`, its client or its lease tries again'),
  wakeRetryMsMax: quiet('the sweep wakes the task'),
  historyRetriesMax: seen(metric('streams_ended_total')),
  leaderReadsMax: slowed,
  mailboxEntriesMax: hit,
  steerEntriesMax: hit,
  steerBytesMax: hit,
  ownerLineMax: slowed,
  runningTasksMax: seen(metric('queue_running_tasks')),
  workBytesMax: seen(metric('stream_fill_ratio{stream="WORK"}')),
  shards: quiet('a number of streams'),
  packEventsMax: step,
  packBytesMax: step,
  lingerMsMax: step,
  tailCheckMsMax: step,
  sweepTasksMax: step,
  claimMsMax: step,
  feedRingBytesMax: cache,
  feedRingsBytesMax: cache,
  snapshotCacheMax: cache,
  sweepKnownMax: cache,

  slots: seen(metric('running_attempts')),
  ownerRunningMax: seen(metric('limits_hit_total{limit="runningMax"}')),
  limitRetryMsMax: step,
  stepsMax: hit,
  stepResultBytesMax: hit,
  checkpointBytesMax: hit,
  checkpointsMax: hit,
  childrenMax: hit,
  childDepthMax: hit,
  childWaitsMax: slowed,
  blockedMsMax: ends,

  tracesQueueMax: quiet('the library that sends spans drops what is too much, and does not say so'),
  tracesFlushMsMax: quiet('spans that could not be sent are told in the log'),
  connectMsMax: ends,
  startMsMax: ends,
  shutdownMsMax: ends,
  drainMsMax: seen(metric('attempts_ended_total{how="handed_over"}')),
};

const COUNTED = {
  hit: metric('limits_hit_total'),
  slowed: metric('limits_slowed_total'),
  both: `${metric('limits_hit_total')}: refused; ${metric('limits_slowed_total')}: waited`,
} as const;

export function renderLimits(): string[] {
  return [
    '## Limits',
    '',
    'Every bound of the configurations, and where it is seen that it was reached. `limits_hit` counts what was refused or left for later (also `runningMax`, of a tool), `limits_slowed` what waited, went behind others or was left out because a later one says more. `draining` is no key: streams and calls that a node refused or broke off because it shuts down.',
    '',
    '| Bound | Seen by |',
    '|---|---|',
    ...Object.entries(LIMITS).map(
      ([key, row]) =>
        `| \`${key}\` | ${'what' in row ? (row.how === 'quiet' ? 'no metric: ' : '') + row.what : COUNTED[row.how]} |`,
    ),
    '',
  ];
}
