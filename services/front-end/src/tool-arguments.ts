/**
 * Checks the arguments of a call against the tool's JSON Schema, before a task exists.
 *
 * Invariant: a schema is compiled once.
 */
import type { ToolDefinition } from '@taskstream/core';
import type { ValidateFunction } from 'ajv/dist/2020.js';
import { compileSchema, schemaProblem } from './json-schema.js';

export class ToolArguments {
  readonly #compiled = new WeakMap<ToolDefinition, ValidateFunction>();

  /** Undefined when the arguments fit; else one sentence. @throws Error when the tool's schema is itself invalid */
  problem(tool: ToolDefinition, args: unknown): string | undefined {
    let validate = this.#compiled.get(tool);
    if (validate === undefined) {
      validate = compileSchema(tool.inputSchema);
      this.#compiled.set(tool, validate);
    }
    const problem = schemaProblem(validate, args, 'arguments');
    return problem === undefined ? undefined : `Invalid arguments for ${tool.name}: ${problem}`;
  }
}
