/**
 * From a tool call to the spec of a task.
 *
 * Invariants: pure; ids come from the caller or from owner and idempotency key, so that a retried call finds its task.
 */
import { createHash, createHmac } from 'node:crypto';
import {
  chooseClass,
  formatTaskId,
  PRIORITY_DEFAULT,
  SPEC_VERSION,
  TASK_ID_RANDOM_LENGTH,
  type RetentionClass,
  type TaskSpec,
  type ToolDefinition,
} from '@taskstream/core';

export interface TaskRequest {
  readonly tool: ToolDefinition;
  readonly args: Readonly<Record<string, unknown>>;
  readonly owner: string;
  /** The wanted time to live; it is clamped to what the store keeps. */
  readonly ttlMs: number | null;
  /** Answers that came before the task. */
  readonly given: Readonly<Record<string, unknown>>;
  readonly clientCapabilities: Readonly<Record<string, unknown>>;
  /** Undefined: what the tool says. */
  readonly priority: number | undefined;
  /** Undefined: what the tool says. */
  readonly delayMs: number | undefined;
  readonly idempotencyKey: string | undefined;
  readonly traceparent: string | undefined;
  readonly progressToken: string | number | undefined;
}

export interface TaskRequestContext {
  readonly retentionClasses: ReadonlyArray<RetentionClass>;
  readonly shards: number;
  /** ISO 8601. */
  readonly now: string;
  /** At least 22 characters of A-Z a-z 0-9 _ - with 128 random bits. */
  readonly random: string;
}

export function specOf(request: TaskRequest, context: TaskRequestContext): TaskSpec {
  const { tool, owner } = request;
  const { retentionClass, ttlMs } = chooseClass(context.retentionClasses, request.ttlMs);
  const random = request.idempotencyKey === undefined ? context.random : keyedRandom(owner, request.idempotencyKey);
  const delayMs = request.delayMs ?? tool.delayMs ?? 0;
  const taskId = formatTaskId({ retentionClass: retentionClass.name, shard: shardOf(random, context.shards) }, random);
  return {
    v: SPEC_VERSION,
    taskId,
    tool: tool.name,
    arguments: { ...request.args },
    owner,
    createdAt: context.now,
    ttlMs,
    pollIntervalMs: tool.pollIntervalMs,
    queue: tool.queue,
    priority: request.priority ?? tool.priority ?? PRIORITY_DEFAULT,
    ...(delayMs > 0 && { startAt: new Date(Date.parse(context.now) + delayMs).toISOString() }),
    fairnessKey: digest(owner),
    attemptsMax: tool.attemptsMax,
    clientCapabilities: { ...request.clientCapabilities },
    ...(Object.keys(request.given).length > 0 && { given: { ...request.given } }),
    ...(request.traceparent !== undefined && { traceparent: request.traceparent }),
    ...(request.progressToken !== undefined && { progressToken: request.progressToken }),
    ...(request.idempotencyKey !== undefined && {
      requestDigest: createHash('sha256')
        .update(JSON.stringify([tool.name, request.args]))
        .digest('base64url'),
    }),
  };
}

function keyedRandom(owner: string, key: string): string {
  return createHmac('sha256', owner).update(key).digest('base64url').slice(0, TASK_ID_RANDOM_LENGTH);
}

/** A shard from the random part, so that a retried call names the same one. */
function shardOf(random: string, shards: number): number {
  return createHash('sha256').update(random).digest().readUInt32BE(0) % shards;
}

/** An owner as a subject token. */
function digest(owner: string): string {
  return createHash('sha256').update(owner).digest('base64url').slice(0, 16);
}
