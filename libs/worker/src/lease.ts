/**
 * Keeps the lease of an item while its attempt runs.
 *
 * Invariant: after a gap longer than the lease the attempt is confirmed by its log before anything is sent, because the
 * item may be somebody else's by then.
 */
import type { AttemptLog, ClaimedItem } from '@taskstream/core';
import type { WorkerObserver } from './worker-options.js';

const BEATS_PER_LEASE = 3;

/** Until `over` aborts. `claimedAtMs`, on the clock of `performance`: the lease may run out while an attempt is begun. */
export function keepLease(
  item: ClaimedItem,
  log: AttemptLog,
  { leaseMs, claimedAtMs }: { readonly leaseMs: number; readonly claimedAtMs: number },
  observer: WorkerObserver,
  over: AbortSignal,
): void {
  let extendedAt = claimedAtMs;
  let confirming = false;
  const extend = () => {
    if (item.extend()) extendedAt = performance.now();
  };
  const timer = setInterval(() => {
    if (confirming) return;
    const gapMs = performance.now() - extendedAt;
    if (gapMs <= leaseMs) return extend();
    confirming = true;
    observer.leaseInDoubt({ taskId: item.taskId, attempt: log.attempt, gapMs });
    log
      .confirm()
      .then(extend)
      .catch(() => undefined)
      .finally(() => {
        confirming = false;
      });
  }, leaseMs / BEATS_PER_LEASE);
  over.addEventListener('abort', () => clearInterval(timer));
}
