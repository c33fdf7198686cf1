/**
 * What looks like guessing, as metrics and log lines.
 */
import type { LimitHit } from '@taskstream/core';
import type { Metrics } from '@taskstream/service-host';
import type { Logger } from 'pino';
import type { AttemptObserver } from './owned-tasks.js';

export function observeAttempts(metrics: Metrics, logger: Logger, limitHit: LimitHit): AttemptObserver {
  const unknown = metrics.counter({
    name: 'unknown_task_requests',
    unit: 'none',
    help: 'Requests for tasks that do not exist, have expired, or belong to somebody else',
  });
  return {
    unknownTask: () => unknown.inc(),
    forgotten: () => limitHit('countedOwnersMax', 'slowed'),
    refused(limit, owner) {
      limitHit(limit);
      logger.warn(
        { limit, owner },
        'an owner asks too often and is refused; see what its client does, or raise the limit',
      );
    },
  };
}
