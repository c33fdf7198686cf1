/**
 * Parsers of command-line values.
 *
 * Invariant: a refusal names what was given and what is expected; numbers are never guessed from other text.
 */
import { readFile } from 'node:fs/promises';
import { typeName } from '@taskstream/protocol';
import { InvalidArgumentError } from 'commander';
import * as z from 'zod';
import { UsageError } from './exit-codes.js';

export const PROCESSES_MAX = 16;

function wholeNumber(text: string, min: number, max: number): number {
  const value = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (Number.isSafeInteger(value) && value >= min && value <= max) return value;
  throw new InvalidArgumentError(`expected a whole number from ${min} to ${max}.`);
}

/** 0 asks for a free one. */
export function parsePort(text: string): number {
  return wholeNumber(text, 0, 65_535);
}

export function parseProcessCount(text: string): number {
  return wholeNumber(text, 1, PROCESSES_MAX);
}

/** An exclusive cursor: the seq of the last event that is already known. */
export function parseAfter(text: string): number {
  return wholeNumber(text, 0, Number.MAX_SAFE_INTEGER);
}

/** For a repeatable option. */
export function collectUrl(text: string, before: readonly string[] | undefined): readonly string[] {
  if (!URL.canParse(text) || !/^https?:$/.test(new URL(text).protocol)) {
    throw new InvalidArgumentError('expected an http or https URL such as http://127.0.0.1:3000/mcp.');
  }
  return [...(before ?? []), text];
}

const JsonObject = z.record(z.string(), z.unknown());

/** JSON text of an object, or `@` and the path of a file that holds it. Throws `UsageError`. */
export async function parseJsonOption(option: string, text: string): Promise<Record<string, unknown>> {
  const fromFile = text.startsWith('@');
  const json = fromFile ? await readInputFile(option, text.slice(1)) : text;
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new UsageError(
      `${option} is not JSON: ${reason}. Example: ${option} '{"path":"."}' or ${option} @arguments.json`,
      { cause: error },
    );
  }
  const parsed = JsonObject.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new UsageError(`${option}: expected a JSON object, got ${typeName(value)}`);
}

async function readInputFile(option: string, file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    throw new UsageError(`${option}: cannot read ${file}: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    });
  }
}
