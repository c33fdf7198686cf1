/**
 * What streams tell, as metrics and log lines.
 */
import { isTaskstreamError } from '@taskstream/core';
import { taskLogger, type Metrics } from '@taskstream/service-host';
import type { Logger } from 'pino';
import type { OpenStreams } from './open-streams.js';
import type { StreamObserver } from './stream-writer.js';

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
    ended: (reason) => ended.inc({ reason }),
    failed(taskId, error) {
      const log = taskLogger(logger, { taskId });
      if (isTaskstreamError(error) && !error.retryable) log.info({ code: error.code }, 'a stream was refused');
      else log.warn({ err: error }, 'a stream ended early; its client resumes');
    },
  };
}
