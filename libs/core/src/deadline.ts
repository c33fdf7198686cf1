/**
 * When a task is over whatever its attempts do: its ttl, or the longest time that its tool gives it.
 *
 * Invariant: pure.
 */
import type { StatusPayload } from '@taskstream/protocol';
import type { TaskSpec } from './spec.js';

export interface Deadline {
  readonly atMs: number;
  /** How the task ends then. */
  readonly status: StatusPayload;
}

/** The earlier of the two; undefined when the task may go on for ever. `tool` is undefined where it is not known. */
export function deadlineOf(
  spec: TaskSpec,
  tool: { readonly taskTimeoutMs?: number | undefined } | undefined,
): Deadline | undefined {
  const createdAtMs = Date.parse(spec.createdAt);
  const deadlines: Deadline[] = [];
  if (spec.ttlMs !== null) {
    deadlines.push(deadline(createdAtMs + spec.ttlMs, `The task expired ${spec.ttlMs} ms after its creation`));
  }
  if (tool?.taskTimeoutMs !== undefined) {
    const fromMs = spec.startAt === undefined ? createdAtMs : Date.parse(spec.startAt);
    deadlines.push(deadline(fromMs + tool.taskTimeoutMs, `The task took longer than ${tool.taskTimeoutMs} ms`));
  }
  return deadlines.toSorted((a, b) => a.atMs - b.atMs)[0];
}

function deadline(atMs: number, message: string): Deadline {
  return { atMs, status: { status: 'failed', statusMessage: message, error: { code: -32603, message } } };
}
