/**
 * One sentence for a failed zod parse: the field, the type of the value that came, what was expected.
 *
 * Invariants: the value itself never appears, it may be a secret; the sentence is short whatever came, because field
 * names may be the caller's.
 */
import type * as z from 'zod';

/** The JSON name of a value's type; `integer` and `number` are told apart. */
export function typeName(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'array';
  if (typeof value === 'number') return Number.isInteger(value) ? 'integer' : 'number';
  if (value === undefined) return 'nothing';
  return typeof value;
}

function valueAt(root: unknown, path: ReadonlyArray<PropertyKey>): unknown {
  let at: unknown = root;
  for (const key of path) {
    if (typeof at !== 'object' || at === null) return undefined;
    at = (at as Record<PropertyKey, unknown>)[key];
  }
  return at;
}

/** The most characters of a field's name, and of what was expected of it, that are repeated. */
export const ISSUE_TEXT_LENGTH_MAX = 200;

function clip(text: string): string {
  return text.length > ISSUE_TEXT_LENGTH_MAX ? `${text.slice(0, ISSUE_TEXT_LENGTH_MAX)}…` : text;
}

function expectation(issue: z.core.$ZodIssue): string {
  if (issue.code !== 'invalid_union') return issue.message;
  const expected = issue.errors
    .flat()
    .flatMap((option) => (option.code === 'invalid_type' && option.path.length === 0 ? [option.expected] : []));
  return expected.length === 0 ? issue.message : `Invalid input: expected ${[...new Set(expected)].join(' or ')}`;
}

/** At most three issues, for example `after: expected non-negative integer, got string`. */
export function describeIssues(error: z.ZodError, input: unknown, root = 'value'): string {
  const parts = error.issues.slice(0, 3).map((issue) => {
    const field = issue.path.length === 0 ? root : issue.path.map(String).join('.');
    return `${clip(field)}: ${clip(expectation(issue))} (got ${typeName(valueAt(input, issue.path))})`;
  });
  const more = error.issues.length - parts.length;
  return more > 0 ? `${parts.join('; ')}; and ${more} more` : parts.join('; ');
}
