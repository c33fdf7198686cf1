/**
 * `tasks/get`, `tasks/update` and `tasks/cancel` through the SDK, in both eras.
 *
 * Invariants: the capability is checked before the task, the owner before anything is told of it; answers are durable
 * before they are acknowledged, and mostly visible; an answer that breaks its question's schema is refused by field.
 */
import type { Server, ServerContext } from '@modelcontextprotocol/server';
import type { TaskSnapshot } from '@taskstream/core';
import { invalidParams, isTerminal, projectDetailedTask, projectTask2025, unknownTask } from '@taskstream/protocol';
import * as z from 'zod';
import { protocolError } from '../wire-errors.js';
import { takeAnswers } from './answers.js';
import { boundedSignal } from './bounded-signal.js';
import { callerOf, requireTasks } from './call-context.js';
import { factsOf } from './facts.js';
import type { McpParts } from './parts.js';
import { declaresSteering, registerSteering, taskMeta } from './steering.js';
import { asProtocolErrors } from './protocol-errors.js';
import type { Era } from './tools.js';
import { watchStatus } from './watch-status.js';

export const TaskIdParams = z.looseObject({ taskId: z.string() });

export function registerTasks(server: Server, parts: McpParts, era: Era): void {
  const project = (snapshot: TaskSnapshot) =>
    era.name === 'legacy'
      ? projectTask2025(factsOf(snapshot), snapshot.status)
      : projectDetailedTask(factsOf(snapshot), snapshot.status);
  server.setRequestHandler('tasks/get', { params: TaskIdParams }, ({ taskId }, context) =>
    asProtocolErrors(taskId, async () => {
      const snapshot = await owned(parts, taskId, context, era);
      const steers = declaresSteering(callerOf(context, era.name).capabilities);
      return { ...project(snapshot), ...(steers && taskMeta(parts, snapshot)) } as never;
    }),
  );
  registerSteering(server, parts, (taskId, context) => owned(parts, taskId, context, era));
  server.setRequestHandler('tasks/cancel', { params: TaskIdParams }, ({ taskId }, context) =>
    asProtocolErrors(taskId, async () => {
      const snapshot = await owned(parts, taskId, context, era);
      const over = isTerminal(snapshot.status.status);
      if (era.name === 'modern') {
        if (!over) await parts.tasks.cancel(taskId);
        return {} as never;
      }
      if (over) throw protocolError(invalidParams(`The task is ${snapshot.status.status} already`));
      return projectTask2025(factsOf(snapshot), (await cancelAndShow(parts, snapshot)).status) as never;
    }),
  );
  if (era.name === 'legacy') return;
  server.setRequestHandler('tasks/update', { params: TaskIdParams }, ({ taskId }, context) =>
    asProtocolErrors(taskId, async () => {
      const snapshot = await owned(parts, taskId, context, era);
      const outstanding = snapshot.status.inputRequests ?? {};
      const taken = takeAnswers(outstanding, context.mcpReq.inputResponses ?? {});
      if (!taken.ok) throw protocolError(invalidParams(`Invalid params for tasks/update: ${taken.problem}`));
      for (const [key, response] of taken.answers) await parts.tasks.send(taskId, { type: 'input', key, response });
      const answered = taken.answers.map(([key]) => key);
      if (answered.length > 0) await untilTaken(parts, snapshot, answered, context.mcpReq.signal);
      return {} as never;
    }),
  );
}

/** Waits until the status asks for the answered keys no more, for a moment at most: the answers are durable already. */
async function untilTaken(
  parts: McpParts,
  from: TaskSnapshot,
  answered: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  using bound = boundedSignal(parts.limits.updateGraceMs, signal);
  for await (const { status } of watchStatus(parts, from.spec.taskId, bound.signal, { from })) {
    if (!answered.some((key) => key in (status.inputRequests ?? {}))) return;
  }
}

/** 2025-11-25 must show `cancelled` in its answer: the worker gets a moment, then it is fenced. */
export async function cancelAndShow(parts: McpParts, before: TaskSnapshot): Promise<TaskSnapshot> {
  const { taskId } = before.spec;
  await parts.tasks.cancel(taskId);
  using patience = boundedSignal(parts.limits.cancelGraceMs);
  for await (const snapshot of watchStatus(parts, taskId, patience.signal)) {
    if (isTerminal(snapshot.status.status)) return snapshot;
  }
  await parts.tasks.cancelNow(taskId);
  return (await parts.tasks.read(taskId)) ?? before;
}

/** @throws ProtocolError -32021 without the extension, -32602 for unknown, expired and foreign tasks alike */
export async function owned(parts: McpParts, taskId: string, context: ServerContext, era: Era): Promise<TaskSnapshot> {
  const caller = callerOf(context, era.name);
  requireTasks(caller);
  const snapshot = await parts.owned.read(taskId, caller.owner);
  if (snapshot === undefined) throw protocolError(unknownTask());
  return snapshot;
}
