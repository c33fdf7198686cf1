/**
 * In which line of its queue a new task stands.
 *
 * Invariant: of one owner at most `ownerLineMax` tasks stand at one priority, running ones included; while any of its
 * tasks stand in the last line, what it adds stands behind them.
 */
import type { LimitHit, TaskSpec } from '@taskstream/core';
import type { Broker } from './broker.js';
import type { LogReads } from './log-reads.js';
import { ownerSubjects, REST_PRIORITY, WORK_STREAM } from './names.js';
import type { StoreOptions } from './options.js';
import { whileUnavailable } from './waiting.js';

/** The spec, in the line where it belongs. @throws TaskstreamError log_unavailable */
export async function placeInLine(
  broker: Broker,
  reads: LogReads,
  options: StoreOptions,
  spec: TaskSpec,
  limitHit: LimitHit,
): Promise<TaskSpec> {
  if (spec.priority >= REST_PRIORITY) return spec;
  const rest = { ...spec, priority: REST_PRIORITY };
  const [resting, inLine] = await Promise.all([
    reads.directFirstOf(WORK_STREAM, ownerSubjects(rest)),
    itemsOf(broker, options, ownerSubjects(spec)),
  ]);
  if (resting === null && inLine < options.ownerLineMax) return spec;
  limitHit('ownerLineMax', 'slowed');
  return rest;
}

/** Bounded by `ownerLineMax` and by how many are created at once: more never stand there. */
async function itemsOf(broker: Broker, options: StoreOptions, subjects: string): Promise<number> {
  const info = await whileUnavailable('counting work items', options.readRetryMsMax, () =>
    broker.jsm.streams.info(WORK_STREAM, { subjects_filter: subjects }),
  );
  return Object.keys(info.state.subjects ?? {}).length;
}
