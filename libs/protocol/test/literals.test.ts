/** The literals that cross the wire, pinned: names, frames, headers, reasons, system events. */
import { describe, expect, it } from 'vitest';
import * as protocol from '../src/index.js';

describe('pinned literals', () => {
  it('pins the _meta keys, extension ids, method and notification', () => {
    expect(protocol.RELATED_TASK_META_KEY).toBe('io.modelcontextprotocol/related-task');
    expect(protocol.EVENT_META_KEY).toBe('dev.taskstream/event');
    expect(protocol.STREAM_META_KEY).toBe('dev.taskstream/stream');
    expect(protocol.IDEMPOTENCY_META_KEY).toBe('dev.taskstream/idempotencyKey');
    expect(protocol.PRIORITY_META_KEY).toBe('dev.taskstream/priority');
    expect(protocol.DELAY_META_KEY).toBe('dev.taskstream/delayMs');
    expect(protocol.TRACEPARENT_META_KEY).toBe('traceparent');
    expect(protocol.TASKS_EXTENSION).toBe('io.modelcontextprotocol/tasks');
    expect(protocol.STREAMS_EXTENSION).toBe('dev.taskstream/event-streams');
    expect(protocol.STEERING_EXTENSION).toBe('dev.taskstream/steering');
    expect(protocol.TASK_META_KEY).toBe('dev.taskstream/task');
    expect(protocol.TOOL_META_KEY).toBe('dev.taskstream/tool');
    expect(protocol.STEER_METHOD).toBe('dev.taskstream/steer');
    expect(protocol.PAUSE_METHOD).toBe('dev.taskstream/pause');
    expect(protocol.RESUME_METHOD).toBe('dev.taskstream/resume');
    expect(protocol.DELETE_METHOD).toBe('dev.taskstream/delete');
    expect(protocol.STREAM_METHOD).toBe('tasks/stream');
    expect(protocol.EVENT_NOTIFICATION).toBe('notifications/tasks/event');
  });

  it('pins the statuses, the terminal ones and the reasons of an end', () => {
    expect(protocol.TASK_STATUSES).toEqual(['working', 'input_required', 'completed', 'failed', 'cancelled']);
    expect(protocol.TERMINAL_STATUSES).toEqual(['completed', 'failed', 'cancelled']);
    expect(protocol.STREAM_END_REASONS).toEqual(['terminal', 'draining', 'rotated', 'slow-reader', 'expired']);
    for (const status of protocol.TASK_STATUSES) {
      expect(protocol.isTerminal(status)).toBe((protocol.TERMINAL_STATUSES as readonly string[]).includes(status));
    }
  });

  it('pins the system events', () => {
    expect(protocol.SYSTEM_EVENT_PREFIX).toBe('dev.taskstream.');
    expect(protocol.SystemEvent).toEqual({
      taskStatus: 'dev.taskstream.task.status',
      attemptStarted: 'dev.taskstream.attempt.started',
      attemptEnded: 'dev.taskstream.attempt.ended',
      progress: 'dev.taskstream.task.progress',
      taskSteered: 'dev.taskstream.task.steered',
      taskPaused: 'dev.taskstream.task.paused',
      taskResumed: 'dev.taskstream.task.resumed',
      childSpawned: 'dev.taskstream.child.spawned',
      childEnded: 'dev.taskstream.child.ended',
      stepCompleted: 'dev.taskstream.step.completed',
      stepFailed: 'dev.taskstream.step.failed',
      stepRecalled: 'dev.taskstream.step.recalled',
      checkpointSaved: 'dev.taskstream.checkpoint.saved',
    });
  });
});

describe('system event payloads', () => {
  it('accepts each cause and each reason, and nothing else', () => {
    for (const cause of ['first', 'retry', 'lease_lost', 'handed_over']) {
      expect(protocol.AttemptStarted.safeParse({ attempt: 1, worker: 'w', cause }).success).toBe(true);
    }
    expect(protocol.AttemptStarted.safeParse({ attempt: 1, worker: 'w', cause: 'other' }).success).toBe(false);
    expect(protocol.AttemptStarted.safeParse({ attempt: 0, worker: 'w', cause: 'first' }).success).toBe(false);
    expect(protocol.AttemptStarted.safeParse({ attempt: 1, cause: 'first' }).success).toBe(false);
    for (const reason of ['error', 'timeout', 'handed_over']) {
      expect(protocol.AttemptEnded.safeParse({ attempt: 1, reason }).success).toBe(true);
    }
    expect(protocol.AttemptEnded.safeParse({ attempt: 1, reason: 'first' }).success).toBe(false);
    expect(protocol.AttemptEnded.safeParse({ attempt: -1, reason: 'error' }).success).toBe(false);
    expect(protocol.ProgressPayload.safeParse({ progress: 0.5, total: 2, message: 'm' }).success).toBe(true);
    expect(protocol.ProgressPayload.safeParse({ progress: '1' }).success).toBe(false);
  });

  it('accepts the identity members and no others, none of them empty or longer than 200', () => {
    const names = ['itemId', 'parentItemId', 'toolCallId', 'agentId', 'parentTaskId'];
    expect(protocol.EventIdentity.parse({})).toEqual({});
    for (const name of names) {
      expect(protocol.EventIdentity.safeParse({ [name]: 'x'.repeat(200) }).success).toBe(true);
      expect(protocol.EventIdentity.safeParse({ [name]: 'x'.repeat(201) }).success).toBe(false);
      expect(protocol.EventIdentity.safeParse({ [name]: '' }).success).toBe(false);
      expect(protocol.EventIdentity.safeParse({ [name]: 1 }).success).toBe(false);
    }
    for (const name of ['at', 'attempt', 'worker', 'itemid', 'other']) {
      expect(protocol.EventIdentity.safeParse({ [name]: 'x' }).success).toBe(false);
    }
  });
});
