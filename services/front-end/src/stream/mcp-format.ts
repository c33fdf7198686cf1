/**
 * A `tasks/stream` response on the wire: JSON-RPC messages as Server-Sent Events.
 */
import {
  commentFrame,
  eventsGone,
  messageFrame,
  SSE_HEADERS,
  type StreamEnd,
  type WireError,
} from '@taskstream/protocol';
import type { JsonRpcId } from '../http/json-rpc-reply.js';
import { eventFrames } from './frames.js';
import type { StreamFormat } from './stream-writer.js';

export interface McpStream {
  readonly id: JsonRpcId;
  readonly taskId: string;
  readonly progressToken: string | number | undefined;
  /** The shape of the empty result depends on the era of the reader. */
  readonly result: (end: StreamEnd) => Record<string, unknown>;
  readonly wireError: (error: unknown) => WireError;
}

export function mcpFormat({ id, taskId, progressToken, result, wireError }: McpStream): StreamFormat {
  const response = (outcome: { result: Record<string, unknown> } | { error: WireError }) =>
    messageFrame({ jsonrpc: '2.0', id, ...outcome });
  return {
    headers: SSE_HEADERS,
    opening: commentFrame('taskstream'),
    frames: eventFrames,
    heartbeat: (progress) =>
      commentFrame('heartbeat') +
      (progressToken === undefined
        ? ''
        : messageFrame({ jsonrpc: '2.0', method: 'notifications/progress', params: { progressToken, progress } })),
    end: (end) => response({ result: result(end) }),
    gone: (earliestSeq) => response({ error: eventsGone(taskId, earliestSeq) }),
    fault: (error) => response({ error: wireError(error) }),
  };
}
