/**
 * Steering running tasks: `dev.taskstream/steer`, `/pause` and `/resume`, and what of it a client is shown.
 *
 * Invariants: whoever may read a task may steer it, in both eras; a request is durable before it is acknowledged; a task
 * never has another status than the standard ones: that it is paused is told in `_meta`, to clients that declared
 * `dev.taskstream/steering`, and in the log, whose bytes are the same for all.
 */
import type { Server, ServerContext } from '@modelcontextprotocol/server';
import type { MailboxCommand, TaskSnapshot, ToolDefinition } from '@taskstream/core';
import {
  describeIssues,
  invalidParams,
  isTerminal,
  PAUSE_METHOD,
  RESUME_METHOD,
  STEER_METHOD,
  STEERING_EXTENSION,
  TASK_META_KEY,
  TOOL_META_KEY,
  type WireError,
} from '@taskstream/protocol';
import * as z from 'zod';
import { protocolError } from '../wire-errors.js';
import type { Caller } from './call-context.js';
import type { McpParts } from './parts.js';
import { asProtocolErrors } from './protocol-errors.js';

const Raw = z.looseObject({ taskId: z.string() });
const SteerParams = z.looseObject({
  message: z.string().min(1),
  data: z.record(z.string(), z.unknown()).optional(),
});

const Declared = z.looseObject({
  extensions: z.record(z.string(), z.unknown()).optional(),
  experimental: z.record(z.string(), z.unknown()).optional(),
});

/** Finds the caller's own task. @throws ProtocolError for unknown, expired and foreign tasks alike */
export type FindOwned = (taskId: string, context: ServerContext) => Promise<TaskSnapshot>;

export function registerSteering(server: Server, parts: McpParts, find: FindOwned): void {
  const serve = (method: string, kind: Kind, read: (params: unknown) => MailboxCommand) =>
    server.setRequestHandler(method, { params: Raw }, (params, context) =>
      asProtocolErrors(params.taskId, async () => {
        const snapshot = await find(params.taskId, context);
        const command = read(params);
        const refusal = refuse(parts, snapshot, kind);
        if (refusal !== undefined) throw protocolError(refusal);
        await parts.tasks.send(params.taskId, command);
        return {} as never;
      }),
    );
  serve(STEER_METHOD, 'steerable', (params) => {
    const steer = SteerParams.safeParse(params);
    if (!steer.success) {
      throw protocolError(invalidParams(`Invalid params for ${STEER_METHOD}: ${describeIssues(steer.error, params)}`));
    }
    const { message, data } = steer.data;
    return { type: 'steer', message, ...(data !== undefined && { data }) };
  });
  serve(PAUSE_METHOD, 'pausable', () => ({ type: 'pause' }));
  serve(RESUME_METHOD, 'pausable', () => ({ type: 'resume' }));
}

type Kind = 'steerable' | 'pausable';

function refuse(parts: McpParts, { status, spec }: TaskSnapshot, kind: Kind): WireError | undefined {
  if (isTerminal(status.status)) {
    return { ...invalidParams(`The task is ${status.status} already`), data: { reason: 'task_ended' } };
  }
  if (parts.catalogue.get(spec.tool)?.[kind] === true) return undefined;
  return { ...invalidParams(`Tasks of ${spec.tool} are not ${kind}`), data: { reason: `not_${kind}` } };
}

/** Whether a client asked to be shown what can be steered: an extension in 2026-07-28, experimental in 2025-11-25. */
export function declaresSteering(capabilities: Caller['capabilities']): boolean {
  const parsed = Declared.safeParse(capabilities);
  if (!parsed.success) return false;
  const { extensions, experimental } = parsed.data;
  return (extensions?.[STEERING_EXTENSION] ?? experimental?.[STEERING_EXTENSION]) !== undefined;
}

/** `_meta` of a task for a client that asked for it. */
export function taskMeta(parts: McpParts, { paused, spec }: TaskSnapshot): Record<string, unknown> {
  const tool = parts.catalogue.get(spec.tool);
  return { _meta: { [TASK_META_KEY]: { paused, ...(tool !== undefined && kindsOf(tool)) } } };
}

/** `_meta` of a tool for a client that asked for it; empty when there is nothing to tell. */
export function toolMeta(tool: ToolDefinition): Record<string, unknown> {
  const kinds = kindsOf(tool);
  return Object.keys(kinds).length === 0 ? {} : { _meta: { [TOOL_META_KEY]: kinds } };
}

function kindsOf({ steerable, pausable }: ToolDefinition): Record<string, boolean> {
  return { ...(steerable === true && { steerable }), ...(pausable === true && { pausable }) };
}
