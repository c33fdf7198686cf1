/**
 * The commands that talk to the tool of a running task: steer, pause, resume.
 */
import { parseJsonOption } from '../arguments.js';
import { ExitCode } from '../exit-codes.js';
import { printable } from '../output/printable.js';
import type { ConnectOptions, SteerOptions } from '../program.js';
import type { CommandContext } from './context.js';

export async function steer(
  context: CommandContext,
  taskId: string,
  message: string,
  options: SteerOptions,
): Promise<ExitCode> {
  const data = options.data === undefined ? undefined : await parseJsonOption('--data', options.data);
  await context.connect(options.url).steerTask(taskId, message, data, { signal: context.signal });
  return told(context, taskId, { steered: true }, 'is told as soon as a tool that runs it listens');
}

export async function pause(context: CommandContext, taskId: string, options: ConnectOptions): Promise<ExitCode> {
  await context.connect(options.url).pauseTask(taskId, { signal: context.signal });
  return told(context, taskId, { pauseRequested: true }, 'waits where its tool can; `taskstream resume` lets it go on');
}

export async function resume(context: CommandContext, taskId: string, options: ConnectOptions): Promise<ExitCode> {
  await context.connect(options.url).resumeTask(taskId, { signal: context.signal });
  return told(context, taskId, { resumeRequested: true }, 'goes on');
}

/** The acknowledgement, for a person or a program. */
async function told(
  context: CommandContext,
  taskId: string,
  done: Readonly<Record<string, true>>,
  text: string,
): Promise<ExitCode> {
  await context.out.write(
    context.terminal ? `${printable(taskId)} ${text}.\n` : `${JSON.stringify({ taskId, ...done })}\n`,
  );
  return ExitCode.ok;
}
