/**
 * `tools/list` and `tools/call`: from the catalogue to a task, or to the result of one that nobody sees.
 *
 * Invariants: nothing is created for a call that breaks the tool's schema; a client that did not declare the Tasks
 * extension never gets a task; a disconnect cancels the hidden task of a synchronous call.
 */
import type { Server, ServerContext } from '@modelcontextprotocol/server';
import { isExpired, type TaskSnapshot, type TaskSpec, type ToolDefinition } from '@taskstream/core';
import {
  IDEMPOTENCY_META_KEY,
  invalidParams,
  missingTasksCapability,
  projectTask,
  TRACEPARENT_META_KEY,
  type TaskFacts,
} from '@taskstream/protocol';
import { nanoid } from 'nanoid';
import * as z from 'zod';
import { specOf } from '../task-request.js';
import { protocolError } from '../wire-errors.js';
import { callerOf, type Caller } from './call-context.js';
import type { McpParts } from './parts.js';
import { asProtocolErrors } from './protocol-errors.js';

const TRACEPARENT = /^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/;
const CallMeta = z.looseObject({
  [IDEMPOTENCY_META_KEY]: z.string().min(1).max(200).optional(),
  [TRACEPARENT_META_KEY]: z.unknown().optional(),
});

export function registerTools(server: Server, parts: McpParts): void {
  server.setRequestHandler('tools/list', async () => ({ tools: parts.catalogue.list().map(listed) }));
  server.setRequestHandler('tools/call', async (request, context) => {
    const tool = parts.catalogue.get(request.params.name);
    if (tool === undefined) throw protocolError(invalidParams(`Unknown tool: ${request.params.name.slice(0, 80)}`));
    const args = request.params.arguments ?? {};
    const problem = parts.toolArguments.problem(tool, args);
    if (problem !== undefined) return { content: [{ type: 'text' as const, text: problem }], isError: true };
    const caller = callerOf(context);
    if (tool.taskSupport === 'required' && !caller.declaresTasks) throw protocolError(missingTasksCapability());
    const spec = newSpec(parts, tool, args, caller, request.params._meta);
    return asProtocolErrors(spec.taskId, async () => {
      await parts.tasks.create(spec);
      if (caller.declaresTasks && tool.taskSupport !== 'forbidden') return (await createdTask(parts, spec)) as never;
      return (await hiddenResult(parts, spec, context)) as never;
    });
  });
}

function listed(tool: ToolDefinition) {
  return {
    name: tool.name,
    ...(tool.title !== undefined && { title: tool.title }),
    description: tool.description,
    inputSchema: tool.inputSchema,
    ...(tool.outputSchema !== undefined && { outputSchema: tool.outputSchema }),
  };
}

function newSpec(
  parts: McpParts,
  tool: ToolDefinition,
  args: Readonly<Record<string, unknown>>,
  caller: Caller,
  meta: unknown,
): TaskSpec {
  const parsed = CallMeta.safeParse(meta ?? {});
  if (!parsed.success) {
    throw protocolError(invalidParams(`_meta.${IDEMPOTENCY_META_KEY}: expected a string of 1 to 200 characters`));
  }
  const traceparent = parsed.data[TRACEPARENT_META_KEY];
  return specOf(
    {
      tool,
      args,
      owner: caller.owner,
      clientCapabilities: caller.capabilities,
      idempotencyKey: parsed.data[IDEMPOTENCY_META_KEY],
      traceparent: typeof traceparent === 'string' && TRACEPARENT.test(traceparent) ? traceparent : undefined,
    },
    {
      retentionClasses: parts.retentionClasses,
      shards: parts.shards,
      now: new Date().toISOString(),
      random: nanoid(22),
    },
  );
}

/** The seed state of a new task, or the present one of a task that a retried call finds. */
async function createdTask(parts: McpParts, spec: TaskSpec): Promise<Record<string, unknown>> {
  const snapshot = spec.requestDigest === undefined ? undefined : await parts.tasks.read(spec.taskId);
  const task =
    snapshot === undefined
      ? projectTask(freshFacts(spec), { status: 'working' })
      : projectTask(factsOf(snapshot), snapshot.status);
  return { resultType: 'task', ...task };
}

function freshFacts(spec: TaskSpec): TaskFacts {
  const { taskId, createdAt, ttlMs, pollIntervalMs } = spec;
  return { taskId, createdAt, lastUpdatedAt: createdAt, ttlMs, pollIntervalMs };
}

export function factsOf(snapshot: TaskSnapshot): TaskFacts {
  return { ...freshFacts(snapshot.spec), lastUpdatedAt: snapshot.statusUpdatedAt };
}

/** Runs a task for a caller who only waits for its result. */
async function hiddenResult(parts: McpParts, spec: TaskSpec, context: ServerContext): Promise<Record<string, unknown>> {
  const stream = await parts.events.open(spec.taskId, undefined);
  const { signal } = context.mcpReq;
  const giveUp = () => stream.close('rotated');
  const timer = setTimeout(giveUp, parts.limits.callMsMax);
  signal.addEventListener('abort', giveUp);
  if (signal.aborted) giveUp();
  try {
    for (;;) {
      const delivery = await stream.next();
      if (delivery.type === 'packs') continue;
      if (delivery.type === 'end' && delivery.reason === 'terminal') break;
      await parts.tasks.cancel(spec.taskId, signal.aborted ? 'The caller went away' : 'The call took too long');
      throw protocolError({ code: -32603, message: `${spec.tool} gave no result within ${parts.limits.callMsMax} ms` });
    }
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', giveUp);
    giveUp();
  }
  const snapshot = await parts.tasks.read(spec.taskId);
  if (snapshot === undefined || isExpired(Date.parse(spec.createdAt), spec.ttlMs, Date.now())) {
    throw protocolError({ code: -32603, message: `${spec.tool} expired before its result was read` });
  }
  const { status } = snapshot;
  if (status.status === 'completed') return status.result ?? { content: [] };
  const error = status.error ?? { code: -32603, message: status.statusMessage ?? `${spec.tool} was ${status.status}` };
  throw protocolError({ code: error.code, message: error.message });
}
