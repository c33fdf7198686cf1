/** The task as a client sees it: pinned projections for 2026-07-28 and the result of `tasks/stream`. */
import { describe, expect, it } from 'vitest';
import {
  projectDetailedTask,
  projectTask,
  StatusPayload,
  StreamEnd,
  streamResult,
  TASK_STATUSES,
  type TaskFacts,
} from '../src/index.js';

const facts: TaskFacts = {
  taskId: 't',
  createdAt: '2026-11-22T10:00:00.000Z',
  lastUpdatedAt: '2026-11-22T10:00:05.000Z',
  ttlMs: 60_000,
  pollIntervalMs: 1_000,
};
const base = {
  taskId: 't',
  createdAt: '2026-11-22T10:00:00.000Z',
  lastUpdatedAt: '2026-11-22T10:00:05.000Z',
  ttlMs: 60_000,
  pollIntervalMs: 1_000,
};

describe('projectTask', () => {
  it('pins the flat task and its member order', () => {
    expect(JSON.stringify(projectTask(facts, { status: 'working', statusMessage: 'halfway' }))).toBe(
      '{"taskId":"t","status":"working","statusMessage":"halfway","createdAt":"2026-11-22T10:00:00.000Z",' +
        '"lastUpdatedAt":"2026-11-22T10:00:05.000Z","ttlMs":60000,"pollIntervalMs":1000}',
    );
  });

  it.each(TASK_STATUSES)('of %s inlines nothing, even when the status carries everything', (status) => {
    const full = { status, result: { content: [] }, error: { code: 1, message: 'm' }, inputRequests: { k: {} } };
    expect(projectTask(facts, full)).toStrictEqual({ ...base, status });
  });

  it('keeps a ttl of null: the member is always present', () => {
    expect(projectTask({ ...facts, ttlMs: null }, { status: 'working' })).toHaveProperty('ttlMs', null);
  });
});

describe('projectDetailedTask', () => {
  const full = {
    result: { content: [{ type: 'text', text: 'r' }], isError: true },
    isError: true,
    error: { code: -32000, message: 'm' },
    inputRequests: { k: { method: 'elicitation/create' } },
  };
  const inlined = {
    working: {},
    input_required: { inputRequests: full.inputRequests },
    completed: { result: { resultType: 'complete', ...full.result } },
    failed: { error: full.error },
    cancelled: {},
  } as const;

  it.each(TASK_STATUSES)('of %s inlines exactly what the status is about', (status) => {
    expect(projectDetailedTask(facts, { status, ...full })).toStrictEqual({ ...base, status, ...inlined[status] });
  });

  it('always has a result, an error or input requests where the extension demands one', () => {
    expect(projectDetailedTask(facts, { status: 'completed' })['result']).toEqual({
      resultType: 'complete',
      content: [],
    });
    expect(projectDetailedTask(facts, { status: 'failed' })['error']).toEqual({ code: -32603, message: 'Task failed' });
    expect(projectDetailedTask(facts, { status: 'input_required' })['inputRequests']).toEqual({});
  });
});

describe('StatusPayload', () => {
  it('accepts every status and keeps members that it does not know', () => {
    for (const status of TASK_STATUSES) {
      expect(StatusPayload.parse({ status, later: 1 })).toEqual({ status, later: 1 });
    }
  });

  it.each([
    {},
    { status: 'queued' },
    { status: 'COMPLETED' },
    { status: 'failed', error: { code: 'x', message: 'm' } },
    { status: 'failed', error: { code: 1.5, message: 'm' } },
    { status: 'failed', error: { code: 1 } },
    { status: 'completed', result: [] },
    { status: 'completed', result: 'done' },
    { status: 'completed', isError: 'no' },
    { status: 'input_required', inputRequests: [] },
  ])('refuses %j', (payload) => {
    expect(StatusPayload.safeParse(payload).success).toBe(false);
  });
});

describe('streamResult', () => {
  it('pins the result of tasks/stream', () => {
    const end = { reason: 'terminal', status: 'completed', nextSeq: 7 } as const;
    expect(JSON.stringify(streamResult(end, { name: 'taskstream', version: '1.0.0' }))).toBe(
      '{"resultType":"complete","_meta":{"io.modelcontextprotocol/serverInfo":{"name":"taskstream","version":"1.0.0"},' +
        '"dev.taskstream/stream":{"reason":"terminal","status":"completed","nextSeq":7}}}',
    );
  });

  it.each([
    { reason: 'done', status: 'completed', nextSeq: 7 },
    { reason: 'terminal', status: 'done', nextSeq: 7 },
    { reason: 'terminal', status: 'completed', nextSeq: -1 },
    { reason: 'terminal', status: 'completed', nextSeq: 1.5 },
    { reason: 'terminal', status: 'completed' },
  ])('a reader refuses the end %j', (end) => {
    expect(StreamEnd.safeParse(end).success).toBe(false);
  });
});
