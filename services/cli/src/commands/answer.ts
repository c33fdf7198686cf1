/**
 * `answer`: asks the user what a task asks, and sends the answers.
 *
 * Invariants: each question is answered whole or stays open; nothing is sent that the question's own schema refuses.
 */
import type { InputRequest, InputResponse, TaskClient } from '@taskstream/client';
import { parseJsonOption } from '../arguments.js';
import { ExitCode, UsageError } from '../exit-codes.js';
import { printable, printableLine } from '../output/printable.js';
import type { AnswerOptions } from '../program.js';
import { ask } from '../questions/ask.js';
import { formProblems, parseForm } from '../questions/form.js';
import type { CommandContext } from './context.js';

const KEY_CHARS_MAX = 200;
type Question = readonly [key: string, request: InputRequest];

export async function answer(context: CommandContext, taskId: string, options: AnswerOptions): Promise<ExitCode> {
  const client = context.connect(options.url);
  const task = await client.getTask(taskId, { signal: context.signal });
  const open = Object.entries(task.inputRequests ?? {});
  const questions = options.key === undefined ? open : open.filter(([key]) => key === options.key);
  if (questions.length === 0) {
    const what = options.key === undefined ? 'nothing' : `no ${printableLine(options.key, KEY_CHARS_MAX)}`;
    context.note(`The task asks for ${what} now; its status is ${task.status}`);
    return ExitCode.failed;
  }
  const given = await givenAnswer(options);
  if (given !== undefined) {
    const question = theOnly(questions);
    await send(context, client, taskId, question, given(question[1]));
    return ExitCode.ok;
  }
  const prompt = context.prompt();
  try {
    for (const question of questions) {
      const response = await ask(question[1], prompt);
      if (response === undefined) {
        context.note('The input ended before the answer was complete: the question stays open');
        return ExitCode.failed;
      }
      await send(context, client, taskId, question, response);
    }
  } catch (error) {
    if (!context.signal.aborted) throw error;
    context.note('Interrupted: the question stays open');
    return ExitCode.interrupted;
  } finally {
    prompt.close();
  }
  return ExitCode.ok;
}

/** The answer of the command line; undefined if the user is to be asked. */
async function givenAnswer(options: AnswerOptions): Promise<((request: InputRequest) => InputResponse) | undefined> {
  if (options.decline) return () => ({ action: 'decline' });
  if (options.cancel) return () => ({ action: 'cancel' });
  if (options.json === undefined) return undefined;
  const content = await parseJsonOption('--json', options.json);
  return (request) => accepted(request, content);
}

function accepted(request: InputRequest, content: Readonly<Record<string, unknown>>): InputResponse {
  if (request.method !== 'elicitation/create') return content;
  const problems = formProblems(parseForm(request.params['requestedSchema']) ?? [], content);
  if (problems.length > 0)
    throw new UsageError(`--json does not answer the question:\n${printable(problems.join('\n'))}`);
  return { action: 'accept', content };
}

function theOnly(questions: readonly Question[]): Question {
  const [question, ...more] = questions;
  if (question !== undefined && more.length === 0) return question;
  const keys = questions.map(([key]) => printableLine(key, KEY_CHARS_MAX)).join(', ');
  throw new UsageError(`The task asks several questions: name one with --key (${keys})`);
}

async function send(
  context: CommandContext,
  client: TaskClient,
  taskId: string,
  [key]: Question,
  response: InputResponse,
): Promise<void> {
  await client.updateTask(taskId, { [key]: response }, { signal: context.signal });
  const action = typeof response['action'] === 'string' ? response['action'] : 'answered';
  const words = `${printableLine(key, KEY_CHARS_MAX)}: ${printableLine(action, KEY_CHARS_MAX)}\n`;
  await context.out.write(context.terminal ? words : `${JSON.stringify({ taskId, key, action })}\n`);
}
