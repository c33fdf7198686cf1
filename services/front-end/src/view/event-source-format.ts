/**
 * The plain HTTP view on the wire: ordinary Server-Sent Events with ids, or NDJSON.
 *
 * Invariant: an id is the event's seq, so that a browser resumes by itself.
 */
import { forEachLine } from '@taskstream/core';
import { commentFrame, SSE_HEADERS } from '@taskstream/protocol';
import type { StreamFormat } from '../stream/stream-writer.js';

export function eventSourceFormat(): StreamFormat {
  return {
    headers: SSE_HEADERS,
    opening: commentFrame('taskstream'),
    frames: (pack) => {
      const parts: Uint8Array[] = [];
      let seq = pack.firstSeq;
      forEachLine(pack, (start, end) => {
        parts.push(Buffer.from(`id: ${seq++}\ndata: `), pack.data.subarray(start, end), FRAME_END);
      });
      return Buffer.concat(parts);
    },
    heartbeat: () => commentFrame('heartbeat'),
    end: (end) => `event: end\ndata: ${JSON.stringify(end)}\n\n`,
    gone: (earliestSeq) => `event: gone\ndata: ${JSON.stringify({ reason: 'events_gone', earliestSeq })}\n\n`,
    fault: () => `event: fault\ndata: ${JSON.stringify({ reason: 'temporarily_unavailable' })}\n\n`,
  };
}

const FRAME_END = Buffer.from('\n\n');
