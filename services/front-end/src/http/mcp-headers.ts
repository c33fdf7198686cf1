/**
 * The standard headers of a 2026-07-28 request, as text.
 *
 * Invariant: a header that was sent twice counts as its first value, as the SDK reads it.
 */
import type { IncomingHttpHeaders } from 'node:http';

export interface StandardHeaders {
  readonly protocolVersionHeader?: string;
  readonly mcpMethodHeader?: string;
  readonly mcpNameHeader?: string;
}

export function standardHeaders(headers: IncomingHttpHeaders): StandardHeaders {
  const read = (name: string): string | undefined => {
    const value = headers[name];
    return Array.isArray(value) ? value[0] : value;
  };
  const version = read('mcp-protocol-version');
  const method = read('mcp-method');
  const name = read('mcp-name');
  return {
    ...(version !== undefined && { protocolVersionHeader: version }),
    ...(method !== undefined && { mcpMethodHeader: method }),
    ...(name !== undefined && { mcpNameHeader: name }),
  };
}

const SENTINEL = /^=\?base64\?(.*)\?=$/;

/** A header value: plain, or within the base64 sentinel. Undefined when what is within it is not valid. */
export function decodeHeaderValue(header: string): string | undefined {
  const value = header.trim();
  const encoded = SENTINEL.exec(value)?.[1];
  if (encoded === undefined) return value;
  const bytes = Buffer.from(encoded, 'base64');
  if (bytes.toString('base64') !== encoded) return undefined;
  const text = bytes.toString('utf8');
  return Buffer.from(text, 'utf8').equals(bytes) ? text : undefined;
}

/** Whether the client can read an event stream. */
export function acceptsEventStream(accept: string | undefined): boolean {
  if (accept === undefined) return true;
  return accept
    .split(',')
    .map((range) => range.split(';')[0]?.trim().toLowerCase())
    .some((range) => range === 'text/event-stream' || range === 'text/*' || range === '*/*');
}
