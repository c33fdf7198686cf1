import { describe, expect, it } from 'vitest';
import { judge } from '../src/demo/verdict.js';
import { countingFetch } from '../src/demo/wire-counter.js';

const line = (seq: number, type = 'com.example.x'): string => JSON.stringify({ seq, taskId: 't', type, payload: {} });
const whole = [line(0, 'dev.taskstream.attempt.started'), line(1), line(2)];

describe('the verdict', () => {
  it('is good for a whole stream, whatever came twice over the wire', () => {
    expect(judge({ delivered: whole, received: [0, 1, 1, 2], reread: whole })).toEqual({
      events: 3,
      gaps: 0,
      duplicatesReceived: 1,
      duplicatesDelivered: 0,
      outOfOrder: 0,
      different: 0,
      attempts: 1,
      ok: true,
    });
  });

  it.each([
    ['lost', [whole[0]!, whole[2]!], { gaps: 1 }],
    ['missing at the start', [whole[1]!, whole[2]!], { gaps: 1 }],
    ['repeated', [whole[0]!, whole[1]!, whole[1]!, whole[2]!], { duplicatesDelivered: 1, outOfOrder: 1 }],
    ['out of order', [whole[0]!, whole[2]!, whole[1]!], { outOfOrder: 1, gaps: 0, duplicatesDelivered: 0 }],
    ['not the same bytes', [whole[0]!, `${whole[1]!} `, whole[2]!], { different: 1, gaps: 0 }],
    ['cut off', [whole[0]!, whole[1]!], { different: 1, gaps: 0 }],
    ['empty', [], { events: 0 }],
  ])('is bad for a stream that is %s', (_what, delivered, expected) => {
    expect(judge({ delivered, received: [0, 1, 2], reread: whole })).toMatchObject({ ...expected, ok: false });
  });
});

describe('countingFetch', () => {
  const frame = (seq: number): string =>
    `event: message\ndata: {"jsonrpc":"2.0","method":"notifications/tasks/event","params":${line(seq)}}\n\n`;

  it('notes every event, however the bytes are cut, and passes all bytes on', async () => {
    const text = `: hello\n\n${frame(0)}${frame(1)}data: {"jsonrpc":"2.0","id":1,"result":{}}\n\n`;
    const bytes = new TextEncoder().encode(text);
    const seqs: number[] = [];
    const inner = async () =>
      new Response(
        new ReadableStream({
          start: (controller) => {
            for (let at = 0; at < bytes.length; at += 7) controller.enqueue(bytes.slice(at, at + 7));
            controller.close();
          },
        }),
        { headers: { 'content-type': 'text/event-stream' } },
      );
    const response = await countingFetch((seq) => void seqs.push(seq), inner)('http://x');
    expect(await response.text()).toBe(text);
    expect(seqs).toEqual([0, 1]);
  });

  it('leaves other answers alone', async () => {
    const answer = Response.json({ method: 'notifications/tasks/event' });
    expect(
      await countingFetch(
        () => expect.unreachable(),
        async () => answer,
      )('http://x'),
    ).toBe(answer);
  });
});
