/** Every error's shape on the wire, pinned: a change here breaks deployed clients. */
import { describe, expect, it } from 'vitest';
import * as errors from '../src/errors.js';

describe('wire errors', () => {
  it('pins the codes', () => {
    expect(errors.WireCode).toEqual({
      parseError: -32700,
      invalidRequest: -32600,
      methodNotFound: -32601,
      invalidParams: -32602,
      internalError: -32603,
      eventsGone: -32010,
      headerMismatch: -32020,
      missingClientCapability: -32021,
      unsupportedProtocolVersion: -32022,
    });
  });

  const shapes: Record<string, { made: unknown; wanted: unknown }> = {
    eventsGone: {
      made: errors.eventsGone('t', 100),
      wanted: {
        code: -32010,
        message: 'Task events are no longer available; the earliest is 100. Omit after to read what is left.',
        data: { reason: 'events_gone', taskId: 't', earliestSeq: 100 },
      },
    },
    cursorAhead: {
      made: errors.cursorAhead('t', 9, 5),
      wanted: {
        code: -32602,
        message: 'Invalid params for tasks/stream: after: 9 is ahead of the task, whose next event is 5',
        data: { reason: 'cursor_ahead', taskId: 't', nextSeq: 5 },
      },
    },
    unknownTask: {
      made: errors.unknownTask(),
      wanted: { code: -32602, message: 'Unknown task: it does not exist, has expired, or is not yours' },
    },
    streamActive: {
      made: errors.streamActive('t'),
      wanted: {
        code: -32602,
        message: 'This connection already has an active tasks/stream for the task; cancel it before opening another',
        data: { reason: 'stream_active', taskId: 't' },
      },
    },
    invalidParams: { made: errors.invalidParams('why'), wanted: { code: -32602, message: 'why' } },
    missingTasksCapability: {
      made: errors.missingTasksCapability(),
      wanted: {
        code: -32021,
        message: 'Missing required client capability: declare the extension io.modelcontextprotocol/tasks',
        data: { requiredCapabilities: { extensions: { 'io.modelcontextprotocol/tasks': {} } } },
      },
    },
    headerMismatch: { made: errors.headerMismatch('why'), wanted: { code: -32020, message: 'why' } },
    temporarilyUnavailable: {
      made: errors.temporarilyUnavailable('why'),
      wanted: { code: -32603, message: 'why', data: { reason: 'temporarily_unavailable' } },
    },
    limitReached: {
      made: errors.limitReached('streamsPerOwnerMax', 'why'),
      wanted: { code: -32603, message: 'why', data: { reason: 'limit_reached', limit: 'streamsPerOwnerMax' } },
    },
  };

  it.each(Object.entries(shapes))('pins %s', (_name, { made, wanted }) => {
    expect(JSON.parse(JSON.stringify(made))).toStrictEqual(wanted);
  });

  it('leaves no constructor unpinned', () => {
    const constructors = Object.entries(errors)
      .filter(([name, value]) => typeof value === 'function' && name !== 'httpStatusFor')
      .map(([name]) => name);
    expect(Object.keys(shapes).toSorted()).toEqual(constructors.toSorted());
  });

  it('gives one answer for unknown, expired and foreign tasks: it carries nothing of the request', () => {
    expect(errors.unknownTask.length).toBe(0);
    expect(errors.unknownTask()).toEqual(errors.unknownTask());
  });
});

describe('httpStatusFor', () => {
  const pinned: Record<keyof typeof errors.WireCode, number> = {
    parseError: 400,
    invalidRequest: 400,
    methodNotFound: 404,
    invalidParams: 200,
    internalError: 200,
    eventsGone: 200,
    headerMismatch: 400,
    missingClientCapability: 400,
    unsupportedProtocolVersion: 400,
  };

  it.each(Object.entries(pinned))('%s is %d', (name, status) => {
    expect(errors.httpStatusFor(errors.WireCode[name as keyof typeof errors.WireCode])).toBe(status);
  });

  it('is 200 for any other code: a v2 client reads error bodies only there and on 400', () => {
    for (const code of [0, 1, -1, -32000, -32011, -32099, -32604]) expect(errors.httpStatusFor(code)).toBe(200);
  });
});
