/**
 * Specs for tests that write logs without a front end.
 */
import { formatTaskId, SPEC_VERSION, type TaskSpec } from '@taskstream/core';
import { nanoid } from 'nanoid';

export function testSpec(overrides: Partial<TaskSpec> = {}): TaskSpec {
  const taskId = formatTaskId({ retentionClass: 'd', shard: 0 }, nanoid(22));
  return {
    v: SPEC_VERSION,
    taskId,
    tool: 'count',
    arguments: {},
    owner: 'local',
    createdAt: new Date().toISOString(),
    ttlMs: 3_600_000,
    pollIntervalMs: 1_000,
    queue: 'default',
    priority: 5,
    fairnessKey: 'local',
    attemptsMax: 3,
    clientCapabilities: {},
    ...overrides,
  };
}
