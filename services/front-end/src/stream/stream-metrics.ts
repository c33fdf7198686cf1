/**
 * What streams tell, as metrics and log lines.
 */
import { isTaskstreamError, type Pack } from '@taskstream/core';
import { EVENT_META_KEY } from '@taskstream/protocol';
import { taskLogger, type Metrics } from '@taskstream/service-host';
import type { Logger } from 'pino';
import type { OpenStreams } from './open-streams.js';
import type { StreamObserver } from './stream-writer.js';

/** One event in this time is measured, whatever the number of streams. */
const LAG_SAMPLE_MS = 100;

export function observeStreams(
  metrics: Metrics,
  logger: Logger,
  streams: OpenStreams,
  events: { readonly feeds: number },
): StreamObserver {
  metrics.gauge({
    name: 'open_streams',
    unit: 'none',
    help: 'tasks/stream responses that are open on this node',
    collect: (gauge) => gauge.set(streams.count),
  });
  metrics.gauge({
    name: 'followed_tasks',
    unit: 'none',
    help: 'Tasks whose live tail this node follows',
    collect: (gauge) => gauge.set(events.feeds),
  });
  const delivered = metrics.counter({
    name: 'events_delivered',
    unit: 'none',
    help: 'Events written to clients, replayed and live',
  });
  const bytes = metrics.counter({ name: 'delivered', unit: 'bytes', help: 'Bytes of events written to clients' });
  const lag = metrics.histogram({
    name: 'delivery_lag',
    unit: 'seconds',
    help: 'From the time of an event to its writing to a client, of events that came live; ten a second are measured, by the clocks of worker and node',
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
  });
  let lagMeasuredAt = Number.NEGATIVE_INFINITY;
  const replay = metrics.histogram({
    name: 'replay_duration',
    unit: 'seconds',
    help: 'From the opening of a stream to the writing of everything that lay in the log then, of streams that had to replay',
    buckets: [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 120],
  });
  const ended = metrics.counter({
    name: 'streams_ended',
    unit: 'none',
    help: 'Streams that ended, by reason; client means that the client closed it',
    labels: ['reason'],
  });
  return {
    delivered(count, size) {
      delivered.inc(count);
      bytes.inc(size);
    },
    live(pack) {
      const now = performance.now();
      if (now - lagMeasuredAt < LAG_SAMPLE_MS) return;
      lagMeasuredAt = now;
      const at = timeOfLast(pack);
      if (at !== undefined) lag.observe(Math.max(0, Date.now() - at) / 1_000);
    },
    caughtUp: (ms) => replay.observe(ms / 1_000),
    ended: (reason) => ended.inc({ reason }),
    failed(taskId, error, traceparent) {
      const log = taskLogger(logger, { taskId, traceparent });
      if (isTaskstreamError(error) && !error.retryable) log.info({ code: error.code }, 'a stream was refused');
      else log.warn({ err: error }, 'a stream ended early; its client resumes');
    },
  };
}

/** What comes before the time in the line of an event; it cannot occur inside a string, which escapes its quotes. */
const BEFORE_TIME = `"${EVENT_META_KEY}":{"at":"`;
const TIME_LENGTH = '2026-01-01T00:00:00.000Z'.length;

/** When the last event of a pack was made, epoch milliseconds; undefined when it does not say. */
function timeOfLast({ data }: Pack): number | undefined {
  const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  const found = bytes.lastIndexOf(BEFORE_TIME);
  if (found < 0) return undefined;
  const at = found + BEFORE_TIME.length;
  const time = Date.parse(bytes.toString('latin1', at, at + TIME_LENGTH));
  return Number.isNaN(time) ? undefined : time;
}
