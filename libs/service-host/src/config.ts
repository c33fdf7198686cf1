/**
 * Loads a service's configuration from the environment and an optional JSON file, checked by one zod schema.
 *
 * Invariants: the environment wins over the file, the file over defaults; a key that nobody knows is refused, so that
 * a misspelt limit cannot pass unnoticed; errors name key, type and what is expected, never a value; an empty
 * environment variable counts as absent.
 */
import { readFileSync } from 'node:fs';
import { typeName } from '@taskstream/protocol';
import * as z from 'zod';
import { CONFIG_FILE_ENV, configKeys, ENV_PREFIX, envNameOf, type ConfigKey, type ConfigKind } from './config-keys.js';
import { ServiceError } from './errors.js';

export interface ConfigSources {
  /** The service's name, for the help text. */
  readonly name: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Path of a JSON file; absent: the one that `--config` or `TASKSTREAM_CONFIG` names, if any. */
  readonly file?: string | undefined;
  /** Arguments after the program's name: `--help`, `--print-config`, `--config FILE`. */
  readonly argv?: readonly string[] | undefined;
  /** camelCase keys of sibling programs that share environment and file; accepted and left alone. */
  readonly otherKeys?: readonly string[] | undefined;
}

export type LoadedConfig<Config> =
  | { readonly type: 'config'; readonly config: Config }
  /** The user asked for help or for the effective configuration: print it and end with code 0. */
  | { readonly type: 'text'; readonly text: string };

interface Given {
  readonly value: unknown;
  /** How the user wrote the key, for messages. */
  readonly where: string;
}

/** Loads and checks the configuration. Throws `ServiceError` that lists every fault. */
export function loadConfig<Schema extends z.ZodObject>(
  schema: Schema,
  sources: ConfigSources,
): LoadedConfig<z.output<Schema>> {
  const keys = configKeys(schema);
  const options = parseArguments(sources.argv ?? []);
  if (options.help) return { type: 'text', text: helpText(sources.name, keys) };

  const others = sources.otherKeys ?? [];
  const given = new Map<string, Given>();
  const faults: string[] = [];
  const file = sources.file ?? options.file ?? nonEmpty(sources.env[CONFIG_FILE_ENV]);
  if (file !== undefined) readConfigFile(file, keys, others, given, faults);
  readEnvironment(sources.env, keys, others, given, faults);

  const parsed = schema.safeParse(Object.fromEntries([...given].map(([key, { value }]) => [key, value])));
  if (!parsed.success) faults.push(...parsed.error.issues.map((issue) => describeIssue(issue, keys, given)));
  if (faults.length > 0 || !parsed.success) throw new ServiceError(faultText(sources.name, faults));
  if (options.print) return { type: 'text', text: printConfig(keys, parsed.data) };
  return { type: 'config', config: parsed.data };
}

function nonEmpty(value: string | undefined): string | undefined {
  return value === undefined || value === '' ? undefined : value;
}

interface Options {
  readonly help: boolean;
  readonly print: boolean;
  readonly file: string | undefined;
}

function parseArguments(argv: readonly string[]): Options {
  let help = false;
  let print = false;
  let file: string | undefined;
  for (let at = 0; at < argv.length; at += 1) {
    const argument = argv[at];
    if (argument === '--help' || argument === '-h') help = true;
    else if (argument === '--print-config') print = true;
    else if (argument === '--config') {
      at += 1;
      file = argv[at];
      if (file === undefined) throw new ServiceError('--config: expected the path of a JSON file after it');
    } else throw new ServiceError(`Unknown argument ${argument}; --help shows what is accepted`);
  }
  return { help, print, file };
}

function readConfigFile(
  file: string,
  keys: readonly ConfigKey[],
  others: readonly string[],
  given: Map<string, Given>,
  faults: string[],
): void {
  const content = parseJsonFile(file);
  const known = new Set(keys.map((key) => key.key));
  for (const [key, value] of Object.entries(content)) {
    if (known.has(key)) given.set(key, { value, where: `${key} in ${file}` });
    else if (!others.includes(key)) faults.push(`${key} in ${file}: unknown key`);
  }
}

function parseJsonFile(file: string): Readonly<Record<string, unknown>> {
  let content: unknown;
  try {
    content = JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    const what = error instanceof SyntaxError ? 'is not JSON' : 'cannot be read';
    throw new ServiceError(`Configuration file ${file} ${what}: ${error instanceof Error ? error.message : ''}`, {
      cause: error,
    });
  }
  const parsed = z.record(z.string(), z.unknown()).safeParse(content);
  if (parsed.success) return parsed.data;
  throw new ServiceError(`Configuration file ${file}: expected a JSON object, got ${typeName(content)}`);
}

function readEnvironment(
  env: ConfigSources['env'],
  keys: readonly ConfigKey[],
  others: readonly string[],
  given: Map<string, Given>,
  faults: string[],
): void {
  const known = new Map(keys.map((key) => [key.env, key]));
  const otherNames = new Set([CONFIG_FILE_ENV, ...others.map(envNameOf)]);
  for (const [name, text] of Object.entries(env)) {
    if (!name.startsWith(ENV_PREFIX) || text === undefined || text === '') continue;
    const key = known.get(name);
    if (key !== undefined) given.set(key.key, { value: coerce(text, key.kind), where: name });
    else if (!otherNames.has(name)) faults.push(`${name}: unknown key`);
  }
}

/** What does not look like the kind stays a string, so that the schema refuses it by name. */
function coerce(text: string, kind: ConfigKind): unknown {
  const trimmed = text.trim();
  switch (kind) {
    case 'number':
      return /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i.test(trimmed) ? Number(trimmed) : text;
    case 'boolean':
      return trimmed === 'true' || trimmed === '1' ? true : trimmed === 'false' || trimmed === '0' ? false : text;
    case 'list':
      return trimmed.startsWith('[') ? jsonOr(trimmed, text) : splitList(trimmed);
    case 'object':
      return jsonOr(trimmed, text);
    case 'string':
      return text;
  }
}

function splitList(text: string): readonly string[] {
  return text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');
}

function jsonOr(text: string, fallback: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return fallback;
  }
}

function describeIssue(issue: z.core.$ZodIssue, keys: readonly ConfigKey[], given: ReadonlyMap<string, Given>): string {
  const name = String(issue.path[0] ?? '');
  const key = keys.find((one) => one.key === name);
  if (key === undefined) return issue.message;
  const from = given.get(name);
  if (from === undefined) return `${key.env} (${name}): required, expected ${key.accepts}, got nothing`;
  const place = issue.path.length > 1 ? ` at ${issue.path.slice(1).map(String).join('.')}` : '';
  return `${from.where}${place}: expected ${key.accepts}, got ${typeName(from.value)}: ${issue.message}`;
}

function faultText(name: string, faults: readonly string[]): string {
  const list = faults.map((fault) => `  ${fault}`).join('\n');
  return `The configuration of ${name} is not valid:\n${list}\n--help lists every key.`;
}

/** The text of `--help`: every key with its environment name, kind, default and description. */
export function helpText(name: string, keys: readonly ConfigKey[]): string {
  const blocks = keys.map((key) => {
    const fallback =
      key.defaultValue === undefined
        ? key.required
          ? 'required'
          : 'optional'
        : `default ${key.secret ? '***' : JSON.stringify(key.defaultValue)}`;
    return `  ${key.env}  (${key.key})\n      ${key.accepts}; ${fallback}${key.description === '' ? '' : `\n      ${key.description}`}`;
  });
  return [
    `${name} [--config FILE] [--print-config] [--help]`,
    '',
    `Every key can be set in the environment, or under its camelCase name in a JSON file that --config or`,
    `${CONFIG_FILE_ENV} names. The environment wins.`,
    '',
    ...blocks,
    '',
  ].join('\n');
}

function printConfig(keys: readonly ConfigKey[], config: Readonly<Record<string, unknown>>): string {
  const shown = keys.map((key) => {
    const value = config[key.key];
    return [key.key, key.secret && value !== undefined ? '***' : maskCredentials(value)];
  });
  return `${JSON.stringify(Object.fromEntries(shown), null, 2)}\n`;
}

/** Hides what stands between `//` and `@` in URLs, also inside lists. */
export function maskCredentials(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(maskCredentials);
  return typeof value === 'string' ? value.replaceAll(/(?<=[a-z][a-z0-9+.-]*:\/\/)[^/@\s,]+(?=@)/gi, '***') : value;
}
