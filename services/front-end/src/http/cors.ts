/**
 * Lets browsers of the allowed origins read the answers: CORS, beside the check that refuses every other origin.
 *
 * Invariants: it decides nothing, so it comes after the check of the origin; an origin is named, never `*`; no cookies,
 * because nobody comes in by one.
 */
import type { FastifyReply, FastifyRequest } from 'fastify';

/** Response headers that a page may read. */
const EXPOSED = 'mcp-session-id, retry-after, www-authenticate';
const METHODS = 'GET, POST, DELETE';
/** A browser asks again after this time, in seconds. */
const PREFLIGHT_SECONDS = '600';
/** Names of request headers as a browser sends them, in lower case; theirs are the mirrored ones, so any may come. */
const HEADER_NAMES = /^[a-z0-9-]+(?:, ?[a-z0-9-]+)*$/;

/** An `onRequest` hook. Answers a preflight request; leaves every other to its route. */
export function cors(request: FastifyRequest, reply: FastifyReply, done: () => void): void {
  const { origin } = request.headers;
  // On the raw response, because streams are written there.
  reply.raw.setHeader('vary', 'origin');
  if (origin === undefined) {
    done();
    return;
  }
  reply.raw.setHeader('access-control-allow-origin', origin);
  reply.raw.setHeader('access-control-expose-headers', EXPOSED);
  if (request.method !== 'OPTIONS' || request.headers['access-control-request-method'] === undefined) {
    done();
    return;
  }
  const wanted = request.headers['access-control-request-headers'] ?? '';
  const headers = HEADER_NAMES.test(wanted) ? { 'access-control-allow-headers': wanted } : {};
  reply.hijack();
  reply.raw
    .writeHead(204, {
      ...headers,
      'access-control-allow-methods': METHODS,
      'access-control-max-age': PREFLIGHT_SECONDS,
    })
    .end();
}
