/**
 * A synchronous call in 2026-07-28: a task that nobody sees runs on the same workers, and its result is the answer.
 *
 * Invariants: a disconnect cancels the hidden task, and so does a node that can wait no longer; a question of it becomes
 * an `InputRequiredResult` whose state is bound to owner, tool and arguments; a key is asked once per round; progress
 * goes out before the result.
 */
import type { ServerContext } from '@modelcontextprotocol/server';
import type { TaskSnapshot, TaskSpec } from '@taskstream/core';
import { invalidParams, isTerminal, temporarilyUnavailable, WireCode } from '@taskstream/protocol';
import { protocolError } from '../wire-errors.js';
import { takeAnswers } from './answers.js';
import { boundedSignal } from './bounded-signal.js';
import type { Caller } from './call-context.js';
import { freshSnapshot } from './facts.js';
import type { McpParts } from './parts.js';
import { progressRelay, progressTokenOf } from './progress-relay.js';
import { asProtocolErrors } from './protocol-errors.js';
import { watchStatus } from './watch-status.js';

type Result = Record<string, unknown>;

export function answerHiddenCall(
  parts: McpParts,
  caller: Caller,
  spec: TaskSpec,
  context: ServerContext,
): Promise<Result> {
  return waitForAnswer(parts, caller, freshSnapshot(spec), new Set(), context);
}

export function invalidRequestState() {
  const error = invalidParams('Invalid or expired requestState');
  return protocolError({ ...error, data: { reason: 'invalid_request_state' } });
}

/** The next round of a call that was answered with a question. */
export async function resumeHiddenCall(
  parts: McpParts,
  caller: Caller,
  taskId: string,
  context: ServerContext,
): Promise<Result> {
  return asProtocolErrors(taskId, async () => {
    const snapshot = await parts.tasks.read(taskId);
    if (snapshot === undefined || snapshot.spec.owner !== caller.owner) throw invalidRequestState();
    const taken = takeAnswers(snapshot.status.inputRequests ?? {}, context.mcpReq.inputResponses ?? {});
    if (!taken.ok) throw protocolError(invalidParams(`Invalid params for tools/call: ${taken.problem}`));
    const answered = new Set<string>();
    for (const [key, response] of taken.answers) {
      await parts.tasks.send(taskId, { type: 'input', key, response });
      answered.add(key);
    }
    return waitForAnswer(parts, caller, snapshot, answered, context);
  });
}

async function waitForAnswer(
  parts: McpParts,
  caller: Caller,
  from: TaskSnapshot,
  answered: ReadonlySet<string>,
  context: ServerContext,
): Promise<Result> {
  const { spec } = from;
  const { signal, notify, _meta } = context.mcpReq;
  const { stopping } = parts.calls;
  using bound = boundedSignal(parts.limits.callMsMax, signal, stopping);
  let told: Promise<void> = Promise.resolve();
  const onProgress = progressRelay(
    progressTokenOf(_meta),
    parts.limits.progressPerSecondMax,
    (notification) => {
      // A caller that is gone aborts the call by itself.
      told = told.then(() => notify(notification)).catch(() => undefined);
    },
    parts.limitHit,
  );
  for await (const snapshot of watchStatus(parts, spec.taskId, bound.signal, { from, onProgress })) {
    const { status } = snapshot;
    if (isTerminal(status.status)) {
      await told;
      return resultOf(snapshot);
    }
    const open = Object.entries(status.inputRequests ?? {}).filter(([key]) => !answered.has(key));
    if (open.length > 0) {
      const requestState = await parts.requestStates.seal(caller.owner, spec.tool, spec.arguments, {
        taskId: spec.taskId,
      });
      return { resultType: 'input_required', inputRequests: Object.fromEntries(open), requestState };
    }
  }
  const stopped = stopping.aborted && !signal.aborted;
  const why = signal.aborted ? 'The caller went away' : stopped ? 'Its node was shut down' : 'The call took too long';
  if (!signal.aborted) parts.limitHit(stopped ? 'draining' : 'callMsMax');
  await parts.tasks.cancel(spec.taskId, why);
  if (stopped) throw protocolError(temporarilyUnavailable('This node is shutting down; call again'));
  throw protocolError({
    code: WireCode.internalError,
    message: `${spec.tool} gave no result within ${parts.limits.callMsMax} ms; call it as a task`,
  });
}

function resultOf({ status, spec }: TaskSnapshot): Result {
  if (status.status === 'completed') return status.result ?? { content: [] };
  const message = status.statusMessage ?? `${spec.tool} was ${status.status}`;
  throw protocolError(status.error ?? { code: WireCode.internalError, message });
}
