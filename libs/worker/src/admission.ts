/**
 * Whether a claimed task may begin now: it is due, and no limit over all workers is in its way.
 *
 * Invariant: pure.
 */
import type { RunningLimit, TaskSpec } from '@taskstream/core';
import type { Tool } from './define-tool.js';

/** The limits that a task runs under. `tool` is undefined on a worker that does not have it. */
export function limitsOf(
  spec: TaskSpec,
  tool: Tool | undefined,
  ownerRunningMax: number | undefined,
): ReadonlyArray<RunningLimit> {
  const limits: RunningLimit[] = [];
  if (tool?.runningMax !== undefined) {
    // A subject token has no dots, and no tool's name has a tilde.
    limits.push({ scope: `tool-${spec.tool.replaceAll('.', '~')}`, max: tool.runningMax });
  }
  // A child runs in its parent's place: waiting for another one, the parent could wait for ever.
  if (ownerRunningMax !== undefined && spec.parent === undefined)
    limits.push({ scope: `owner-${spec.fairnessKey}`, max: ownerRunningMax });
  return limits;
}

/** Milliseconds until a task may start. */
export function dueInMs(spec: TaskSpec, nowMs: number): number {
  return spec.startAt === undefined ? 0 : Math.max(0, Date.parse(spec.startAt) - nowMs);
}
