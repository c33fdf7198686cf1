/**
 * Follows a task to its end and shows it; shared by `call --follow` and `tail`.
 */
import { isClientError, type Follow } from '@taskstream/client';
import { ExitCode, exitCodeOfOutcome } from '../exit-codes.js';
import type { TaskOutput } from '../output/task-output.js';
import type { CommandContext } from './context.js';

/** Throws the `ClientError` of the follow, except for an interruption by the user. */
export async function followToEnd(
  follow: Follow,
  output: TaskOutput,
  context: Pick<CommandContext, 'note'>,
): Promise<ExitCode> {
  output.begin(follow.taskId);
  // The iteration reports first; the same error on `outcome` must not count as unhandled.
  follow.outcome.catch(() => undefined);
  try {
    for await (const item of follow) await output.item(item);
    const outcome = await follow.outcome;
    await output.outcome(outcome);
    return exitCodeOfOutcome(outcome);
  } catch (error) {
    await output.abandon();
    if (!isClientError(error, 'aborted')) throw error;
    const after = follow.lastSeq === undefined ? '' : ` --after ${follow.lastSeq}`;
    context.note(`Interrupted. The task goes on; follow it with: npx taskstream tail ${follow.taskId}${after}`);
    return ExitCode.interrupted;
  }
}
