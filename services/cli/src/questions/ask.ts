/**
 * Asks one question in a terminal and gives the answer.
 *
 * Invariants: what the question says passes `printable`; an answer is complete and checked, or there is none; `:decline`
 * and `:cancel` work at every prompt.
 */
import type { InputRequest, InputResponse } from '@taskstream/client';
import { UsageError } from '../exit-codes.js';
import { printable, printableLine } from '../output/printable.js';
import { parseForm, readField, type Field } from './form.js';

/** A line-based conversation; `line` gives undefined at the end of the input. */
export interface Prompt {
  readonly say: (text: string) => void;
  readonly line: (prompt: string) => Promise<string | undefined>;
}

const CHARS_MAX = 500;
const ACTIONS = ['accept', 'decline', 'cancel'] as const;
export type Action = (typeof ACTIONS)[number];

/** Undefined when the input ends before the answer is complete. Throws `UsageError` for what cannot be asked here. */
export async function ask(request: InputRequest, prompt: Prompt): Promise<InputResponse | undefined> {
  const { message, mode, url, requestedSchema } = request.params;
  const fields = request.method === 'elicitation/create' ? parseForm(requestedSchema) : undefined;
  if (fields === undefined) {
    throw new UsageError(
      `${printableLine(request.method, CHARS_MAX)} cannot be asked in a terminal: answer with --json`,
    );
  }
  if (typeof message === 'string') prompt.say(printable(message));
  if (mode === 'url' && typeof url === 'string') {
    prompt.say(`Open this address, if you trust it: ${printableLine(url, CHARS_MAX)}`);
  }
  if (mode === 'url' || fields.length === 0) {
    const action = await askAction(prompt);
    if (action === undefined) return undefined;
    return action === 'accept' && mode !== 'url' ? { action, content: {} } : { action };
  }
  prompt.say('(an empty line takes the default; :decline refuses to answer, :cancel leaves it)');
  const content: Record<string, unknown> = {};
  for (const field of fields) {
    const answer = await askField(field, prompt);
    if (answer === undefined) return undefined;
    if ('action' in answer) return { action: answer.action };
    if (answer.value !== undefined) content[field.name] = answer.value;
  }
  return { action: 'accept', content };
}

async function askAction(prompt: Prompt): Promise<Action | undefined> {
  for (;;) {
    const line = await prompt.line(`${ACTIONS.join(', ')}? `);
    if (line === undefined) return undefined;
    const typed = line.trim().replace(/^:/, '').toLowerCase();
    const action = ACTIONS.find((one) => typed !== '' && one.startsWith(typed));
    if (action !== undefined) return action;
    prompt.say(`expected one of ${ACTIONS.join(', ')}`);
  }
}

async function askField(
  field: Field,
  prompt: Prompt,
): Promise<{ readonly value: unknown } | { readonly action: Action } | undefined> {
  if (field.description !== undefined) prompt.say(printable(field.description));
  for (const [at, { title }] of field.choices.entries()) {
    prompt.say(`  ${at + 1}  ${printableLine(title, CHARS_MAX)}`);
  }
  for (;;) {
    const line = await prompt.line(promptOf(field));
    if (line === undefined) return undefined;
    const command = /^:(decline|cancel)$/.exec(line.trim());
    if (command !== null) return { action: command[1] as Action };
    const read = readField(field, line);
    if (read.ok) return { value: read.value };
    prompt.say(`${printableLine(field.title, CHARS_MAX)}: ${printableLine(read.why, CHARS_MAX)}`);
  }
}

function promptOf({ title, expects, required, fallback }: Field): string {
  const rest = fallback === undefined ? (required ? '' : ', optional') : `, default ${JSON.stringify(fallback)}`;
  return printableLine(`${title} (${expects}${rest}):`, CHARS_MAX) + ' ';
}
