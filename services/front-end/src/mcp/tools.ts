/**
 * `tools/list` and `tools/call` through the SDK.
 *
 * Invariants: a client that may not be given tasks never gets one; a disconnect cancels the hidden task of a
 * synchronous call in 2026-07-28.
 */
import type { Server } from '@modelcontextprotocol/server';
import type { ToolDefinition } from '@taskstream/core';
import {
  IDEMPOTENCY_META_KEY,
  invalidParams,
  projectTask,
  projectTask2025,
  type StatusPayload,
  type TaskFacts,
  type WireError,
} from '@taskstream/protocol';
import * as z from 'zod';
import { protocolError } from '../wire-errors.js';
import { callerOf, type Caller } from './call-context.js';
import { factsOf, freshFacts } from './facts.js';
import { answerHiddenCall, invalidRequestState, resumeHiddenCall } from './hidden-call.js';
import type { McpParts } from './parts.js';
import { prepareCall } from './prepare-call.js';
import { asProtocolErrors } from './protocol-errors.js';
import { declaresSteering, toolMeta } from './steering.js';

export interface Era {
  readonly name: Caller['era'];
  /** Whether tasks exist in the revision that the client speaks. */
  readonly hasTasks: boolean;
}

const LooseParams = z.looseObject({ task: z.unknown().optional() });

export function registerTools(server: Server, parts: McpParts, era: Era): void {
  server.setRequestHandler('tools/list', async (_request, context) => {
    const steers = declaresSteering(callerOf(context, era.name).capabilities);
    return {
      tools: parts.catalogue.list().map((tool) => ({ ...listed(tool, era), ...(steers && toolMeta(tool)) })),
    };
  });
  server.setRequestHandler('tools/call', async (request, context) => {
    const caller = callerOf(context, era.name);
    const params = LooseParams.parse(request.params);
    const args = request.params.arguments ?? {};
    const { name } = request.params;
    const sealed: unknown = context.mcpReq.requestState();
    const state = typeof sealed === 'string' ? await parts.requestStates.open(sealed, caller.owner, name, args) : {};
    if (state === undefined) throw invalidRequestState();
    if (state.taskId !== undefined) return (await resumeHiddenCall(parts, caller, state.taskId, context)) as never;
    const call = prepareCall(parts, caller, {
      name,
      arguments: args,
      meta: request.params._meta,
      task: params.task,
      given: { ...state.given, ...context.mcpReq.inputResponses },
    });
    if (call.type === 'refused') throw protocolError(call.error);
    if (call.type === 'answer') return call.result as never;
    if (call.type === 'ask') {
      const known = Object.keys(call.given).length > 0;
      return {
        resultType: 'input_required',
        inputRequests: call.questions,
        ...(known && { requestState: await parts.requestStates.seal(caller.owner, name, args, { given: call.given }) }),
      } as never;
    }
    const { spec } = call;
    return asProtocolErrors(spec.taskId, async () => {
      const created = await parts.tasks.create(spec);
      if (call.type === 'hidden') return (await answerHiddenCall(parts, caller, spec, context)) as never;
      // A retried call finds its task as it stands.
      const snapshot = created ? undefined : await parts.tasks.read(spec.taskId);
      if (!created && snapshot === undefined) throw protocolError(expiredKey());
      const facts = snapshot === undefined ? freshFacts(spec) : factsOf(snapshot);
      return createTaskResult(era, facts, snapshot?.status ?? { status: 'working' }) as never;
    });
  });
}

/** The task of the key is there no more, and a task that cannot be read must not be given out. */
function expiredKey(): WireError {
  return invalidParams(`_meta.${IDEMPOTENCY_META_KEY}: the task of this key has expired; use another key`);
}

/** `CreateTaskResult`: flat in 2026-07-28, nested in 2025-11-25. */
function createTaskResult(era: Era, facts: TaskFacts, status: StatusPayload): Record<string, unknown> {
  if (era.name === 'legacy') return { task: projectTask2025(facts, status) };
  return { resultType: 'task', ...projectTask(facts, status) };
}

function listed(tool: ToolDefinition, era: Era) {
  return {
    name: tool.name,
    ...(tool.title !== undefined && { title: tool.title }),
    description: tool.description,
    inputSchema: tool.inputSchema,
    ...(tool.outputSchema !== undefined && { outputSchema: tool.outputSchema }),
    ...(era.name === 'legacy' && era.hasTasks && { execution: { taskSupport: tool.taskSupport } }),
  };
}
