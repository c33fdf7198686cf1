/**
 * The HTTP application: one route for MCP, and the operations paths when they have no port of their own.
 *
 * Invariants: a body is parsed once; whatever is wrong with a request is answered with a well-formed error; the SDK
 * serves everything but `tasks/stream`.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { hostHeaderValidation, originValidation } from '@modelcontextprotocol/fastify';
import { toNodeHandler } from '@modelcontextprotocol/node';
import {
  createMcpHandler,
  isJsonContentType,
  localhostAllowedHostnames,
  localhostAllowedOrigins,
} from '@modelcontextprotocol/server';
import { WireCode } from '@taskstream/protocol';
import type { OpsHandler } from '@taskstream/service-host';
import Fastify, { type FastifyInstance } from 'fastify';
import { replyError } from './http/json-rpc-reply.js';
import type { McpParts } from './mcp/parts.js';
import { serverFactory } from './mcp/server-factory.js';
import type { Authenticator } from './principal.js';
import { isStreamRequest, serveStream, type StreamParts } from './stream/stream-route.js';

export interface AppParts {
  readonly mcp: McpParts;
  readonly stream: StreamParts;
  readonly authenticator: Authenticator;
  readonly allowedHosts: string[] | undefined;
  readonly allowedOrigins: string[] | undefined;
  /** Serves /livez, /readyz and /metrics here; absent when they have a port of their own. */
  readonly ops: OpsHandler | undefined;
  /** Told what the SDK could not answer well. */
  readonly onError: (error: Error) => void;
}

const OPS_PATHS = ['/livez', '/readyz', '/metrics'];

export interface App {
  readonly http: FastifyInstance;
  /** Tells listening clients that the tools have changed. */
  toolsChanged(): void;
  close(): Promise<void>;
}

export function buildApp(parts: AppParts): App {
  const mcp = createMcpHandler(serverFactory(parts.mcp), { legacy: 'reject', onerror: parts.onError });
  const handler = toNodeHandler(mcp);
  const serveMcp = (request: IncomingMessage, response: ServerResponse, body?: unknown) =>
    handler(request as IncomingMessage & { method: string; url: string }, response, body);
  const http = Fastify({ bodyLimit: parts.mcp.limits.requestBytesMax, forceCloseConnections: true });
  http.removeAllContentTypeParsers();
  http.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
  http.addHook('onRequest', hostHeaderValidation(parts.allowedHosts ?? localhostAllowedHostnames()));
  http.addHook('onRequest', originValidation(parts.allowedOrigins ?? localhostAllowedOrigins()));
  http.setErrorHandler((error: Error & { statusCode?: number }, request, reply) => {
    const tooLarge = error.statusCode === 413;
    if (!tooLarge) parts.onError(error);
    const message = tooLarge
      ? `Payload Too Large: the body may have ${parts.mcp.limits.requestBytesMax} bytes`
      : 'Bad Request: the request could not be read';
    reply.hijack();
    replyError(reply.raw, tooLarge ? 413 : 400, null, { code: WireCode.invalidRequest, message });
    if (tooLarge) request.raw.destroy();
  });
  if (parts.ops !== undefined) {
    const { ops } = parts;
    for (const path of OPS_PATHS) {
      http.get(path, (request, reply) => {
        reply.hijack();
        ops(request.raw, reply.raw);
      });
    }
  }
  http.route({
    method: ['GET', 'POST', 'DELETE'],
    url: '/mcp',
    handler: async (request, reply) => {
      reply.hijack();
      const { raw } = request;
      const response = reply.raw;
      const principal = await parts.authenticator.authenticate(raw);
      if (principal === undefined) {
        replyError(response, 401, null, { code: -32000, message: 'Unauthorized' });
        return;
      }
      Object.assign(raw, {
        auth: { token: '', clientId: principal.owner, scopes: [], extra: { owner: principal.owner } },
      });
      if (request.method !== 'POST') {
        await serveMcp(raw, response);
        return;
      }
      const body = parseBody(request.body);
      const isJson = isJsonContentType(request.headers['content-type'] ?? null);
      if (isJson && body === undefined) {
        replyError(response, 400, null, {
          code: WireCode.parseError,
          message: 'Parse error: the request body is not valid JSON',
        });
        return;
      }
      if (isJson && isStreamRequest(body) && (await serveStream(parts.stream, raw, response, body, principal))) return;
      await serveMcp(raw, response, body ?? {});
    },
  });
  return {
    http,
    toolsChanged: () => mcp.notify.toolsChanged(),
    close: async () => {
      await mcp.close();
      await http.close();
    },
  };
}

function parseBody(body: unknown): unknown {
  if (!Buffer.isBuffer(body)) return undefined;
  try {
    return JSON.parse(body.toString('utf8')) as unknown;
  } catch {
    return undefined;
  }
}
