/** SSE frames: pinned bytes, one message a frame, whatever the message holds. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { commentFrame, EVENT_FRAME_HEAD, EVENT_FRAME_TAIL, messageFrame, SSE_HEADERS } from '../src/index.js';

/** What an EventSource would make of the bytes: WHATWG HTML §Server-sent events, without reconnection. */
function parseSse(bytes: string): { event: string; data: string; id: boolean; retry: boolean }[] {
  return bytes
    .split(/\r\n\r\n|\n\n|\r\r/)
    .filter((block) => block !== '')
    .map((block) => {
      const fields = block.split(/\r\n|\n|\r/).filter((l) => !l.startsWith(':'));
      const of = (name: string): string[] =>
        fields.filter((l) => l.startsWith(`${name}:`)).map((l) => l.slice(name.length + 1).replace(/^ /, ''));
      return {
        event: of('event').join(''),
        data: of('data').join('\n'),
        id: of('id').length > 0,
        retry: of('retry').length > 0,
      };
    });
}

describe('SSE framing', () => {
  it('pins the frames and the headers', () => {
    expect(EVENT_FRAME_HEAD).toBe(
      'event: message\ndata: {"jsonrpc":"2.0","method":"notifications/tasks/event","params":',
    );
    expect(EVENT_FRAME_TAIL).toBe('}\n\n');
    expect(messageFrame({ jsonrpc: '2.0', id: 1, result: {} })).toBe(
      'event: message\ndata: {"jsonrpc":"2.0","id":1,"result":{}}\n\n',
    );
    expect(commentFrame('open')).toBe(': open\n\n');
    expect(SSE_HEADERS).toEqual({
      'content-type': 'text/event-stream',
      'cache-control': 'no-cache, no-transform',
      'x-accel-buffering': 'no',
    });
  });

  it('carries any message whole, as one frame without id and retry', () => {
    const message = fc.dictionary(fc.string({ unit: 'binary' }), fc.jsonValue());
    fc.assert(
      fc.property(fc.array(message, { minLength: 1, maxLength: 4 }), (messages) => {
        const frames = parseSse(messages.map((m) => messageFrame(m)).join(commentFrame('beat'))).filter(
          (f) => f.data !== '',
        );
        expect(frames.map((f) => f.data)).toEqual(messages.map((m) => JSON.stringify(m)));
        expect(frames.every((f) => f.event === 'message' && !f.id && !f.retry)).toBe(true);
      }),
    );
  });

  it('builds the same frame for an event from head, line and tail as from the whole message', () => {
    const params = { seq: 3, taskId: 't', type: 'a.b.c', payload: { text: 'a\nb\r\n\u2028' } };
    expect(EVENT_FRAME_HEAD + JSON.stringify(params) + EVENT_FRAME_TAIL).toBe(
      messageFrame({ jsonrpc: '2.0', method: 'notifications/tasks/event', params }),
    );
  });

  it('a comment is no event', () => {
    expect(parseSse(commentFrame('beat')).every((f) => f.data === '' && f.event === '')).toBe(true);
  });
});
