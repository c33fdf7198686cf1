/** The task and the end of a stream in the shapes of 2025-11-25, pinned. */
import { describe, expect, it } from 'vitest';
import { projectTask2025, status2025, streamResult2025, TASK_STATUSES, type TaskFacts } from '../src/index.js';

const facts: TaskFacts = {
  taskId: 't',
  createdAt: '2026-11-22T10:00:00.000Z',
  lastUpdatedAt: '2026-11-22T10:00:05.000Z',
  ttlMs: 60_000,
  pollIntervalMs: 1_000,
};

describe('status2025', () => {
  it('is the stored status, but for a result that is a tool error', () => {
    for (const status of TASK_STATUSES) {
      expect(status2025({ status })).toBe(status);
      expect(status2025({ status, isError: false })).toBe(status);
      expect(status2025({ status, isError: true })).toBe(status === 'completed' ? 'failed' : status);
    }
  });
});

describe('projectTask2025', () => {
  it('pins the flat task and its member order', () => {
    expect(JSON.stringify(projectTask2025(facts, { status: 'working', statusMessage: 'halfway' }))).toBe(
      '{"taskId":"t","status":"working","statusMessage":"halfway","createdAt":"2026-11-22T10:00:00.000Z",' +
        '"lastUpdatedAt":"2026-11-22T10:00:05.000Z","ttl":60000,"pollInterval":1000}',
    );
  });

  it.each(TASK_STATUSES)('of %s inlines nothing and has no members of 2026', (status) => {
    const full = { status, result: { content: [] }, error: { code: 1, message: 'm' }, inputRequests: { k: {} } };
    expect(projectTask2025({ ...facts, ttlMs: null }, full)).toStrictEqual({
      taskId: 't',
      status,
      createdAt: '2026-11-22T10:00:00.000Z',
      lastUpdatedAt: '2026-11-22T10:00:05.000Z',
      ttl: null,
      pollInterval: 1_000,
    });
  });

  it('shows a tool error as failed', () => {
    const status = { status: 'completed', isError: true, result: { content: [], isError: true } } as const;
    expect(projectTask2025(facts, status)).toMatchObject({ status: 'failed' });
  });
});

describe('streamResult2025', () => {
  it('pins the result of tasks/stream: related task and reason, no resultType', () => {
    const end = { reason: 'draining', status: 'working', nextSeq: 7 } as const;
    expect(JSON.stringify(streamResult2025(end, 't'))).toBe(
      '{"_meta":{"io.modelcontextprotocol/related-task":{"taskId":"t"},' +
        '"dev.taskstream/stream":{"reason":"draining","status":"working","nextSeq":7}}}',
    );
  });
});
