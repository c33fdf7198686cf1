/**
 * Requests of revision 2025-11-25 and older: sessions, answers to questions, cancellations, and the three methods
 * whose responses are streams. Everything else goes to the SDK.
 *
 * Invariants: nothing is stored per session; an answer is routed by its JSON-RPC id and checked against the owner; a
 * disconnect cancels nothing in this era; a cancelled request is answered no more, and cancels a task only when nobody
 * but its call knows of it.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import {
  isInitializeRequest,
  isJSONRPCErrorResponse,
  isJSONRPCNotification,
  isJSONRPCRequest,
  isJSONRPCResultResponse,
  type InboundLegacyRoute,
} from '@modelcontextprotocol/server';
import type { QuestionLeases, TaskSnapshot, TaskSpec } from '@taskstream/core';
import {
  invalidParams,
  parseStreamParams,
  STREAM_METHOD,
  streamResult2025,
  temporarilyUnavailable,
  unknownTask,
  WireCode,
} from '@taskstream/protocol';
import type { TraceSpan } from '@taskstream/service-host';
import * as z from 'zod';
import { replyError, replyResult, type JsonRpcId } from '../http/json-rpc-reply.js';
import { acceptsEventStream } from '../http/mcp-headers.js';
import { answerProblem } from '../mcp/answers.js';
import { knowsTasks2025, legacyCaller, type AuthExtra } from '../mcp/call-context.js';
import { freshSnapshot } from '../mcp/facts.js';
import type { McpParts } from '../mcp/parts.js';
import { prepareCall } from '../mcp/prepare-call.js';
import { progressTokenOf, type ProgressToken } from '../mcp/progress-relay.js';
import type { Principal } from '../principal.js';
import type { StreamPlace } from '../stream/open-streams.js';
import { openStream, type StreamParts } from '../stream/stream-route.js';
import { wireErrorOf } from '../wire-errors.js';
import type { CancellableRequests } from './cancellable-requests.js';
import { parseQuestionId } from './question-id.js';
import { ResultStream } from './result-stream.js';
import type { LegacySession, Sessions } from './session.js';

export interface LegacyParts {
  readonly mcp: McpParts;
  readonly stream: StreamParts;
  readonly sessions: Sessions;
  readonly cancellable: CancellableRequests;
  readonly questions: QuestionLeases;
}

/** What the SDK is to be told, when it is to answer. */
export interface ForSdk {
  readonly extra: AuthExtra;
  /** The session id to give out with the answer to `initialize`. */
  readonly newSessionId?: string;
}

/** Revisions that the SDK serves statelessly, latest first. */
const REVISIONS = ['2025-11-25', '2025-06-18', '2025-03-26', '2024-11-05', '2024-10-07'];
/** The first revision without batches. */
const NO_BATCH_REVISION = '2025-06-18';
const CancelledParams = z.looseObject({ requestId: z.union([z.string(), z.number()]) });
const TaskIdParams = z.looseObject({ taskId: z.string() });
const CallParams = z.looseObject({
  name: z.string(),
  arguments: z.record(z.string(), z.unknown()).optional(),
  task: z.unknown().optional(),
  _meta: z.unknown().optional(),
});

/** Answers the request, or resolves with what the SDK needs to answer it. */
export async function serveLegacy(
  parts: LegacyParts,
  route: InboundLegacyRoute,
  request: IncomingMessage,
  response: ServerResponse,
  body: unknown,
  principal: Principal,
  trace: TraceSpan | undefined,
): Promise<ForSdk | undefined> {
  const { owner } = principal;
  if (route.reason === 'initialize') return initialize(parts, body, owner);
  const header = request.headers['mcp-session-id'];
  const sessionId = Array.isArray(header) ? header[0] : header;
  const session = sessionId === undefined ? undefined : await parts.sessions.read(sessionId, owner);
  if (sessionId !== undefined && session === undefined) {
    replyError(response, 404, idOf(body), {
      code: -32001,
      message: 'Session not found: it has expired or was not made here; initialize again',
    });
    return undefined;
  }
  const protocolVersion = session?.protocolVersion ?? route.requestedVersion ?? '2025-03-26';
  const extra: AuthExtra = { owner, protocolVersion, ...(session !== undefined && { session }), trace };
  if (route.reason === 'response') {
    const problem = await takeAnswer(parts, body, owner);
    if (problem === undefined) response.writeHead(202).end();
    else replyError(response, 400, null, invalidParams(problem));
    return undefined;
  }
  if (route.reason === 'batch') return batch(response, body, extra);
  if (isJSONRPCNotification(body)) {
    if (body.method === 'notifications/cancelled' && session !== undefined) cancelRequest(parts, session, body.params);
    response.writeHead(202).end();
    return undefined;
  }
  if (!isJSONRPCRequest(body) || !needsStream(body.method, body.params, extra)) return { extra };
  if (!acceptsEventStream(request.headers.accept)) {
    const message = `Not Acceptable: ${body.method} needs a client that accepts text/event-stream`;
    replyError(response, 406, body.id, { code: -32000, message });
    return undefined;
  }
  const raw: RawRequest = { parts, request, response, id: body.id, params: body.params, extra };
  if (body.method === STREAM_METHOD) await serveStream2025(raw);
  else if (body.method === 'tasks/result') await serveResult(raw);
  else await serveCall(raw);
  return undefined;
}

interface RawRequest {
  readonly parts: LegacyParts;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly id: JsonRpcId;
  readonly params: unknown;
  readonly extra: AuthExtra;
}

async function initialize(parts: LegacyParts, body: unknown, owner: string): Promise<ForSdk> {
  if (!isInitializeRequest(body)) return { extra: { owner } };
  const wanted = body.params.protocolVersion;
  const protocolVersion = REVISIONS.includes(wanted) ? wanted : (REVISIONS[0] as string);
  const capabilities = { ...body.params.capabilities };
  const newSessionId = await parts.sessions.issue(owner, protocolVersion, capabilities);
  return { extra: { owner, protocolVersion }, newSessionId };
}

function idOf(body: unknown): JsonRpcId {
  return isJSONRPCRequest(body) ? body.id : null;
}

/** Batches died with 2025-06-18; before that, one may not hold a request whose response is a stream. */
function batch(response: ServerResponse, body: unknown, extra: AuthExtra): ForSdk | undefined {
  const elements = Array.isArray(body) ? (body as unknown[]) : [];
  const streams = elements.some((e) => isJSONRPCRequest(e) && e.method.startsWith('tasks/'));
  if (streams || extra.session === undefined || (extra.protocolVersion ?? '') >= NO_BATCH_REVISION) {
    replyError(response, 400, null, {
      code: WireCode.invalidRequest,
      message: 'Bad Request: JSON-RPC batches are not supported here; send one message per request',
    });
    return undefined;
  }
  return { extra };
}

function needsStream(method: string, params: unknown, extra: AuthExtra): boolean {
  const tasks = knowsTasks2025(extra.protocolVersion);
  if (method === STREAM_METHOD || method === 'tasks/result') return tasks;
  if (method !== 'tools/call') return false;
  const call = CallParams.safeParse(params);
  return call.success && !(tasks && call.data.task !== undefined);
}

function cancelRequest(parts: LegacyParts, session: LegacySession, params: unknown): void {
  const parsed = CancelledParams.safeParse(params);
  if (parsed.success) parts.cancellable.cancel({ session: session.jti, requestId: parsed.data.requestId });
}

/**
 * An answer to a question goes into the task's mailbox, also when it is an error. One that breaks the question's schema
 * does not: what is wrong is returned, and the question stays open.
 */
async function takeAnswer(parts: LegacyParts, body: unknown, owner: string): Promise<string | undefined> {
  if (!isJSONRPCResultResponse(body) && !isJSONRPCErrorResponse(body)) return undefined;
  const question = parseQuestionId(body.id);
  if (question === undefined) return undefined;
  const snapshot = await parts.mcp.owned.read(question.taskId, owner);
  const asked = snapshot?.status.inputRequests ?? {};
  if (!Object.hasOwn(asked, question.key)) return undefined;
  if (isJSONRPCResultResponse(body)) {
    const problem = answerProblem(asked[question.key], body.result, 'result');
    if (problem !== undefined) return problem;
  }
  const response = isJSONRPCResultResponse(body) ? body.result : { error: body.error };
  await parts.mcp.tasks.send(question.taskId, { type: 'input', key: question.key, response });
  return undefined;
}

async function serveStream2025(raw: RawRequest): Promise<void> {
  const { parts, response, id, extra } = raw;
  const parsed = parseStreamParams(raw.params);
  if (!parsed.ok) {
    replyError(response, 200, id, invalidParams(parsed.message));
    return;
  }
  const { session } = extra;
  await openStream(parts.stream, raw.request, response, extra.owner, {
    id,
    taskId: parsed.taskId,
    after: parsed.after,
    params: raw.params,
    result: (end) => streamResult2025(end, parsed.taskId),
    onOpen: (cancel) =>
      session === undefined
        ? () => undefined
        : parts.cancellable.add({ session: session.jti, requestId: id ?? '' }, cancel),
  });
}

async function serveResult(raw: RawRequest): Promise<void> {
  const { parts, response, id, extra } = raw;
  const params = TaskIdParams.safeParse(raw.params);
  if (!params.success) {
    replyError(response, 200, id, invalidParams('Invalid params for tasks/result: taskId: expected string'));
    return;
  }
  const { taskId } = params.data;
  let spec: TaskSpec | undefined;
  try {
    spec = await parts.mcp.owned.readSpec(taskId, extra.owner);
    if (spec === undefined) {
      replyError(response, 200, id, unknownTask());
      return;
    }
  } catch (error) {
    replyError(response, 200, id, wireErrorOf(error, taskId));
    return;
  }
  const place = takePlace(raw, taskId);
  if (place !== undefined) await streamResult(raw, taskId, place, { progressToken: spec.progressToken });
}

async function serveCall(raw: RawRequest): Promise<void> {
  const { parts, response, id, extra } = raw;
  const params = CallParams.parse(raw.params);
  const call = prepareCall(parts.mcp, legacyCaller(extra), {
    name: params.name,
    arguments: params.arguments ?? {},
    meta: params._meta,
    task: params.task,
    given: {},
  });
  if (call.type === 'refused') {
    replyError(response, 200, id, call.error);
    return;
  }
  if (call.type === 'ask') throw new Error('questions before a task are of 2026-07-28 alone');
  if (call.type === 'answer') {
    replyResult(response, id, call.result);
    return;
  }
  const { taskId } = call.spec;
  // Before there is a task: what is refused here was not begun, and can be called again.
  const place = takePlace(raw, taskId);
  if (place === undefined) return;
  parts.mcp.calls.track(response);
  try {
    await parts.mcp.tasks.create(call.spec);
  } catch (error) {
    place.release();
    replyError(response, 200, id, wireErrorOf(error, taskId));
    return;
  }
  await streamResult(raw, taskId, place, { hidden: freshSnapshot(call.spec) });
}

/** A place for a waiting request; undefined when it was refused. */
function takePlace({ parts, request, response, id, extra }: RawRequest, taskId: string): StreamPlace | undefined {
  const place = parts.stream.streams.take(extra.owner, `result of ${taskId} for ${String(id)}`, request.socket);
  if (typeof place !== 'string') return place;
  const message = 'This node takes no more waiting requests; try another one';
  replyError(response, 200, id, temporarilyUnavailable(message));
  return undefined;
}

interface Known {
  /** The snapshot of a task that only this call knows of. */
  readonly hidden?: TaskSnapshot | undefined;
  /** Of the call that became the task. */
  readonly progressToken?: ProgressToken | undefined;
}

/** Waits for the result of a task. */
async function streamResult(
  raw: RawRequest,
  taskId: string,
  place: StreamPlace,
  { hidden, progressToken }: Known,
): Promise<void> {
  const { parts, response, id, extra } = raw;
  const stream = new ResultStream(
    {
      id,
      taskId,
      related: hidden === undefined,
      statuses: hidden === undefined,
      from: hidden,
      progressToken: progressTokenOf((raw.params as { _meta?: unknown } | undefined)?._meta) ?? progressToken,
      progressPerSecondMax: parts.mcp.limits.progressPerSecondMax,
    },
    { tasks: parts.mcp.tasks, events: parts.mcp.events, questions: parts.questions, limitHit: parts.mcp.limitHit },
    response,
  );
  const { session } = extra;
  let cancelled = false;
  const { stopping } = parts.mcp.calls;
  const onStopping = () => stream.stop();
  if (hidden !== undefined) stopping.addEventListener('abort', onStopping);
  const forget =
    session === undefined
      ? () => undefined
      : parts.cancellable.add({ session: session.jti, requestId: id ?? '' }, () => {
          cancelled = true;
          stream.cancel();
        });
  place.attach(stream);
  try {
    await stream.run((error) => wireErrorOf(error, taskId));
    if (stream.stopped) parts.mcp.limitHit('draining');
    // Nobody else knows of the task behind a plain call.
    if (hidden !== undefined && (cancelled || stream.stopped)) {
      const why = cancelled ? 'The caller cancelled the request' : 'Its node was shut down';
      await parts.mcp.tasks.cancel(taskId, why);
    }
  } finally {
    stopping.removeEventListener('abort', onStopping);
    forget();
    place.release();
  }
}
