/**
 * What the kit is told about the server under test: its command line, parsed and checked.
 */
import { parseArgs } from 'node:util';
import * as z from 'zod';

const Json = z.record(z.string(), z.unknown());

export interface ToolCall {
  readonly name: string;
  readonly args: Readonly<Record<string, unknown>>;
}

export interface KitOptions {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Of somebody who does not own the tasks of `headers`. */
  readonly otherHeaders?: Readonly<Record<string, string>> | undefined;
  /** Emits some events and ends by itself. */
  readonly finite: ToolCall;
  /** Emits at least 20 events over a second or more, then ends. */
  readonly live: ToolCall;
  /** Emits now and then for a minute or so, until it is cancelled. */
  readonly long: ToolCall;
  /** A task of which the events below `earliestSeq` are gone and the others are kept. */
  readonly trimmed?: { readonly taskId: string; readonly earliestSeq: number } | undefined;
  /** Longest wait for any one answer. */
  readonly deadlineMs: number;
}

export interface CommandLine {
  readonly kit: KitOptions;
  readonly json: boolean;
}

export const DEFAULT_TOOLS = {
  finite: { name: 'count', args: { n: 25, everyMs: 0 } },
  live: { name: 'count', args: { n: 60, everyMs: 25 } },
  long: { name: 'count', args: { n: 3_000, everyMs: 20 } },
} as const satisfies Record<string, ToolCall>;

export const HELP = `Checks a server against SEP-2694 (resumable task event streams) over Streamable HTTP, revision 2026-07-28.

  --url URL                 the MCP endpoint; required
  --header 'name: value'    sent with every request; may be repeated
  --other-header 'name: v'  of a caller who must not see those tasks; may be repeated
  --tool-finite NAME        emits some events and ends         (count)
  --tool-live NAME          emits for a second or more, ends   (count)
  --tool-long NAME          emits until it is cancelled        (count)
  --args JSON               arguments of the tool named before it
  --trimmed-task ID         a task whose oldest events are gone
  --earliest N              its first event that is kept; at least 2
  --deadline-ms N           longest wait for an answer         (30000)
  --json                    print the report as JSON

Ends with 1 when a requirement failed, with 2 when the kit could not run.
`;

/** A mistake on the command line; its message is for the user. */
export class UsageError extends Error {}

const OPTIONS = {
  url: { type: 'string' },
  header: { type: 'string', multiple: true },
  'other-header': { type: 'string', multiple: true },
  'tool-finite': { type: 'string' },
  'tool-live': { type: 'string' },
  'tool-long': { type: 'string' },
  args: { type: 'string', multiple: true },
  'trimmed-task': { type: 'string' },
  earliest: { type: 'string' },
  'deadline-ms': { type: 'string' },
  json: { type: 'boolean' },
} as const;

/** @throws UsageError that names the option and what is expected */
export function parseCommandLine(argv: readonly string[]): CommandLine {
  const { values, tokens } = parsed(argv);
  if (values.url === undefined || !URL.canParse(values.url) || !/^https?:$/.test(new URL(values.url).protocol)) {
    throw new UsageError('--url: expected an http or https URL');
  }
  const tools: Record<'finite' | 'live' | 'long', ToolCall> = { ...DEFAULT_TOOLS };
  let last: keyof typeof tools | undefined;
  for (const token of tokens) {
    if (token.kind !== 'option') continue;
    const which = /^tool-(finite|live|long)$/.exec(token.name)?.[1] as keyof typeof tools | undefined;
    if (which !== undefined) {
      last = which;
      tools[which] = { name: token.value ?? '', args: {} };
    } else if (token.name === 'args') {
      if (last === undefined) throw new UsageError('--args: expected after the --tool-… that it belongs to');
      tools[last] = { name: tools[last].name, args: jsonObject(token.value ?? '') };
    }
  }
  const { 'trimmed-task': trimmedTask, earliest, 'other-header': other } = values;
  if ((trimmedTask === undefined) !== (earliest === undefined)) {
    throw new UsageError('--trimmed-task and --earliest: expected together');
  }
  return {
    kit: {
      url: values.url,
      headers: headersOf('header', values.header ?? []),
      otherHeaders: other === undefined ? undefined : headersOf('other-header', other),
      ...tools,
      trimmed:
        trimmedTask === undefined
          ? undefined
          : { taskId: trimmedTask, earliestSeq: wholeNumber('earliest', earliest ?? '', 2) },
      deadlineMs: wholeNumber('deadline-ms', values['deadline-ms'] ?? '30000', 1),
    },
    json: values.json === true,
  };
}

function parsed(argv: readonly string[]) {
  try {
    return parseArgs({ args: [...argv], options: OPTIONS, strict: true, allowPositionals: false, tokens: true });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error), { cause: error });
  }
}

function headersOf(option: string, given: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    given.map((text) => {
      const match = /^([!#$%&'*+.^_`|~\w-]+):\s*(.*?)\s*$/.exec(text);
      if (match === null) throw new UsageError(`--${option}: expected 'name: value'`);
      return [(match[1] ?? '').toLowerCase(), match[2] ?? ''];
    }),
  );
}

function jsonObject(text: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new UsageError('--args: expected the JSON text of an object');
  }
  const object = Json.safeParse(value);
  if (!object.success) throw new UsageError('--args: expected a JSON object');
  return object.data;
}

function wholeNumber(option: string, text: string, min: number): number {
  const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= min) return value;
  throw new UsageError(`--${option}: expected a whole number of at least ${min}`);
}
