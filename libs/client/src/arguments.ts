/** Checks of what the application hands in. Invariant: a message names the argument, what was expected and what came. */
import { ClientError } from './errors.js';
import { mismatch, type Check } from './shape.js';

export function invalidArgument(message: string): ClientError {
  return new ClientError({ code: 'invalid_argument', message });
}

/** The argument; throws `invalid_argument`. */
export function argument<T>(value: unknown, check: Check<T>, name: string): T {
  if (check.test(value)) return value;
  throw invalidArgument(mismatch(value, check, name));
}

/** The same of an option that may be left out. */
export function optionalArgument<T>(value: unknown, check: Check<T>, name: string): T | undefined {
  return value === undefined ? undefined : argument(value, check, name);
}
