/**
 * What a tool may throw, and what becomes of it.
 *
 * Invariant: an author's message reaches the client, a stack trace never does.
 */
import { typeName } from '@taskstream/protocol';

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

/**
 * The attempt ends to wait for an answer without a slot; what the tool returns or throws from here on does not count.
 * The reason of `task.signal`, and what a question that suspends rejects with: let it pass.
 */
export class AttemptSuspended extends Error {
  constructor() {
    super('The attempt ends here; the answer begins the next one');
    this.name = 'AttemptSuspended';
  }
}

/** A call of a step took longer than its `timeoutMs`. Tried again by the step's policy. */
export class StepTimeout extends Error {
  constructor(name: string, timeoutMs: number) {
    super(`A call of the step ${JSON.stringify(name)} took longer than ${timeoutMs} ms`);
    this.name = 'StepTimeout';
  }
}

/** A step or checkpoint is used against its rules: a fault of the tool. The task fails with this message. */
export class StateMisuse extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'StateMisuse';
  }
}

/** What an author threw, as text. */
export function messageOf(error: unknown): string {
  if (error instanceof Error) return error.message;
  // An object need not be able to become a text.
  const isObject = typeof error === 'object' || typeof error === 'function';
  // oxlint-disable-next-line typescript/no-base-to-string -- it is no object
  return `threw ${typeof error}: ${isObject ? typeName(error) : String(error)}`;
}
