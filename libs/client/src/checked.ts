/** Turns what the parsers throw into errors of the client. */
import { ClientError } from './errors.js';
import { ShapeError } from './shape.js';
import { ResultTypeError } from './wire.js';

/** Parses a server's answer; throws `unknown_result_type` or `protocol_fault`. */
export function checked<T>(parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    if (error instanceof ResultTypeError) {
      throw new ClientError({ code: 'unknown_result_type', message: `Malformed result: ${error.message}` });
    }
    if (!(error instanceof ShapeError)) throw error;
    const details = { fault: 'malformed_result' };
    throw new ClientError({ code: 'protocol_fault', message: `Malformed result: ${error.message}`, details });
  }
}
