/**
 * Checks the arguments of a call against the tool's JSON Schema, before a task exists.
 *
 * Invariants: a schema is compiled once; a message names the field, what was expected and the type that came, never
 * the value.
 */
import type { ToolDefinition } from '@taskstream/core';
import { typeName } from '@taskstream/protocol';
import { Ajv2020, type ErrorObject, type ValidateFunction } from 'ajv/dist/2020.js';
import formats from 'ajv-formats';

export class ToolArguments {
  readonly #compiled = new WeakMap<ToolDefinition, ValidateFunction>();

  /** Undefined when the arguments fit; else one sentence. @throws Error when the tool's schema is itself invalid */
  problem(tool: ToolDefinition, args: unknown): string | undefined {
    let validate = this.#compiled.get(tool);
    if (validate === undefined) {
      validate = compile(tool);
      this.#compiled.set(tool, validate);
    }
    if (validate(args)) return undefined;
    const issues = (validate.errors ?? []).slice(0, 3).map(describe);
    return `Invalid arguments for ${tool.name}: ${issues.join('; ')}`;
  }
}

/** Each with a compiler of its own: one remembers every `$id`, and a tool that is published again brings its own again. */
function compile(tool: ToolDefinition): ValidateFunction {
  const ajv = new Ajv2020({ allErrors: true, strict: false, verbose: true });
  formats.default(ajv);
  return ajv.compile(tool.inputSchema);
}

function describe(error: ErrorObject): string {
  const path = error.instancePath.slice(1).replaceAll('/', '.');
  const field = path === '' ? 'arguments' : path;
  if (error.keyword === 'required') {
    const missing = String(error.params['missingProperty']);
    return `${path === '' ? missing : `${path}.${missing}`}: required, got nothing`;
  }
  if (error.keyword === 'additionalProperties') {
    return `${field}: unknown field ${JSON.stringify(error.params['additionalProperty'])}`;
  }
  return `${field}: ${error.message ?? error.keyword} (got ${typeName(error.data)})`;
}
