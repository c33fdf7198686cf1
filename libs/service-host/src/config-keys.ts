/**
 * What a configuration schema says about its keys: names in the environment, kinds, defaults, descriptions, secrets.
 *
 * Invariants: keys are flat and camelCase; each has exactly one name in the environment; everything is read from the
 * schema, so that help, masking and coercion cannot drift from it.
 */
import * as z from 'zod';

export const ENV_PREFIX = 'TASKSTREAM_';
/** Names the optional JSON file; not a key of any schema. */
export const CONFIG_FILE_ENV = 'TASKSTREAM_CONFIG';

export type ConfigKind = 'string' | 'number' | 'boolean' | 'list' | 'object';

export interface ConfigKey {
  /** As in the schema and in the JSON file, for example `leaseMs`. */
  readonly key: string;
  /** As in the environment, for example `TASKSTREAM_LEASE_MS`. */
  readonly env: string;
  readonly kind: ConfigKind;
  /** What is accepted, in words: `integer ≥ 100`, `debug | info`. */
  readonly accepts: string;
  readonly required: boolean;
  readonly secret: boolean;
  readonly description: string;
  readonly defaultValue: unknown;
}

/** `leaseMs` → `TASKSTREAM_LEASE_MS`. */
export function envNameOf(key: string): string {
  return ENV_PREFIX + key.replaceAll(/(?<=[a-z0-9])(?=[A-Z])/g, '_').toUpperCase();
}

const KEY = /^[a-z][A-Za-z0-9]*$/;

const Property: z.ZodType<PropertySchema> = z.lazy(() =>
  z.looseObject({
    type: z.string().optional(),
    description: z.string().optional(),
    secret: z.boolean().optional(),
    default: z.unknown().optional(),
    enum: z.array(z.unknown()).optional(),
    minimum: z.number().optional(),
    maximum: z.number().optional(),
    exclusiveMinimum: z.number().optional(),
    anyOf: z.array(Property).optional(),
  }),
);

interface PropertySchema {
  readonly type?: string | undefined;
  readonly description?: string | undefined;
  readonly secret?: boolean | undefined;
  readonly default?: unknown;
  readonly enum?: readonly unknown[] | undefined;
  readonly minimum?: number | undefined;
  readonly maximum?: number | undefined;
  readonly exclusiveMinimum?: number | undefined;
  readonly anyOf?: readonly PropertySchema[] | undefined;
}

const ObjectSchema = z.looseObject({
  properties: z.record(z.string(), Property),
  required: z.array(z.string()).optional(),
});

/** The keys of a schema in its own order. Throws if a key is not camelCase: the environment name would be ambiguous. */
export function configKeys(schema: z.ZodObject): readonly ConfigKey[] {
  const { properties, required = [] } = ObjectSchema.parse(
    z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }),
  );
  return Object.entries(properties).map(([key, property]) => {
    if (!KEY.test(key)) throw new TypeError(`Configuration key ${key} is not flat camelCase`);
    return {
      key,
      env: envNameOf(key),
      kind: kindOf(property),
      accepts: acceptsOf(property),
      required: required.includes(key),
      secret: property.secret ?? false,
      description: property.description ?? '',
      defaultValue: property.default,
    };
  });
}

function kindOf(property: PropertySchema): ConfigKind {
  switch (property.type) {
    case 'integer':
    case 'number':
      return 'number';
    case 'boolean':
      return 'boolean';
    case 'array':
      return 'list';
    case 'object':
      return 'object';
    default: {
      const alternatives = (property.anyOf ?? []).filter((one) => one.type !== 'null');
      const [first] = alternatives;
      return first !== undefined && alternatives.every((one) => kindOf(one) === kindOf(first))
        ? kindOf(first)
        : 'string';
    }
  }
}

function acceptsOf(property: PropertySchema): string {
  if (property.enum !== undefined) return property.enum.map(String).join(' | ');
  if (property.anyOf !== undefined) return property.anyOf.map(acceptsOf).join(' or ');
  const kind = property.type === 'array' ? 'comma-separated list' : (property.type ?? 'string');
  const { minimum, maximum, exclusiveMinimum } = property;
  const from =
    exclusiveMinimum !== undefined && exclusiveMinimum > Number.MIN_SAFE_INTEGER
      ? ` > ${exclusiveMinimum}`
      : minimum !== undefined && minimum > Number.MIN_SAFE_INTEGER
        ? ` ≥ ${minimum}`
        : '';
  const to = maximum !== undefined && maximum < Number.MAX_SAFE_INTEGER ? ` ≤ ${maximum}` : '';
  return kind + from + to;
}
