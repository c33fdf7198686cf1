/**
 * What a tool may throw, and what becomes of it.
 *
 * Invariant: an author's message reaches the client, a stack trace never does.
 */

/** The tool failed in a way that its caller should see: the task completes with an `isError` result. */
export class ToolError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'ToolError';
  }
}

/** The request itself cannot be served: the task fails with this JSON-RPC error. */
export class ToolProtocolError extends Error {
  readonly code: number;
  readonly data: unknown;

  constructor(code: number, message: string, data?: unknown) {
    super(message);
    this.name = 'ToolProtocolError';
    this.code = code;
    this.data = data;
  }
}

/** A passing fault: another attempt follows after a backoff, until the tool's attempts are used up. */
export class RetryableError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'RetryableError';
  }
}
