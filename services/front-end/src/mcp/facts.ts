/**
 * From a spec or a snapshot to the facts that projections take.
 */
import type { TaskSnapshot, TaskSpec } from '@taskstream/core';
import type { TaskFacts } from '@taskstream/protocol';

/** The facts of a task that has just been made. */
export function freshFacts(spec: TaskSpec): TaskFacts {
  const { taskId, createdAt, ttlMs, pollIntervalMs } = spec;
  return { taskId, createdAt, lastUpdatedAt: createdAt, ttlMs, pollIntervalMs };
}

/** The snapshot of a task that has just been made: its only event states that it works. */
export function freshSnapshot(spec: TaskSpec): TaskSnapshot {
  return { spec, status: { status: 'working' }, statusUpdatedAt: spec.createdAt, nextSeq: 1, paused: false };
}

export function factsOf(snapshot: TaskSnapshot): TaskFacts {
  return { ...freshFacts(snapshot.spec), lastUpdatedAt: snapshot.statusUpdatedAt };
}
