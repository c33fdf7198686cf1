/**
 * A span for each request of MCP that is not a stream of ours; those have their own.
 */
import type { ServerResponse } from 'node:http';
import { isJSONRPCRequest } from '@modelcontextprotocol/server';
import { STREAM_METHOD, TRACEPARENT_META_KEY } from '@taskstream/protocol';
import { traceparentFrom, type TraceSpan, type Tracing } from '@taskstream/service-host';
import * as z from 'zod';

const NAME_LENGTH_MAX = 100;
const Params = z.looseObject({
  name: z.string().optional().catch(undefined),
  taskId: z.string().optional().catch(undefined),
  _meta: z
    .looseObject({ [TRACEPARENT_META_KEY]: z.unknown() })
    .optional()
    .catch(undefined),
});

/** SEP-414: the trace context that came with a request's params; undefined when there is none that is valid. */
export function traceparentOfParams(params: unknown): string | undefined {
  return traceparentFrom(Params.safeParse(params).data?._meta?.[TRACEPARENT_META_KEY]);
}

/** The span ends with the response. Undefined when tracing is off or the message has none. */
export function traceRequest(tracing: Tracing, body: unknown, response: ServerResponse): TraceSpan | undefined {
  if (!tracing.on || !isJSONRPCRequest(body) || body.method === STREAM_METHOD) return undefined;
  const params = Params.safeParse(body.params ?? {}).data;
  const method = body.method.slice(0, NAME_LENGTH_MAX);
  const tool = method === 'tools/call' ? params?.name?.slice(0, NAME_LENGTH_MAX) : undefined;
  const span = tracing.start({
    name: tool === undefined ? method : `${method} ${tool}`,
    kind: 'server',
    parent: traceparentOfParams(body.params),
    facts: {
      'mcp.method.name': method,
      'gen_ai.tool.name': tool,
      'taskstream.task_id': params?.taskId?.slice(0, NAME_LENGTH_MAX),
    },
  });
  response.once('close', () => {
    const { statusCode } = response;
    const fault = statusCode >= 500 ? `answered with HTTP ${statusCode}` : undefined;
    span.end({ 'http.response.status_code': statusCode }, fault);
  });
  return span;
}
