import { TaskEvent, TASK_STATUSES, STREAM_END_REASONS, StreamEnd, SystemEvent } from '@taskstream/protocol';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkEvent } from '../src/event-check.js';
import { ShapeError } from '../src/shape.js';
import { parseDetailedTask, parseMessage, parseStreamEnd, resultType } from '../src/wire.js';
import { WireFault } from '../src/wire-fault.js';
import { parseToolPage } from '../src/wire-tools.js';
import { event, TASK, task } from './support/fake-server.js';

/** Something near an event: each member is right, wrong or absent. */
const nearEvent = fc.record(
  {
    seq: fc.oneof(fc.nat(), fc.constantFrom(-1, 1.5, 2 ** 53, '1', null, Number.NaN)),
    taskId: fc.oneof(fc.constant(TASK), fc.constantFrom('', 1, null)),
    type: fc.oneof(fc.constant('a.b'), fc.constantFrom('', 1, null)),
    payload: fc.oneof(fc.dictionary(fc.string(), fc.jsonValue()), fc.constantFrom([], 'x', null, 1)),
    more: fc.jsonValue(),
  },
  { requiredKeys: [] },
);

function accepts(params: unknown): boolean {
  try {
    return checkEvent(params, TASK).event !== undefined;
  } catch (error) {
    expect(error).toBeInstanceOf(WireFault);
    return false;
  }
}

describe('events', () => {
  it('are accepted exactly when the schema of the protocol accepts them', () => {
    fc.assert(
      fc.property(fc.oneof(nearEvent, fc.jsonValue()), (params) => {
        expect(accepts(params)).toBe(TaskEvent.safeParse(params).success);
      }),
      { numRuns: 2_000 },
    );
  });

  it('are handed on unchanged, with unknown members', () => {
    const params = event(3, { future: true });
    expect(checkEvent(params, TASK)).toEqual({ event: params, remarks: [] });
  });

  it('are refused with the field, what was expected and what came', () => {
    const fault = new WireFault('malformed_event', 'Malformed event: payload: expected an object, got string');
    expect(() => checkEvent(event(0, { payload: 'secret' }), TASK)).toThrow(fault);
  });

  it('of another task are left out', () => {
    expect(checkEvent(event(0, { taskId: 'other' }), TASK)).toEqual({
      event: undefined,
      remarks: [{ fault: 'foreign_task_event', message: 'Event 0 belongs to another task' }],
    });
  });
});

describe('the end of a stream', () => {
  it('has the reasons and statuses of the protocol', () => {
    for (const reason of STREAM_END_REASONS) {
      for (const status of TASK_STATUSES) {
        const end = StreamEnd.parse({ reason, status, nextSeq: 4 });
        expect(parseStreamEnd({ _meta: { 'dev.taskstream/stream': end } })).toEqual(end);
      }
    }
  });

  it.each([{}, { _meta: null }, { _meta: { 'dev.taskstream/stream': { reason: 'new', nextSeq: -1 } } }])(
    '%j says nothing',
    (result) => {
      expect(parseStreamEnd(result)).toEqual({ reason: undefined, status: undefined, nextSeq: undefined });
    },
  );
});

describe('messages', () => {
  it.each([
    ['{', 'expected JSON'],
    ['[]', 'message: expected an object, got array'],
    ['{}', 'message.jsonrpc'],
    ['{"jsonrpc":"2.0"}', 'message.result: expected an object, got nothing'],
    ['{"jsonrpc":"2.0","method":1}', 'message.method: expected a string, got integer'],
    ['{"jsonrpc":"2.0","id":1,"error":{"code":"x"}}', 'error.code: expected an integer, got string'],
  ])('%s is refused: %s', (text, problem) => {
    expect(() => parseMessage(text)).toThrow(ShapeError);
    expect(() => parseMessage(text)).toThrow(problem);
  });

  it('never throw anything else', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
        try {
          expect(parseMessage(text)).toHaveProperty('kind');
        } catch (error) {
          expect(error).toBeInstanceOf(ShapeError);
        }
      }),
    );
  });
});

describe('tasks', () => {
  it.each(['working', 'completed', 'failed', 'cancelled'])('%s', (status) => {
    expect(parseDetailedTask(task(status), TASK).status).toBe(status);
  });

  it.each([
    [{ status: 'paused' }, 'task.status: expected one of working'],
    [{ ttlMs: 'long' }, 'task.ttlMs: expected a non-negative integer or null, got string'],
    [{ createdAt: 5 }, 'task.createdAt: expected a string, got integer'],
    [{ pollIntervalMs: -1 }, 'task.pollIntervalMs'],
    [{ resultType: 'task' }, 'resultType: expected one of complete, got "task"'],
    [{ status: 'completed', result: undefined }, 'task.result: expected an object, got nothing'],
    [{ status: 'input_required' }, 'task.inputRequests: expected an object, got nothing'],
    [{ status: 'input_required', inputRequests: { a: { params: {} } } }, 'inputRequests.a.method'],
  ])('%j is refused', (over, problem) => {
    expect(() => parseDetailedTask(task('working', over), TASK)).toThrow(problem);
  });

  it('keep an error that is no JSON-RPC error as data', () => {
    const odd = parseDetailedTask(task('failed', { error: { why: 'x' }, statusMessage: 'broken' }), TASK);
    expect(odd.error).toEqual({ code: -32603, message: 'broken', data: { why: 'x' } });
  });
});

describe('other results', () => {
  it('refuse unknown result types and take a missing one as complete', () => {
    expect(resultType({}, ['complete'])).toBe('complete');
    expect(resultType({ resultType: 'task' }, ['complete', 'task'])).toBe('task');
    expect(() => resultType({ resultType: 'x' }, ['complete'])).toThrow(WireFault);
    expect(() => resultType({ resultType: 5 }, ['complete'])).toThrow('got no string');
  });

  it('name the tool that is malformed', () => {
    expect(() => parseToolPage({ tools: [{ name: 'a', inputSchema: {} }, { name: 'b' }] })).toThrow(
      'tools.1.inputSchema: expected an object, got nothing',
    );
  });
});

it('the status event has the name that the handle looks for', () => {
  expect(SystemEvent.taskStatus).toBe('dev.taskstream.task.status');
});
