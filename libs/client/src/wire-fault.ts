/**
 * Faults of the server: what its bytes, messages, results and events have that they may not have.
 *
 * Invariants: every fault has a stable name; a message names the field and what came, never the value.
 */
import { ClientError, type Failure } from './errors.js';
import type { ProtocolFault } from './notices.js';
import { ShapeError } from './shape.js';

/** Faults that every other try would meet, too. */
const FINAL = ['message_too_large', 'unknown_result_type'] as const;

export interface Remark {
  readonly fault: ProtocolFault;
  readonly message: string;
}

export class WireFault extends Error implements Remark {
  readonly fault: ProtocolFault;

  constructor(fault: ProtocolFault, message: string) {
    super(message);
    this.fault = fault;
  }
}

/** What the parser gives; what does not have the shape is a fault. */
export function parsed<T>(what: 'event' | 'message' | 'result', parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    if (!(error instanceof ShapeError)) throw error;
    throw new WireFault(`malformed_${what}`, `Malformed ${what}: ${error.message}`);
  }
}

/** A fault as a failure: `protocol_fault` for those that another try may not meet. */
export function faultFailure({ fault, message }: Remark): Failure {
  return { code: FINAL.find((final) => final === fault) ?? 'protocol_fault', message, details: { fault } };
}

/** Parses a result; throws `unknown_result_type` or `protocol_fault`. */
export function checked<T>(parse: () => T): T {
  try {
    return parsed('result', parse);
  } catch (error) {
    throw error instanceof WireFault ? new ClientError(faultFailure(error)) : error;
  }
}
