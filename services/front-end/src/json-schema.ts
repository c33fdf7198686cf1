/**
 * JSON Schemas that tools bring along, compiled, and what is wrong with a value in one sentence.
 *
 * Invariant: a message names the field, what was expected and the type that came, never the value.
 */
import { typeName } from '@taskstream/protocol';
import { Ajv2020, type ErrorObject, type ValidateFunction } from 'ajv/dist/2020.js';
import formats from 'ajv-formats';

const ISSUES_MAX = 3;

/** Each with a compiler of its own: one remembers every `$id`. @throws Error when the schema is itself invalid */
export function compileSchema(schema: object): ValidateFunction {
  const ajv = new Ajv2020({ allErrors: true, strict: false, verbose: true });
  formats.default(ajv);
  return ajv.compile(schema);
}

/** Undefined when the value fits. `root` is how the value as a whole is called, `within` what its fields lie in. */
export function schemaProblem(
  validate: ValidateFunction,
  value: unknown,
  root: string,
  within = '',
): string | undefined {
  if (validate(value)) return undefined;
  return (validate.errors ?? [])
    .slice(0, ISSUES_MAX)
    .map((error) => describe(error, root, within))
    .join('; ');
}

function describe(error: ErrorObject, root: string, within: string): string {
  const below = error.instancePath.slice(1).replaceAll('/', '.');
  const path = [within, below].filter((part) => part !== '').join('.');
  const field = below === '' ? root : path;
  if (error.keyword === 'required') {
    const missing = String(error.params['missingProperty']);
    return `${path === '' ? missing : `${path}.${missing}`}: required, got nothing`;
  }
  if (error.keyword === 'additionalProperties') {
    return `${field}: unknown field ${JSON.stringify(error.params['additionalProperty'])}`;
  }
  return `${field}: ${error.message ?? error.keyword} (got ${typeName(error.data)})`;
}
