/**
 * `GET /tasks/{taskId}/events`: the event stream for whoever has no MCP client, such as a browser or `curl`.
 *
 * Invariants: the same owner, cursor rules and limits as `tasks/stream`; `Last-Event-ID` wins over `after`; 204 after
 * the end, or an EventSource would reconnect for ever; 410 when the cursor cannot be served.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { isTaskstreamError, type EventStream } from '@taskstream/core';
import { After } from '@taskstream/protocol';
import { traceparentFrom } from '@taskstream/service-host';
import * as z from 'zod';
import type { Principal } from '../principal.js';
import { refusal, type StreamParts } from '../stream/stream-route.js';
import { traceStream, type StreamToTrace } from '../stream/stream-trace.js';
import { StreamWriter } from '../stream/stream-writer.js';
import { wireErrorOf } from '../wire-errors.js';
import { eventSourceFormat } from './event-source-format.js';

const NDJSON = 'application/x-ndjson';
/** Most events of one NDJSON answer; a reader asks again after the last. */
const NDJSON_EVENTS_MAX = 10_000;
const Query = z.looseObject({ after: z.string().optional(), limit: z.string().optional() });
const Limit = z.int().positive().max(NDJSON_EVENTS_MAX).default(NDJSON_EVENTS_MAX);

export async function serveEvents(
  parts: StreamParts,
  request: IncomingMessage,
  response: ServerResponse,
  taskId: string,
  query: unknown,
  principal: Principal,
): Promise<void> {
  const parsed = Query.safeParse(query);
  const lastEventId = request.headers['last-event-id'];
  const cursor = typeof lastEventId === 'string' && lastEventId !== '' ? lastEventId : parsed.data?.after;
  const after = cursor === undefined ? { success: true as const, data: undefined } : After.safeParse(numberOf(cursor));
  const limit = Limit.safeParse(parsed.data?.limit === undefined ? undefined : numberOf(parsed.data.limit));
  if (!after.success) return problem(response, 400, 'after: expected a non-negative integer');
  if (!limit.success) return problem(response, 400, `limit: expected an integer from 1 to ${NDJSON_EVENTS_MAX}`);
  let taskTrace: string | undefined;
  try {
    const spec = await parts.owned.readSpec(taskId, principal.owner);
    if (spec === undefined) return problem(response, 404, 'Unknown task');
    taskTrace = spec.traceparent;
    parts.owned.opensStream(principal.owner);
  } catch (error) {
    return cursorProblem(response, error, taskId, after.data);
  }
  const place = parts.streams.take(principal.owner, taskId, request.socket);
  if (typeof place === 'string') {
    const { message } = refusal(place, taskId, parts.limits);
    return problem(response, place === 'draining' ? 503 : place === 'active' ? 409 : 429, message);
  }
  let session: EventStream;
  try {
    session = await parts.events.open(taskId, after.data);
  } catch (error) {
    place.release();
    return cursorProblem(response, error, taskId, after.data);
  }
  const bounded = request.headers.accept?.includes(NDJSON) === true;
  try {
    if (bounded) await answerNdjson(parts, session, response, taskId, after.data, limit.data);
    else {
      const requestTrace = traceparentFrom(request.headers['traceparent']);
      const facts = { taskId, after: after.data, requestTrace, taskTrace };
      await stream(parts, session, response, facts, (writer) => place.attach(writer));
    }
  } finally {
    session.close('rotated');
    place.release();
  }
}

function numberOf(text: string): number {
  return /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : Number.NaN;
}

function problem(response: ServerResponse, status: number, detail: string, more: Record<string, unknown> = {}): void {
  const body = JSON.stringify({ status, detail, ...more });
  const { retryAfterMs } = more;
  response.writeHead(status, {
    'content-type': 'application/problem+json',
    'content-length': Buffer.byteLength(body),
    ...(typeof retryAfterMs === 'number' && { 'retry-after': String(Math.ceil(retryAfterMs / 1_000)) }),
  });
  response.end(body);
}

/** For a request that failed unexpectedly. */
export function failView(response: ServerResponse): void {
  if (response.headersSent) response.destroy();
  else problem(response, 503, 'This node cannot answer now; try another one');
}

function cursorProblem(response: ServerResponse, error: unknown, taskId: string, after: number | undefined): void {
  const { message, data } = wireErrorOf(error, taskId, after);
  if (isTaskstreamError(error, 'events_gone')) return problem(response, 410, message, data);
  if (isTaskstreamError(error, 'cursor_ahead')) return problem(response, 400, message, data);
  if (isTaskstreamError(error, 'limit_reached')) return problem(response, 429, message, data);
  if (isTaskstreamError(error, 'unknown_task')) return problem(response, 404, 'Unknown task');
  return problem(response, 503, message);
}

async function stream(
  parts: StreamParts,
  session: EventStream,
  response: ServerResponse,
  facts: StreamToTrace,
  attach: (writer: StreamWriter) => void,
): Promise<void> {
  const { taskId, after } = facts;
  const snapshot = await parts.tasks.read(taskId);
  const over = snapshot !== undefined && ['completed', 'failed', 'cancelled'].includes(snapshot.status.status);
  if (over && after !== undefined && after + 1 >= snapshot.nextSeq) {
    response.writeHead(204).end();
    return;
  }
  const writer = new StreamWriter(
    taskId,
    eventSourceFormat(),
    session,
    response,
    parts.limits.slowReaderMsMax,
    traceStream(parts.tracing, parts.observer, facts),
  );
  attach(writer);
  await writer.run();
}

/** What there was when the answer began, up to a bound: it never waits for live events. */
async function answerNdjson(
  parts: StreamParts,
  session: EventStream,
  response: ServerResponse,
  taskId: string,
  after: number | undefined,
  limit: number,
): Promise<void> {
  const tail = (await parts.tasks.read(taskId))?.nextSeq ?? 0;
  const begin = () => {
    if (!response.headersSent) response.writeHead(200, { 'content-type': NDJSON, 'cache-control': 'no-store' });
  };
  let next = after === undefined ? 0 : after + 1;
  let left = limit;
  while (left > 0 && next < tail) {
    const delivery = await session.next();
    if (delivery.type === 'end') break;
    if (delivery.type === 'gone') {
      const { earliestSeq } = delivery;
      if (!response.headersSent) return problem(response, 410, 'Task events are no longer available', { earliestSeq });
      break;
    }
    begin();
    for (const pack of delivery.packs) {
      const lines = Buffer.from(pack.data).toString('utf8').split('\n').slice(0, Math.min(pack.count, left));
      left -= lines.length;
      next = pack.firstSeq + pack.count;
      if (!response.write(`${lines.join('\n')}\n`)) await drained(response);
      if (left === 0) break;
    }
  }
  begin();
  response.end();
}

function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      response.off('drain', done);
      response.off('close', done);
      resolve();
    };
    response.once('drain', done);
    response.once('close', done);
  });
}
