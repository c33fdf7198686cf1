/**
 * What looks like guessing, as metrics and log lines.
 */
import type { Metrics } from '@taskstream/service-host';
import type { Logger } from 'pino';
import type { AttemptObserver } from './owned-tasks.js';

export function observeAttempts(metrics: Metrics, logger: Logger): AttemptObserver {
  const unknown = metrics.counter({
    name: 'unknown_task_requests',
    unit: 'none',
    help: 'Requests for tasks that do not exist, have expired, or belong to somebody else',
  });
  const refused = metrics.counter({
    name: 'requests_refused',
    unit: 'none',
    help: 'Requests that were refused because their owner made too many of their kind, by the limit',
    labels: ['limit'],
  });
  return {
    unknownTask: () => unknown.inc(),
    refused(limit, owner) {
      refused.inc({ limit });
      logger.warn({ limit, owner }, 'an owner asks too often');
    },
  };
}
