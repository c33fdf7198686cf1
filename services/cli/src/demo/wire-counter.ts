/**
 * A `fetch` that notes the seq of every event that comes over the wire, and passes every byte on untouched.
 */
import { EVENT_NOTIFICATION } from '@taskstream/protocol';
import * as z from 'zod';

const DATA_LINE = 'data: ';
const EventMessage = z.looseObject({
  method: z.literal(EVENT_NOTIFICATION),
  params: z.looseObject({ seq: z.int() }),
});

export function countingFetch(onSeq: (seq: number) => void, inner: typeof fetch = fetch): typeof fetch {
  return async (input, init) => {
    const response = await inner(input, init);
    const isStream = response.headers.get('content-type')?.startsWith('text/event-stream') === true;
    if (response.body === null || !isStream) return response;
    const { status, statusText, headers } = response;
    return new Response(response.body.pipeThrough(noteSeqs(onSeq)), { status, statusText, headers });
  };
}

function noteSeqs(onSeq: (seq: number) => void): TransformStream<Uint8Array, Uint8Array> {
  const decoder = new TextDecoder();
  let kept = '';
  return new TransformStream({
    transform: (chunk, controller) => {
      controller.enqueue(chunk);
      const lines = (kept + decoder.decode(chunk, { stream: true })).split('\n');
      kept = lines.pop() ?? '';
      for (const line of lines) {
        const seq = seqOf(line);
        if (seq !== undefined) onSeq(seq);
      }
    },
  });
}

function seqOf(line: string): number | undefined {
  if (!line.startsWith(DATA_LINE) || !line.includes(EVENT_NOTIFICATION)) return undefined;
  return EventMessage.safeParse(JSON.parse(line.slice(DATA_LINE.length))).data?.params.seq;
}
