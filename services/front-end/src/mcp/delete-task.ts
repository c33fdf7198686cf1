/**
 * `dev.taskstream/delete`: a task and everything that is stored of it goes, at its owner's request, in both eras.
 * SEP-2694 §Security Implications wants clients to ask for that and names no method; the `tasks/` prefix is not ours.
 *
 * Invariants: a task that still runs is cancelled first, and its worker gets a moment to end it; once this is answered
 * the task is unknown.
 */
import type { Server } from '@modelcontextprotocol/server';
import { DELETE_METHOD, isTerminal } from '@taskstream/protocol';
import { cancelAndShow, owned, TaskIdParams } from './tasks.js';
import type { McpParts } from './parts.js';
import { asProtocolErrors } from './protocol-errors.js';
import type { Era } from './tools.js';

export function registerDelete(server: Server, parts: McpParts, era: Era): void {
  server.setRequestHandler(DELETE_METHOD, { params: TaskIdParams }, ({ taskId }, context) =>
    asProtocolErrors(taskId, async () => {
      const snapshot = await owned(parts, taskId, context, era);
      if (!isTerminal(snapshot.status.status)) await cancelAndShow(parts, snapshot);
      await parts.tasks.delete(taskId);
      return {} as never;
    }),
  );
}
