/**
 * The HTTP application: one route for both eras of MCP, and the operations paths when they have no port of their own.
 *
 * Invariants: a body is parsed once; whatever is wrong with a request is answered with a well-formed error; the SDK
 * serves everything whose response is not a stream of ours.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { hostHeaderValidation, originValidation } from '@modelcontextprotocol/fastify';
import { toNodeHandler } from '@modelcontextprotocol/node';
import {
  classifyInboundRequest,
  createMcpHandler,
  isJsonContentType,
  isJSONRPCRequest,
  localhostAllowedHostnames,
  localhostAllowedOrigins,
  type AuthInfo,
} from '@modelcontextprotocol/server';
import { httpStatusFor, WireCode, type WireError } from '@taskstream/protocol';
import type { OpsHandler, Tracing } from '@taskstream/service-host';
import Fastify, { type FastifyInstance } from 'fastify';
import * as z from 'zod';
import { RESOURCE_METADATA_PATH } from './auth/authenticator.js';
import { closeAfterLast, closeWithConnection, endAfterBody } from './http/connection-end.js';
import { cors } from './http/cors.js';
import { parseJsonBody } from './http/json-body.js';
import { replyError, writeError, type JsonRpcId } from './http/json-rpc-reply.js';
import { standardHeaders } from './http/mcp-headers.js';
import { openApiDocument } from './http/openapi.js';
import { paramHeaderProblem } from './http/param-headers.js';
import { sdkExchange } from './legacy/sdk-exchange.js';
import { serveLegacy, type ForSdk, type LegacyParts } from './legacy/legacy-route.js';
import type { AuthExtra } from './mcp/call-context.js';
import type { McpParts } from './mcp/parts.js';
import { serverFactory } from './mcp/server-factory.js';
import { isTaskSubscription, serveTaskSubscription } from './mcp/task-subscription.js';
import { isChallenge, type Authenticator, type Principal } from './principal.js';
import { traceRequest } from './request-trace.js';
import { isStreamRequest, modernRequest, serveStream, type StreamParts } from './stream/stream-route.js';
import { failView, serveEvents } from './view/events-view.js';
import { wireErrorOf } from './wire-errors.js';

export interface AppParts {
  readonly mcp: McpParts;
  readonly stream: StreamParts;
  readonly legacy: LegacyParts;
  readonly authenticator: Authenticator;
  readonly tracing: Tracing;
  /** RFC 9728; undefined when there is no authorization server. */
  readonly resourceMetadata: Record<string, unknown> | undefined;
  readonly allowedHosts: string[] | undefined;
  readonly allowedOrigins: string[] | undefined;
  /** Serves /livez, /readyz and /metrics here; absent when they have a port of their own. */
  readonly ops: OpsHandler | undefined;
  /** Told what the SDK could not answer well. */
  readonly onError: (error: Error) => void;
  /** Told what nobody expected to go wrong. */
  readonly onFault: (error: unknown) => void;
}

const OPS_PATHS = ['/livez', '/readyz', '/metrics'];

export interface App {
  readonly http: FastifyInstance;
  /** Tells listening clients that the tools have changed. */
  toolsChanged(): void;
  /**
   * Takes no new connection and closes the idle ones; what is open goes on. A balancer that tries the next node when one
   * refuses the connection needs no answer of ours.
   */
  refuseConnections(): void;
  close(): Promise<void>;
}

export function buildApp(parts: AppParts): App {
  const factory = serverFactory(parts.mcp);
  const modern = createMcpHandler(factory, { legacy: 'reject', onerror: parts.onError });
  const serveModern = nodeHandler(modern.fetch);
  const serveOlder = sdkExchange(factory);
  const http = Fastify({ bodyLimit: parts.mcp.limits.requestBytesMax, forceCloseConnections: true });
  http.removeAllContentTypeParsers();
  http.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
  http.addHook('onRequest', (request, reply, done) => {
    closeWithConnection(request.raw, reply.raw);
    closeAfterLast(http.server, request.raw, reply.raw);
    done();
  });
  http.addHook('onRequest', hostHeaderValidation(parts.allowedHosts ?? localhostAllowedHostnames()));
  http.addHook('onRequest', originValidation(parts.allowedOrigins ?? localhostAllowedOrigins()));
  http.addHook('onRequest', cors);
  http.setErrorHandler((error: Error & { statusCode?: number }, request, reply) => {
    const { requestBytesMax, refusedBodyMsMax } = parts.mcp.limits;
    reply.hijack();
    const { status, ...wireError } = unreadable(error.statusCode, requestBytesMax);
    if (status === 400) parts.onError(error);
    if (status === 413) parts.mcp.limitHit('requestBytesMax');
    writeError(reply.raw, status, null, wireError);
    endAfterBody(request.raw, reply.raw, refusedBodyMsMax);
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
  const { resourceMetadata } = parts;
  if (resourceMetadata !== undefined)
    http.get(RESOURCE_METADATA_PATH, (_request, reply) => reply.send(resourceMetadata));
  const openApi = openApiDocument(parts.mcp.serverInfo.version);
  http.get('/openapi.json', (_request, reply) => reply.send(openApi));
  const admit = async (request: IncomingMessage, response: ServerResponse): Promise<Principal | undefined> => {
    const who = await parts.authenticator.authenticate(request);
    if (!isChallenge(who)) return who;
    response.writeHead(who.status, who.headers).end(who.body);
    return undefined;
  };
  http.get<{ Params: { taskId: string } }>('/tasks/:taskId/events', async (request, reply) => {
    reply.hijack();
    try {
      const principal = await admit(request.raw, reply.raw);
      if (principal === undefined) return;
      await serveEvents(parts.stream, request.raw, reply.raw, request.params.taskId, request.query, principal);
    } catch (error) {
      parts.onFault(error);
      failView(reply.raw);
    }
  });
  const subscriptions = { mcp: parts.mcp, streams: parts.stream.streams };
  http.route({
    method: ['GET', 'POST', 'DELETE'],
    url: '/mcp',
    handler: async (request, reply) => {
      reply.hijack();
      const { raw } = request;
      const response = reply.raw;
      const body = parseJsonBody(request.body, parts.mcp.limits.requestDepthMax, () =>
        parts.mcp.limitHit('requestDepthMax'),
      );
      try {
        const principal = await admit(raw, response);
        if (principal === undefined) return;
        if (request.method === 'POST' && isJsonContentType(request.headers['content-type'] ?? null)) {
          await serveMessage(raw, response, body, principal);
        } else await serveModern(raw, response, { owner: principal.owner }, body ?? {});
      } catch (error) {
        parts.onFault(error);
        failResponse(response, body, error);
      }
    },
  });
  const serveMessage = async (
    request: IncomingMessage,
    response: ServerResponse,
    body: unknown,
    principal: Principal,
  ): Promise<void> => {
    if (body === undefined) {
      replyError(response, 400, null, {
        code: WireCode.parseError,
        message: `Parse error: the request body is not valid JSON of at most ${parts.mcp.limits.requestDepthMax} levels`,
      });
      return;
    }
    const trace = traceRequest(parts.tracing, body, response);
    const route = classifyInboundRequest({ httpMethod: 'POST', ...standardHeaders(request.headers), body });
    if (route.kind === 'legacy') {
      const forSdk = await serveLegacy(parts.legacy, route, request, response, body, principal, trace);
      if (forSdk !== undefined) await serveOlderRequest(serveOlder, request, response, body, forSdk);
      return;
    }
    if (isStreamRequest(body) && (await serveStream(parts.stream, request, response, body, principal))) return;
    if (isTaskSubscription(body) && (await serveTaskSubscription(subscriptions, request, response, body, principal)))
      return;
    if (isJSONRPCRequest(body) && body.method === 'tools/call') parts.mcp.calls.track(response);
    const mismatch = callHeaderProblem(parts.mcp, request, body);
    if (mismatch !== undefined) {
      replyError(response, 400, mismatch.id, mismatch.error);
      return;
    }
    await serveModern(request, response, { owner: principal.owner, trace }, body);
  };
  return {
    http,
    toolsChanged: () => modern.notify.toolsChanged(),
    refuseConnections: () => void http.server.close(),
    close: async () => {
      await modern.close();
      await http.close();
    },
  };
}

/** What a request is answered with that could not be read. */
function unreadable(status: number | undefined, requestBytesMax: number): WireError & { status: number } {
  const code = WireCode.invalidRequest;
  if (status === 413) return { status, code, message: `Payload Too Large: the body may have ${requestBytesMax} bytes` };
  if (status === 415) {
    return { status, code: -32000, message: 'Unsupported Media Type: Content-Type must be application/json' };
  }
  return { status: 400, code, message: 'Bad Request: the request could not be read' };
}

/** Whatever went wrong, the request gets an answer; a response that has begun is broken off. */
function failResponse(response: ServerResponse, body: unknown, error: unknown): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const wireError = wireErrorOf(error, '');
  replyError(response, httpStatusFor(wireError.code), isJSONRPCRequest(body) ? body.id : null, wireError);
}

type FetchFace = (request: Request, options?: { authInfo?: AuthInfo; parsedBody?: unknown }) => Promise<Response>;

/** Serves a Node request by a fetch-shaped handler, with what is known of its caller. */
function nodeHandler(fetch: FetchFace) {
  const handler = toNodeHandler({ fetch });
  return (request: IncomingMessage, response: ServerResponse, extra: AuthExtra, body: unknown) => {
    const auth: AuthInfo = { token: '', clientId: extra.owner, scopes: [], extra };
    Object.assign(request, { auth });
    return handler(request as IncomingMessage & { method: string; url: string }, response, body);
  };
}

async function serveOlderRequest(
  serve: FetchFace,
  request: IncomingMessage,
  response: ServerResponse,
  body: unknown,
  { extra, newSessionId }: ForSdk,
): Promise<void> {
  const withSession: FetchFace = async (webRequest, options) => {
    const answer = await serve(webRequest, options);
    if (newSessionId === undefined || !answer.ok) return answer;
    const headers = new Headers(answer.headers);
    headers.set('mcp-session-id', newSessionId);
    return new Response(answer.body, { status: answer.status, headers });
  };
  await nodeHandler(withSession)(request, response, extra, body);
}

const ToolCall = z.looseObject({ name: z.string(), arguments: z.unknown() });

/** Whether a tool call's mirrored headers disagree with its body. */
function callHeaderProblem(
  mcp: McpParts,
  request: IncomingMessage,
  body: unknown,
): { id: JsonRpcId; error: WireError } | undefined {
  if (!isJSONRPCRequest(body) || body.method !== 'tools/call' || modernRequest(request, body) === undefined)
    return undefined;
  const call = ToolCall.safeParse(body.params);
  const tool = call.success ? mcp.catalogue.get(call.data.name) : undefined;
  if (tool === undefined || !call.success) return undefined;
  const error = paramHeaderProblem(tool, call.data.arguments, request.headers);
  return error === undefined ? undefined : { id: body.id as JsonRpcId, error };
}
