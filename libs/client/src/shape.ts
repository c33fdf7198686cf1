/**
 * Checks of values that come from outside: servers, stores, callers.
 *
 * Small on purpose: a schema library would be most of the bundle that a browser loads. Tests hold these checks
 * against the zod schemas of the protocol package.
 * Invariant: a message names the field, what was expected and the type that came, never the value.
 */

export type JsonObject = Readonly<Record<string, unknown>>;

/** A value from outside does not have the expected shape. */
export class ShapeError extends Error {}

export interface Check<T> {
  readonly expected: string;
  readonly test: (value: unknown) => value is T;
}

export function typeName(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'array';
  if (value === undefined) return 'nothing';
  if (typeof value === 'number') return Number.isInteger(value) ? 'integer' : 'number';
  return typeof value;
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** What an extension says in `_meta`; empty when it says nothing. */
export function metaOf(message: { readonly _meta?: unknown }, key: string): JsonObject {
  const said = isObject(message._meta) ? message._meta[key] : undefined;
  return isObject(said) ? said : {};
}

/** A safe integer from 0 on: a seq, a cursor, a duration. */
export function isWhole(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

export const text: Check<string> = { expected: 'a string', test: (v): v is string => typeof v === 'string' };
export const filled: Check<string> = {
  expected: 'a non-empty string',
  test: (v): v is string => typeof v === 'string' && v !== '',
};
export const whole: Check<number> = { expected: 'a non-negative integer', test: isWhole };
export const integer: Check<number> = {
  expected: 'an integer',
  test: (v): v is number => typeof v === 'number' && Number.isSafeInteger(v),
};
export const object: Check<JsonObject> = { expected: 'an object', test: isObject };
export const list: Check<readonly unknown[]> = {
  expected: 'an array',
  test: (v): v is readonly unknown[] => Array.isArray(v),
};

export function oneOf<T extends string>(values: readonly T[]): Check<T> {
  return {
    expected: `one of ${values.join(', ')}`,
    test: (v): v is T => (values as readonly unknown[]).includes(v),
  };
}

export function orNull<T>(check: Check<T>): Check<T | null> {
  return { expected: `${check.expected} or null`, test: (v): v is T | null => v === null || check.test(v) };
}

/** What is wrong with a value that does not pass the check. */
export function mismatch(value: unknown, { expected }: Pick<Check<unknown>, 'expected'>, where: string): string {
  return `${where}: expected ${expected}, got ${typeName(value)}`;
}

export function expect<T>(value: unknown, check: Check<T>, where: string): T {
  if (check.test(value)) return value;
  throw new ShapeError(mismatch(value, check, where));
}

export function field<T>(from: JsonObject, key: string, check: Check<T>, where: string): T {
  return expect(from[key], check, where === '' ? key : `${where}.${key}`);
}

export function optional<T>(from: JsonObject, key: string, check: Check<T>, where: string): T | undefined {
  return from[key] === undefined ? undefined : field(from, key, check, where);
}
