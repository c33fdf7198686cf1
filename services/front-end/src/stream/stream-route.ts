/**
 * `tasks/stream` on the raw response: everything that the SDK checks for other methods, then the stream.
 *
 * Invariants: all checks come before the first byte of a stream; what the SDK would refuse is handed to the SDK, so
 * that its answer is the same; order of checks: envelope, capability, ownership, cursor.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import {
  CLIENT_CAPABILITIES_META_KEY,
  classifyInboundRequest,
  isJSONRPCRequest,
  type InboundModernRoute,
} from '@modelcontextprotocol/server';
import type { EventReader, EventStream, TaskStore } from '@taskstream/core';
import {
  headerMismatch,
  httpStatusFor,
  limitReached,
  invalidParams,
  missingTasksCapability,
  parseStreamParams,
  streamActive,
  streamResult,
  STREAM_METHOD,
  temporarilyUnavailable,
  unknownTask,
  type StreamEnd,
  type WireError,
} from '@taskstream/protocol';
import type { Tracing } from '@taskstream/service-host';
import * as z from 'zod';
import type { FrontEndLimits } from '../config.js';
import { replyError, type JsonRpcId } from '../http/json-rpc-reply.js';
import { acceptsEventStream, decodeHeaderValue, standardHeaders } from '../http/mcp-headers.js';
import { declaresTasks } from '../mcp/call-context.js';
import { traceparentOfParams } from '../request-trace.js';
import type { OwnedTasks } from '../owned-tasks.js';
import type { Principal } from '../principal.js';
import { wireErrorOf } from '../wire-errors.js';
import { mcpFormat } from './mcp-format.js';
import type { OpenStreams, Refusal } from './open-streams.js';
import { traceStream } from './stream-trace.js';
import { StreamWriter, type StreamObserver } from './stream-writer.js';

const SERVED_REVISION = '2026-07-28';
const StreamParams = z.looseObject({
  _meta: z.looseObject({ progressToken: z.union([z.string(), z.number()]).optional() }).optional(),
});

export interface StreamParts {
  readonly tasks: TaskStore;
  readonly owned: OwnedTasks;
  readonly events: EventReader;
  readonly streams: OpenStreams;
  readonly limits: FrontEndLimits;
  readonly observer: StreamObserver;
  readonly tracing: Tracing;
  readonly serverInfo: Readonly<Record<string, unknown>>;
}

/** Whether the body asks for a stream. */
export function isStreamRequest(body: unknown): boolean {
  return isJSONRPCRequest(body) && body.method === STREAM_METHOD;
}

/**
 * Answers a `tasks/stream` request. Resolves with false when the SDK must answer it, because the request is not one
 * that it would let through. Otherwise resolves when the stream has begun or was refused.
 */
export async function serveStream(
  parts: StreamParts,
  request: IncomingMessage,
  response: ServerResponse,
  body: unknown,
  principal: Principal,
): Promise<boolean> {
  const route = modernRequest(request, body);
  if (route === undefined) return false;
  const { id, params } = route.message;
  const refuse = (error: WireError, status = httpStatusFor(error.code)) => replyError(response, status, id, error);
  if (!acceptsEventStream(request.headers.accept)) {
    refuse(
      { code: -32000, message: 'Not Acceptable: tasks/stream needs a client that accepts text/event-stream' },
      406,
    );
    return true;
  }
  const checked = checkRequest(route, standardHeaders(request.headers).mcpNameHeader);
  if ('error' in checked) {
    refuse(checked.error);
    return true;
  }
  await openStream(parts, request, response, principal.owner, {
    id: id,
    ...checked,
    params,
    result: (end) => streamResult(end, parts.serverInfo),
    onOpen: () => () => undefined,
  });
  return true;
}

/** A request that the SDK would let through to a handler; undefined when the SDK must refuse it. */
export function modernRequest(
  request: IncomingMessage,
  body: unknown,
): Extract<InboundModernRoute, { messageKind: 'request' }> | undefined {
  const headers = standardHeaders(request.headers);
  const route = classifyInboundRequest({ httpMethod: 'POST', ...headers, body });
  if (route.kind !== 'modern' || route.messageKind !== 'request') return undefined;
  if (route.classification.revision !== SERVED_REVISION) return undefined;
  if (headers.protocolVersionHeader === undefined || headers.mcpMethodHeader === undefined) return undefined;
  return route;
}

/** A stream request whose envelope has been checked, in the era of its reader. */
export interface OpenStreamRequest {
  readonly id: JsonRpcId;
  readonly taskId: string;
  readonly after: number | undefined;
  readonly params: unknown;
  readonly result: (end: StreamEnd) => Record<string, unknown>;
  /** Given a function that ends the stream without a response; returns one that is called when it is over. */
  readonly onOpen: (cancel: () => void) => () => void;
}

/** Ownership, place, cursor, then the stream. Resolves when it has begun or was refused. */
export async function openStream(
  parts: StreamParts,
  request: IncomingMessage,
  response: ServerResponse,
  owner: string,
  asked: OpenStreamRequest,
): Promise<void> {
  const { id, taskId, after } = asked;
  const refuse = (error: WireError) => replyError(response, httpStatusFor(error.code), id, error);
  let taskTrace: string | undefined;
  try {
    const spec = await parts.owned.readSpec(taskId, owner);
    if (spec === undefined) return refuse(unknownTask());
    taskTrace = spec.traceparent;
    parts.owned.opensStream(owner);
  } catch (error) {
    parts.observer.failed(taskId, error);
    return refuse(wireErrorOf(error, taskId));
  }
  if (response.closed) return undefined;
  const place = parts.streams.take(owner, taskId, request.socket);
  if (typeof place === 'string') return refuse(refusal(place, taskId, parts.limits));
  // A stream outlives its request: the place is free when the socket is done with the response.
  response.on('close', () => place.release());
  const requestTrace = traceparentOfParams(asked.params);
  const observer = traceStream(parts.tracing, parts.observer, { taskId, after, requestTrace, taskTrace });
  let session: EventStream;
  try {
    session = await parts.events.open(taskId, after);
  } catch (error) {
    place.release();
    observer.failed(taskId, error, taskTrace);
    return refuse(wireErrorOf(error, taskId, after));
  }
  // The client may have gone meanwhile; from here to the writer nothing waits.
  if (response.closed) return session.close('rotated');
  const params = StreamParams.safeParse(asked.params);
  const writer = new StreamWriter(
    taskId,
    mcpFormat({
      id,
      taskId,
      progressToken: params.success ? params.data._meta?.progressToken : undefined,
      result: asked.result,
      wireError: (error) => wireErrorOf(error, taskId, after),
    }),
    session,
    response,
    parts.limits.slowReaderMsMax,
    observer,
  );
  const closed = asked.onOpen(() => writer.destroy());
  place.attach(writer);
  response.on('close', closed);
  // Whoever awaited the end would keep the parsed request in memory as long as the stream is open.
  void writer.run();
  return undefined;
}

function checkRequest(
  route: Extract<InboundModernRoute, { messageKind: 'request' }>,
  nameHeader: string | undefined,
): { taskId: string; after: number | undefined } | { error: WireError } {
  const { params } = route.message;
  const meta: unknown = params?._meta?.[CLIENT_CAPABILITIES_META_KEY];
  if (nameHeader !== undefined) {
    const name = decodeHeaderValue(nameHeader);
    if (name === undefined) return { error: headerMismatch('Bad Request: the Mcp-Name header is not valid base64') };
    const taskId = params?.['taskId'];
    if (typeof taskId === 'string' && name !== taskId) {
      return { error: headerMismatch('Bad Request: the Mcp-Name header does not name params.taskId') };
    }
  }
  if (!declaresTasks(meta)) return { error: missingTasksCapability() };
  const parsed = parseStreamParams(params);
  if (!parsed.ok) return { error: invalidParams(parsed.message) };
  return { taskId: parsed.taskId, after: parsed.after };
}

export function refusal(why: Refusal, taskId: string, limits: FrontEndLimits): WireError {
  switch (why) {
    case 'active':
      return streamActive(taskId);
    case 'owner_limit':
      return limitReached('streamsPerOwnerMax', `At most ${limits.streamsPerOwnerMax} streams may be open at a time`);
    case 'node_limit':
      return limitReached('streamsMax', 'This node has no room for another stream; try another one');
    case 'draining':
      return temporarilyUnavailable('This node is shutting down; try another one');
  }
}
