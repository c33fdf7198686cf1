/**
 * What the client notices on the way, in words.
 */
import type { Notice } from '@taskstream/client';
import { printableLine } from './printable.js';

const CHARS_MAX = 300;

/** What the client has mended by itself; of interest to who looks for a reason. */
const MENDED: readonly Notice['type'][] = ['reconnecting', 'endpoint-failed', 'retrying-request'];

/** undefined for what a user need not see. */
export function describeNotice(notice: Notice, verbose: boolean): string | undefined {
  const text = !verbose && MENDED.includes(notice.type) ? undefined : textOf(notice);
  return text === undefined ? undefined : printableLine(text, CHARS_MAX);
}

function textOf(notice: Notice): string | undefined {
  switch (notice.type) {
    case 'connected':
    case 'auth-refreshed':
      return undefined;
    case 'reconnecting': {
      const from = notice.after === undefined ? 'from the start' : `after event ${notice.after}`;
      return `stream lost (${notice.cause}: ${notice.message}); resuming ${from} in ${notice.waitMs} ms`;
    }
    case 'fallback-polling':
      return `no events from this server, only the outcome: ${notice.message}`;
    case 'protocol-fault':
      return `the server broke the protocol (${notice.fault}): ${notice.message}`;
    case 'endpoint-failed':
      return `${notice.endpoint} failed: ${notice.message}`;
    case 'retrying-request':
      return `${notice.method} is sent again in ${notice.waitMs} ms: ${notice.message}`;
    case 'payload-invalid':
      return `event ${notice.seq} (${notice.eventType}) breaks its schema: ${notice.message}`;
    case 'tool-rejected':
      return `tool ${notice.tool} is left out: ${notice.message}`;
  }
}
