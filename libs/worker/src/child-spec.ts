/**
 * From a spawn to the spec of a child task.
 *
 * Invariants: pure; the id follows from the parent's id and the child's name, so that a later attempt finds the same
 * child: it lives in its parent's stream, and is as hard to guess as the parent's id; a child expires with its parent.
 */
import { createHash } from 'node:crypto';
import {
  formatTaskId,
  parseTaskId,
  SPEC_VERSION,
  TASK_ID_RANDOM_LENGTH,
  type TaskSpec,
  type ToolDefinition,
} from '@taskstream/core';

export interface ChildRequest {
  readonly parent: TaskSpec;
  readonly name: string;
  readonly tool: ToolDefinition;
  readonly input: Readonly<Record<string, unknown>>;
  readonly queue: string | undefined;
  readonly priority: number | undefined;
  readonly abandon: boolean;
  readonly asks: boolean;
  readonly nowMs: number;
}

/** Before what nobody has ranked: what has begun is finished first, and fewer tasks wait for children at a time. */
const CHILD_PRIORITY = 2;

export function childSpec(request: ChildRequest): TaskSpec {
  const { parent, name, tool, input, nowMs } = request;
  const expiresAtMs = parent.ttlMs === null ? undefined : Date.parse(parent.createdAt) + parent.ttlMs;
  return {
    v: SPEC_VERSION,
    taskId: childTaskId(parent.taskId, name),
    tool: tool.name,
    arguments: { ...input },
    owner: parent.owner,
    createdAt: new Date(nowMs).toISOString(),
    ttlMs: expiresAtMs === undefined ? null : Math.max(1, expiresAtMs - nowMs),
    pollIntervalMs: tool.pollIntervalMs,
    queue: request.queue ?? tool.queue,
    priority: request.priority ?? Math.min(parent.priority, CHILD_PRIORITY),
    fairnessKey: parent.fairnessKey,
    attemptsMax: tool.attemptsMax,
    // A question of a child that nobody follows would wait for ever.
    clientCapabilities: request.asks ? { ...parent.clientCapabilities } : {},
    ...(parent.traceparent !== undefined && { traceparent: parent.traceparent }),
    parent: {
      taskId: parent.taskId,
      name,
      depth: (parent.parent?.depth ?? 0) + 1,
      abandoned: request.abandon,
    },
    requestDigest: createHash('sha256')
      .update(JSON.stringify([tool.name, input]))
      .digest('base64url'),
  };
}

/** 132 bits of a digest whose secret is the parent's id. */
export function childTaskId(parentTaskId: string, name: string): string {
  const place = parseTaskId(parentTaskId);
  if (place === undefined) throw new RangeError('the parent has no task id');
  const digest = createHash('sha256').update(JSON.stringify(['taskstream child', parentTaskId, name]));
  return formatTaskId(place, digest.digest('base64url').slice(0, TASK_ID_RANDOM_LENGTH));
}
