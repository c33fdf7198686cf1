/**
 * Server-Sent Events framing of JSON-RPC messages.
 *
 * Invariants: a frame holds one message on one `data:` line (JSON text has no raw line break); no `id:`, no `retry:`,
 * because the official client would answer an id with a GET that a 2026 server refuses.
 */
import { EVENT_NOTIFICATION } from './meta-keys.js';

/** Goes before the JSON text of an event's params. */
export const EVENT_FRAME_HEAD = `event: message\ndata: {"jsonrpc":"2.0","method":"${EVENT_NOTIFICATION}","params":`;
/** Goes after it. */
export const EVENT_FRAME_TAIL = '}\n\n';

/** A frame for one JSON-RPC message. */
export function messageFrame(message: unknown): string {
  return `event: message\ndata: ${JSON.stringify(message)}\n\n`;
}

/** A comment: keeps proxies from cutting an idle stream, carries nothing. */
export function commentFrame(text: string): string {
  return `: ${text}\n\n`;
}

export const SSE_HEADERS = {
  'content-type': 'text/event-stream',
  'cache-control': 'no-cache, no-transform',
  'x-accel-buffering': 'no',
} as const;
