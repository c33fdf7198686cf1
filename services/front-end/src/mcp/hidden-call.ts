/**
 * A synchronous call in 2026-07-28: a task that nobody sees runs on the same workers, and its result is the answer.
 *
 * Invariants: a disconnect cancels the hidden task; a question of it becomes an `InputRequiredResult` whose state is
 * bound to owner, tool and arguments; a key is asked once per round.
 */
import type { ServerContext } from '@modelcontextprotocol/server';
import type { TaskSnapshot, TaskSpec } from '@taskstream/core';
import { invalidParams, isTerminal, WireCode } from '@taskstream/protocol';
import { protocolError } from '../wire-errors.js';
import type { Caller } from './call-context.js';
import type { McpParts } from './parts.js';
import { asProtocolErrors } from './protocol-errors.js';
import { watchStatus } from './watch-status.js';

type Result = Record<string, unknown>;

export function answerHiddenCall(
  parts: McpParts,
  caller: Caller,
  spec: TaskSpec,
  context: ServerContext,
): Promise<Result> {
  return waitForAnswer(parts, caller, spec, new Set(), context);
}

/** The next round of a call that was answered with a question. */
export async function resumeHiddenCall(
  parts: McpParts,
  caller: Caller,
  tool: string,
  args: unknown,
  state: string,
  context: ServerContext,
): Promise<Result> {
  const refused = () =>
    protocolError({ ...invalidParams('Invalid or expired requestState'), data: { reason: 'invalid_request_state' } });
  const taskId = await parts.requestStates.open(state, caller.owner, tool, args);
  if (taskId === undefined) throw refused();
  return asProtocolErrors(taskId, async () => {
    const snapshot = await parts.tasks.read(taskId);
    if (snapshot === undefined || snapshot.spec.owner !== caller.owner) throw refused();
    const outstanding = snapshot.status.inputRequests ?? {};
    const answered = new Set<string>();
    for (const [key, response] of Object.entries(context.mcpReq.inputResponses ?? {})) {
      if (!(key in outstanding)) continue;
      await parts.tasks.send(taskId, { type: 'input', key, response });
      answered.add(key);
    }
    return waitForAnswer(parts, caller, snapshot.spec, answered, context);
  });
}

async function waitForAnswer(
  parts: McpParts,
  caller: Caller,
  spec: TaskSpec,
  answered: ReadonlySet<string>,
  context: ServerContext,
): Promise<Result> {
  const { signal } = context.mcpReq;
  const bound = AbortSignal.any([signal, AbortSignal.timeout(parts.limits.callMsMax)]);
  for await (const snapshot of watchStatus(parts, spec.taskId, bound)) {
    const { status } = snapshot;
    if (isTerminal(status.status)) return resultOf(snapshot);
    const open = Object.entries(status.inputRequests ?? {}).filter(([key]) => !answered.has(key));
    if (open.length > 0) {
      const requestState = await parts.requestStates.seal(caller.owner, spec.tool, spec.arguments, spec.taskId);
      return { resultType: 'input_required', inputRequests: Object.fromEntries(open), requestState };
    }
  }
  await parts.tasks.cancel(spec.taskId, signal.aborted ? 'The caller went away' : 'The call took too long');
  throw protocolError({
    code: WireCode.internalError,
    message: `${spec.tool} gave no result within ${parts.limits.callMsMax} ms; call it as a task`,
  });
}

function resultOf({ status, spec }: TaskSnapshot): Result {
  if (status.status === 'completed') return status.result ?? { content: [] };
  const message = status.statusMessage ?? `${spec.tool} was ${status.status}`;
  const error = status.error ?? { code: WireCode.internalError, message };
  throw protocolError({ code: error.code, message: error.message });
}
