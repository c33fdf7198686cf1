/**
 * A question's form: the fields of a requested JSON schema, how text becomes a value, and what is wrong with one.
 *
 * Invariants: the schema comes from a server and is untrusted; what cannot be understood of it is asked for as JSON and
 * left to the server to check; `pattern` is not run, because a regular expression of others can take for ever; nothing
 * is sent that fails a check here. 2025-11-25 elicitation §Requested Schema.
 */
import { typeName } from '@taskstream/protocol';
import * as z from 'zod';

export interface Choice {
  readonly value: unknown;
  readonly title: string;
}

export type FieldKind = 'text' | 'number' | 'boolean' | 'choice' | 'choices' | 'json';

export interface Field {
  readonly name: string;
  readonly title: string;
  readonly description: string | undefined;
  /** For example `whole number, 1 to 5`. */
  readonly expects: string;
  readonly required: boolean;
  /** Taken for an empty answer. */
  readonly fallback: unknown;
  readonly kind: FieldKind;
  readonly choices: readonly Choice[];
  /** Why the server would refuse the value; undefined if it would not. */
  readonly problem: (value: unknown) => string | undefined;
}

export type Read = { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly why: string };

const FIELDS_MAX = 100;
const Schema = z.looseObject({});
const FormSchema = z.looseObject({
  properties: z.record(z.string(), Schema).default({}),
  required: z.array(z.string()).default([]),
});
const Titled = z.object({ const: z.unknown(), title: z.string().optional() });
const FieldSchema = z.looseObject({
  type: z.string().optional().catch(undefined),
  title: z.string().optional().catch(undefined),
  description: z.string().optional().catch(undefined),
  format: z.string().optional().catch(undefined),
  enum: z.array(z.unknown()).optional().catch(undefined),
  enumNames: z.array(z.string()).optional().catch(undefined),
  oneOf: z.array(Titled).optional().catch(undefined),
  anyOf: z.array(Titled).optional().catch(undefined),
  items: Schema.optional().catch(undefined),
});
type FieldSchema = z.infer<typeof FieldSchema>;

/** Undefined for a schema that is not one of an object with at most 100 fields. */
export function parseForm(requestedSchema: unknown): readonly Field[] | undefined {
  const parsed = FormSchema.safeParse(requestedSchema ?? {});
  if (!parsed.success) return undefined;
  const { properties, required } = parsed.data;
  const entries = Object.entries(properties);
  if (entries.length > FIELDS_MAX) return undefined;
  return entries.map(([name, schema]) => parseField(name, schema, required.includes(name)));
}

function parseField(name: string, raw: Readonly<Record<string, unknown>>, required: boolean): Field {
  const schema = FieldSchema.parse(raw);
  const own = choicesOf(schema);
  const several = own.length === 0 && schema.type === 'array' ? choicesOf(FieldSchema.parse(schema.items ?? {})) : [];
  const choices = own.length > 0 ? own : several;
  const kind = own.length > 0 ? 'choice' : several.length > 0 ? 'choices' : (KINDS[schema.type ?? ''] ?? 'json');
  return {
    name,
    title: schema.title ?? name,
    description: schema.description,
    expects: expectation(kind, schema),
    required,
    fallback: schema['default'],
    kind,
    choices,
    problem: checker(raw),
  };
}

const KINDS: Readonly<Record<string, FieldKind>> = {
  string: 'text',
  number: 'number',
  integer: 'number',
  boolean: 'boolean',
};

function choicesOf(schema: FieldSchema): readonly Choice[] {
  const titled = schema.oneOf ?? schema.anyOf;
  if (titled !== undefined) return titled.map((one) => ({ value: one.const, title: one.title ?? String(one.const) }));
  return (schema.enum ?? []).map((value, at) => ({ value, title: schema.enumNames?.[at] ?? String(value) }));
}

function expectation(kind: FieldKind, schema: FieldSchema): string {
  const bounds = (from: string, to: string, unit: string): string => {
    const [min, max] = [schema[from], schema[to]].map((bound) => (typeof bound === 'number' ? bound : undefined));
    if (min === undefined && max === undefined) return '';
    if (max === undefined) return `, at least ${min}${unit}`;
    return min === undefined ? `, at most ${max}${unit}` : `, ${min} to ${max}${unit}`;
  };
  switch (kind) {
    case 'text':
      return `${schema.format ?? 'text'}${bounds('minLength', 'maxLength', ' characters')}`;
    case 'number':
      return `${schema.type === 'integer' ? 'whole number' : 'number'}${bounds('minimum', 'maximum', '')}`;
    case 'boolean':
      return 'yes or no';
    case 'choice':
      return 'one of the list';
    case 'choices':
      return `any of the list, with commas${bounds('minItems', 'maxItems', ' of them')}`;
    case 'json':
      return 'JSON';
  }
}

function checker(raw: Readonly<Record<string, unknown>>): Field['problem'] {
  const { pattern: _pattern, default: _default, ...known } = raw;
  let zod: z.ZodType;
  try {
    zod = z.fromJSONSchema(known);
  } catch {
    return () => undefined;
  }
  return (value) => {
    const { success, error } = zod.safeParse(value);
    return success ? undefined : error.issues.map(({ message }) => message).join('; ');
  };
}

/** What the typed text means for the field. An empty one is the default, or nothing for an optional field. */
export function readField(field: Field, text: string): Read {
  const typed = text.trim();
  if (typed === '') {
    if (field.fallback !== undefined) return checked(field, field.fallback);
    return field.required ? { ok: false, why: `expected ${field.expects}` } : { ok: true, value: undefined };
  }
  const value = valueOf(field, field.kind === 'text' ? text : typed);
  return value === undefined ? { ok: false, why: `expected ${field.expects}` } : checked(field, value);
}

function checked(field: Field, value: unknown): Read {
  const why = field.problem(value);
  return why === undefined ? { ok: true, value } : { ok: false, why };
}

function valueOf(field: Field, text: string): unknown {
  switch (field.kind) {
    case 'text':
      return text;
    case 'number':
      return /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i.test(text) ? Number(text) : undefined;
    case 'boolean':
      return /^(?:y|yes|true)$/i.test(text) ? true : /^(?:n|no|false)$/i.test(text) ? false : undefined;
    case 'choice':
      return choose(field.choices, text);
    case 'choices': {
      const chosen = text.split(',').map((part) => choose(field.choices, part.trim()));
      return chosen.includes(undefined) ? undefined : chosen;
    }
    case 'json':
      try {
        return JSON.parse(text) as unknown;
      } catch {
        return undefined;
      }
  }
}

/** By value or title, else by the number in the list. */
function choose(choices: readonly Choice[], text: string): unknown {
  const named = choices.find(({ value, title }) => String(value) === text || title === text);
  if (named !== undefined) return named.value;
  return /^\d{1,4}$/.test(text) ? choices[Number(text) - 1]?.value : undefined;
}

/** What is wrong with a whole answer, one line a field. */
export function formProblems(fields: readonly Field[], content: Readonly<Record<string, unknown>>): readonly string[] {
  const unknown = Object.keys(content).filter((name) => !fields.some((field) => field.name === name));
  return [
    ...fields.flatMap((field) => {
      const value = Object.hasOwn(content, field.name) ? content[field.name] : undefined;
      if (value === undefined) return field.required ? [`${field.name}: missing, expected ${field.expects}`] : [];
      const why = field.problem(value);
      return why === undefined ? [] : [`${field.name}: expected ${field.expects}, got ${typeName(value)}: ${why}`];
    }),
    ...unknown.map((name) => `${name}: no such field`),
  ];
}
