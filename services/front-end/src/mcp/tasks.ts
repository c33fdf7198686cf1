/**
 * `tasks/get`, `tasks/update` and `tasks/cancel` of the Tasks extension.
 *
 * Invariants: the capability is checked before the task, the owner before anything is told of it.
 */
import type { Server, ServerContext } from '@modelcontextprotocol/server';
import { TASK_ID_LENGTH_MAX, type TaskSnapshot } from '@taskstream/core';
import { isTerminal, projectDetailedTask, unknownTask } from '@taskstream/protocol';
import * as z from 'zod';
import { protocolError } from '../wire-errors.js';
import { callerOf, requireTasks } from './call-context.js';
import type { McpParts } from './parts.js';
import { asProtocolErrors } from './protocol-errors.js';
import { factsOf } from './tools.js';

const TaskIdParams = z.looseObject({ taskId: z.string() });

export function registerTasks(server: Server, parts: McpParts): void {
  server.setRequestHandler('tasks/get', { params: TaskIdParams }, ({ taskId }, context) =>
    asProtocolErrors(taskId, async () => {
      const snapshot = await owned(parts, taskId, context);
      return projectDetailedTask(factsOf(snapshot), snapshot.status) as never;
    }),
  );
  server.setRequestHandler('tasks/cancel', { params: TaskIdParams }, ({ taskId }, context) =>
    asProtocolErrors(taskId, async () => {
      const snapshot = await owned(parts, taskId, context);
      if (!isTerminal(snapshot.status.status)) await parts.tasks.cancel(taskId);
      return {} as never;
    }),
  );
  server.setRequestHandler('tasks/update', { params: TaskIdParams }, ({ taskId }, context) =>
    asProtocolErrors(taskId, async () => {
      const snapshot = await owned(parts, taskId, context);
      const outstanding = snapshot.status.inputRequests ?? {};
      const responses = Object.entries(context.mcpReq.inputResponses ?? {});
      for (const [key, response] of responses) {
        if (key in outstanding) await parts.tasks.send(taskId, { type: 'input', key, response });
      }
      return {} as never;
    }),
  );
}

/** @throws ProtocolError -32021 without the extension, -32602 for unknown, expired and foreign tasks alike */
async function owned(parts: McpParts, taskId: string, context: ServerContext): Promise<TaskSnapshot> {
  const caller = callerOf(context);
  requireTasks(caller);
  const snapshot = taskId.length > TASK_ID_LENGTH_MAX ? undefined : await parts.tasks.read(taskId);
  if (snapshot === undefined || snapshot.spec.owner !== caller.owner) throw protocolError(unknownTask());
  return snapshot;
}
