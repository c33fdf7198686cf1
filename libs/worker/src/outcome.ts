/**
 * What becomes of an attempt: from what the tool returned or threw to the status, the retry or the silence that follows.
 *
 * Invariant: pure; a client sees an author's message, never a stack trace.
 */
import { isTaskstreamError } from '@taskstream/core';
import type { StatusPayload } from '@taskstream/protocol';
import { InvalidArguments, InvalidResult } from './define-tool.js';
import type { ToolResult } from './tool-result.js';
import { messageOf, RetryableError, StateMisuse, ToolProtocolError } from './tool-errors.js';

export type Outcome =
  /** The task ends with this status. */
  | { readonly type: 'end'; readonly status: StatusPayload }
  /** Another attempt may follow. */
  | { readonly type: 'retry'; readonly reason: 'error' | 'timeout'; readonly message: string }
  /** This attempt may not write any more: say nothing, touch nothing. */
  | { readonly type: 'silent'; readonly why: string };

/** The attempt ran longer, or the tool was silent for longer, than it may. */
export class AttemptTimeout extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'AttemptTimeout';
  }
}

export function outcomeOfResult(result: ToolResult): Outcome {
  const { isError = false } = result;
  return {
    type: 'end',
    status: { status: 'completed', result: { ...result }, ...(isError && { isError: true }) },
  };
}

/** `isRetryable` is asked about whatever the tool threw, except what no other attempt could do better. */
export function outcomeOfError(error: unknown, isRetryable: (error: unknown) => boolean = isRetryableError): Outcome {
  if (
    isTaskstreamError(error, 'fenced') ||
    isTaskstreamError(error, 'data_lost') ||
    isTaskstreamError(error, 'log_unavailable')
  ) {
    return { type: 'silent', why: error.message };
  }
  if (error instanceof AttemptTimeout) return { type: 'retry', reason: 'timeout', message: error.message };
  const final = error instanceof InvalidArguments || error instanceof InvalidResult || error instanceof StateMisuse;
  const message = error instanceof Error ? error.message : `The tool ${messageOf(error)}`;
  try {
    if (!final && isRetryable(error)) return { type: 'retry', reason: 'error', message };
  } catch (fault) {
    const why = `${message}; retry.on of the tool failed on it: ${messageOf(fault)}`;
    return failed(why, { code: -32603, message: why });
  }
  if (error instanceof ToolProtocolError) {
    const { code, data } = error;
    return failed(message, { code, message, ...(data !== undefined && { data }) });
  }
  if (error instanceof InvalidResult || error instanceof StateMisuse) return failed(message, { code: -32603, message });
  return {
    type: 'end',
    status: {
      status: 'completed',
      statusMessage: message,
      isError: true,
      result: { content: [{ type: 'text', text: message }], isError: true },
    },
  };
}

/** What a tool that names no errors has retried. */
export function isRetryableError(error: unknown): boolean {
  return error instanceof RetryableError;
}

/** A task that ends by a fault of its execution. */
export function failed(
  statusMessage: string,
  error: { code: number; message: string; data?: unknown },
): Outcome & { type: 'end' } {
  return { type: 'end', status: { status: 'failed', statusMessage, error } };
}

/** Told to stop before the tool was called: it is not called any more. */
export const NOT_RUN: Outcome = { type: 'silent', why: 'told to stop before it began' };

/** Whether a tool ended because it was told to stop, not by a result or a fault of its own. */
export function isAbortError(outcome: Extract<Outcome, { type: 'end' }>): boolean {
  return outcome.status.isError === true || outcome.status.status === 'failed';
}
