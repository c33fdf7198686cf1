/** Waiting for what does not itself hear of the application's abort. */
import { ClientError } from './errors.js';
import { unlessAborted } from './waiting.js';

/** The value; throws `aborted` as soon as the signal says so. */
export async function waitFor<T>(value: Promise<T>, signal: AbortSignal | undefined, message: string): Promise<T> {
  if (signal === undefined) return value;
  try {
    return await unlessAborted(value, signal);
  } catch (error) {
    if (!signal.aborted) throw error;
    throw new ClientError({ code: 'aborted', message }, signal.reason);
  }
}
