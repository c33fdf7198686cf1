/** The envelope's encoding: one line of JSON, exactly the `params` of the notification. SEP-2694 §Task Event. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeEventLine, EVENT_META_KEY, RELATED_TASK_META_KEY, TaskEvent, type EventLine } from '../src/index.js';

const text = fc.string({ unit: 'binary', maxLength: 30 });
const name = fc.string({ unit: 'binary', minLength: 1, maxLength: 30 });
const payload = fc.dictionary(text, fc.jsonValue({ maxDepth: 4 }), { maxKeys: 6 });
const identity = fc.record(
  { itemId: name, parentItemId: name, toolCallId: name, agentId: name, parentTaskId: name },
  { requiredKeys: [] },
);

const line: fc.Arbitrary<EventLine & { payload: Record<string, unknown> }> = fc
  .record({
    seq: fc.nat({ max: Number.MAX_SAFE_INTEGER }),
    taskId: name,
    type: name,
    payload,
    at: fc.constant('2026-11-22T10:00:00.000Z'),
    attempt: fc.nat(),
    worker: text,
    identity: fc.option(identity, { nil: undefined }),
    traceparent: fc.option(text, { nil: undefined }),
  })
  .map((e) => ({ ...e, payloadJson: JSON.stringify(e.payload) }));

describe('encodeEventLine', () => {
  it('pins the bytes of an event', () => {
    const bytes = encodeEventLine({
      seq: 42,
      taskId: 'd0-V1StGXR8_Z5jdHi6B-myTg',
      type: 'com.example.content.partial',
      payloadJson: '{"content":[{"type":"text","text":"é\\n"}]}',
      at: '2026-11-22T10:00:00.000Z',
      attempt: 1,
      worker: 'w-1',
      identity: { itemId: 'i-1', toolCallId: 'c-1' },
      traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
    });
    expect(bytes).toBe(
      '{"seq":42,"taskId":"d0-V1StGXR8_Z5jdHi6B-myTg","type":"com.example.content.partial",' +
        '"payload":{"content":[{"type":"text","text":"é\\n"}]},' +
        '"_meta":{"io.modelcontextprotocol/related-task":{"taskId":"d0-V1StGXR8_Z5jdHi6B-myTg"},' +
        '"dev.taskstream/event":{"at":"2026-11-22T10:00:00.000Z","attempt":1,"worker":"w-1","itemId":"i-1",' +
        '"toolCallId":"c-1"},"traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}}',
    );
  });

  it('pins the bytes of an event without identity and trace', () => {
    expect(
      encodeEventLine({
        seq: 0,
        taskId: 't',
        type: 'dev.taskstream.task.status',
        payloadJson: '{"status":"working"}',
        at: '2026-11-22T10:00:00.000Z',
        attempt: 0,
        worker: '',
      }),
    ).toBe(
      '{"seq":0,"taskId":"t","type":"dev.taskstream.task.status","payload":{"status":"working"},' +
        '"_meta":{"io.modelcontextprotocol/related-task":{"taskId":"t"},' +
        '"dev.taskstream/event":{"at":"2026-11-22T10:00:00.000Z","attempt":0,"worker":""}}}',
    );
  });

  it('pins how an event says for how many it stands', () => {
    const encoded = encodeEventLine({
      seq: 0,
      taskId: 't',
      type: 'com.example.s',
      payloadJson: '{}',
      at: '2026-11-22T10:00:00.000Z',
      attempt: 1,
      worker: 'w',
      standsFor: 3,
    });
    expect(encoded).toContain('"attempt":1,"worker":"w","standsFor":3}');
  });

  it('round-trips any payload, id, type, identity and trace through JSON.parse', () => {
    fc.assert(
      fc.property(line, (e) => {
        const own = { at: e.at, attempt: e.attempt, worker: e.worker, ...e.identity };
        expect(JSON.parse(encodeEventLine(e))).toEqual(
          JSON.parse(
            JSON.stringify({
              seq: e.seq,
              taskId: e.taskId,
              type: e.type,
              payload: e.payload,
              _meta: {
                [RELATED_TASK_META_KEY]: { taskId: e.taskId },
                [EVENT_META_KEY]: own,
                ...(e.traceparent !== undefined && { traceparent: e.traceparent }),
              },
            }),
          ),
        );
      }),
      { numRuns: 500 },
    );
  });

  it('is one line, and the payload goes through byte for byte', () => {
    fc.assert(
      fc.property(line, (e) => {
        const encoded = encodeEventLine(e);
        expect(encoded).not.toMatch(/[\n\r]/);
        expect(encoded).toContain(`"payload":${e.payloadJson},"_meta":`);
      }),
      { numRuns: 500 },
    );
  });

  it('gives an envelope that a reader accepts, with the related task equal to the task', () => {
    fc.assert(
      fc.property(line, (e) => {
        const parsed = TaskEvent.parse(JSON.parse(encodeEventLine(e)));
        expect(parsed.seq).toBe(e.seq);
        expect(parsed._meta?.[RELATED_TASK_META_KEY].taskId).toBe(parsed.taskId);
      }),
    );
  });
});

describe('TaskEvent', () => {
  const good = { seq: 0, taskId: 't', type: 'a.b.c', payload: {} };

  it('keeps members that it does not know', () => {
    const event = { ...good, extra: 1, _meta: { [RELATED_TASK_META_KEY]: { taskId: 't', more: true }, other: [] } };
    expect(TaskEvent.parse(event)).toEqual(event);
  });

  it.each([
    ['no seq', { ...good, seq: undefined }],
    ['a negative seq', { ...good, seq: -1 }],
    ['a fractional seq', { ...good, seq: 1.5 }],
    ['a seq that is text', { ...good, seq: '1' }],
    ['an unsafe seq', { ...good, seq: 2 ** 53 }],
    ['an empty task id', { ...good, taskId: '' }],
    ['an empty type', { ...good, type: '' }],
    ['a payload that is an array', { ...good, payload: [] }],
    ['a payload that is null', { ...good, payload: null }],
    ['a payload that is text', { ...good, payload: 'x' }],
    ['a related task without an id', { ...good, _meta: { [RELATED_TASK_META_KEY]: {} } }],
  ])('refuses %s', (_name, event) => {
    expect(TaskEvent.safeParse(event).success).toBe(false);
  });
});
