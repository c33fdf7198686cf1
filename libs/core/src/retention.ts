/**
 * Decisions about time and space: which class a task belongs to, whether it has expired, what a filling stream still
 * accepts, when a status must be stated again.
 *
 * Invariants: expiry is logical (`createdAt + ttlMs`), ages on the server only clean up afterwards; a stream keeps
 * room for endings when it no longer has room for beginnings.
 */

/** A retention class. `ttlMsMax` null: tasks without an age. */
export interface RetentionClass {
  readonly name: string;
  readonly ttlMsMax: number | null;
}

/** The smallest class that can hold a task of this ttl, and the ttl it gets there: clamped to the largest class. */
export function chooseClass(
  classes: ReadonlyArray<RetentionClass>,
  ttlMs: number | null,
): { readonly retentionClass: RetentionClass; readonly ttlMs: number | null } {
  const aged = classes
    .filter((c): c is RetentionClass & { ttlMsMax: number } => c.ttlMsMax !== null)
    .toSorted((a, b) => a.ttlMsMax - b.ttlMsMax);
  const ageless = classes.find((c) => c.ttlMsMax === null);
  if (ttlMs === null && ageless !== undefined) return { retentionClass: ageless, ttlMs: null };
  const largest = aged.at(-1);
  if (largest === undefined) {
    if (ageless === undefined) throw new RangeError('no retention class is configured');
    return { retentionClass: ageless, ttlMs: null };
  }
  const wanted = ttlMs ?? largest.ttlMsMax;
  const retentionClass = aged.find((c) => wanted <= c.ttlMsMax) ?? largest;
  return { retentionClass, ttlMs: Math.min(wanted, retentionClass.ttlMsMax) };
}

/** Whether a task has expired. Times are epoch milliseconds. */
export function isExpired(createdAtMs: number, ttlMs: number | null, nowMs: number): boolean {
  return ttlMs !== null && nowMs >= createdAtMs + ttlMs;
}

/** What wants to be written. Endings and mailbox entries may use the last share of a stream. */
export type WriteKind = 'creation' | 'event' | 'ending';

/** The share of `max_bytes` up to which each kind is accepted. */
export const FILL_SHARE_MAX: Readonly<Record<WriteKind, number>> = { creation: 0.8, event: 0.95, ending: 1 };

/** `bytesMax` -1 means without a limit. */
export function admits(kind: WriteKind, bytesUsed: number, bytesMax: number): boolean {
  return bytesMax < 0 || bytesUsed <= bytesMax * FILL_SHARE_MAX[kind];
}

/** Whether a status must be stated again, before `packsPerTaskMax` pushes the latest out of the window. */
export function statusDue(packsSinceStatus: number, packsPerTaskMax: number): boolean {
  return packsPerTaskMax > 0 && packsSinceStatus >= Math.max(1, Math.floor(packsPerTaskMax / 2));
}
