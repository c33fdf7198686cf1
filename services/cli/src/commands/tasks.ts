/**
 * The commands that talk to a server: call, tail, get, cancel, delete, tools. They use the public client only.
 */
import { randomUUID } from 'node:crypto';
import type { DetailedTask, InputRequest, InputResponse } from '@taskstream/client';
import { FileCursorStore } from '@taskstream/client/node';
import { parseJsonOption } from '../arguments.js';
import { ExitCode } from '../exit-codes.js';
import { printable, printableLine } from '../output/printable.js';
import type { CallOptions, ConnectOptions, TailOptions } from '../program.js';
import { ask } from '../questions/ask.js';
import type { CommandContext } from './context.js';
import { followToEnd } from './follow.js';

const DESCRIPTION_CHARS_MAX = 100;

export async function call(context: CommandContext, tool: string, options: CallOptions): Promise<ExitCode> {
  const { signal } = context;
  const input = await parseJsonOption('--input', options.input);
  const output = context.taskOutput({ verbose: options.verbose, transcript: false });
  const client = context.connect(options.url);
  const handle = await client.callTool(tool, input, {
    signal,
    idempotencyKey: randomUUID(),
    onInputRequest: (_key, request) => askNow(context, request),
  });
  if (handle.immediate !== undefined) {
    await output.immediate(handle.immediate);
    return handle.immediate.isError === true ? ExitCode.failed : ExitCode.ok;
  }
  if (options.follow) {
    // Not `handle.events`, which would put the task's questions on top of the progress: `answer` asks them.
    const follow = client.followTask(handle.taskId ?? '', {
      raw: true,
      signal,
      onEventsGone: 'resume',
      onNotice: output.notice,
    });
    return followToEnd(follow, output, context);
  }
  await output.created(handle.taskId ?? '');
  return ExitCode.ok;
}

/** A tool that asks before there is a task. */
async function askNow(context: CommandContext, request: InputRequest): Promise<InputResponse> {
  const prompt = context.prompt();
  try {
    return (await ask(request, prompt)) ?? { action: 'cancel' };
  } finally {
    prompt.close();
  }
}

export async function tail(context: CommandContext, taskId: string, options: TailOptions): Promise<ExitCode> {
  const output = context.taskOutput({ verbose: options.verbose, transcript: options.transcript });
  const client = context.connect(options.url);
  // A follow is patient; a server that was never there shall be told at once.
  await client.getTask(taskId, { signal: context.signal });
  const follow = client.followTask(taskId, {
    raw: true,
    signal: context.signal,
    onEventsGone: 'resume',
    onNotice: output.notice,
    ...(options.after !== undefined && { after: options.after }),
    ...(options.cursorFile !== undefined && { cursorStore: new FileCursorStore(options.cursorFile) }),
  });
  return followToEnd(follow, output, context);
}

export async function get(context: CommandContext, taskId: string, options: ConnectOptions): Promise<ExitCode> {
  const task = await context.connect(options.url).getTask(taskId, { signal: context.signal });
  await context.out.write(context.terminal ? taskText(task) : `${JSON.stringify(task)}\n`);
  return ExitCode.ok;
}

function taskText(task: DetailedTask): string {
  const rows: readonly (readonly [string, string | undefined])[] = [
    ['task', task.taskId],
    ['status', task.status],
    ['message', task.statusMessage],
    ['created', task.createdAt],
    ['updated', task.lastUpdatedAt],
    ['kept for', task.ttlMs === null ? 'as long as the server keeps it' : `${task.ttlMs} ms after creation`],
    ['error', task.error === undefined ? undefined : `${task.error.message} (${task.error.code})`],
    ['asks for', task.inputRequests === undefined ? undefined : JSON.stringify(task.inputRequests, null, 2)],
    ['result', task.result === undefined ? undefined : JSON.stringify(task.result, null, 2)],
  ];
  return rows
    .flatMap(([name, value]) => (value === undefined ? [] : [`${name.padEnd(10)}${printable(value)}\n`]))
    .join('');
}

export async function cancel(context: CommandContext, taskId: string, options: ConnectOptions): Promise<ExitCode> {
  await context.connect(options.url).cancelTask(taskId, { signal: context.signal });
  await context.out.write(
    context.terminal
      ? `The server was asked to cancel ${printable(taskId)}; it may still end otherwise.\n`
      : `${JSON.stringify({ taskId, cancelRequested: true })}\n`,
  );
  return ExitCode.ok;
}

export async function deleteTask(context: CommandContext, taskId: string, options: ConnectOptions): Promise<ExitCode> {
  await context.connect(options.url).deleteTask(taskId, { signal: context.signal });
  await context.out.write(
    context.terminal
      ? `${printable(taskId)} and its events are removed.\n`
      : `${JSON.stringify({ taskId, deleted: true })}\n`,
  );
  return ExitCode.ok;
}

export async function tools(context: CommandContext, options: ConnectOptions): Promise<ExitCode> {
  const found = await context.connect(options.url).listTools({ signal: context.signal });
  if (context.terminal && found.length === 0) context.note('No tools: no worker has published any yet');
  for (const tool of found) {
    const text = `${printable(tool.name)}\n    ${printableLine(tool.description ?? '', DESCRIPTION_CHARS_MAX)}\n`;
    await context.out.write(context.terminal ? text : `${JSON.stringify(tool)}\n`);
  }
  return ExitCode.ok;
}
