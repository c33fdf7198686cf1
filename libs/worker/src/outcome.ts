/**
 * What becomes of an attempt: from what the tool returned or threw to the status, the retry or the silence that follows.
 *
 * Invariant: pure; a client sees an author's message, never a stack trace.
 */
import { isTaskstreamError } from '@taskstream/core';
import type { StatusPayload } from '@taskstream/protocol';
import { InvalidResult } from './define-tool.js';
import type { ToolResult } from './tool-result.js';
import { RetryableError, StateMisuse, ToolProtocolError } from './tool-errors.js';

export type Outcome =
  /** The task ends with this status. */
  | { readonly type: 'end'; readonly status: StatusPayload }
  /** Another attempt may follow. */
  | { readonly type: 'retry'; readonly reason: 'error' | 'timeout'; readonly message: string }
  /** This attempt may not write any more: say nothing, touch nothing. */
  | { readonly type: 'silent'; readonly why: string };

/** The attempt ran longer than the tool's `timeoutMs`. */
export class AttemptTimeout extends Error {
  constructor(timeoutMs: number) {
    super(`The attempt took longer than ${timeoutMs} ms`);
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

export function outcomeOfError(error: unknown): Outcome {
  if (
    isTaskstreamError(error, 'fenced') ||
    isTaskstreamError(error, 'data_lost') ||
    isTaskstreamError(error, 'log_unavailable')
  ) {
    return { type: 'silent', why: error.message };
  }
  if (error instanceof ToolProtocolError) {
    const { code, message, data } = error;
    return failed(message, { code, message, ...(data !== undefined && { data }) });
  }
  if (error instanceof AttemptTimeout) return { type: 'retry', reason: 'timeout', message: error.message };
  if (error instanceof RetryableError) return { type: 'retry', reason: 'error', message: error.message };
  if (error instanceof InvalidResult || error instanceof StateMisuse)
    return failed(error.message, { code: -32603, message: error.message });
  const message = error instanceof Error ? error.message : `The tool threw ${typeof error}: ${String(error)}`;
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

/** A task that ends by a fault of its execution. */
export function failed(
  statusMessage: string,
  error: { code: number; message: string; data?: unknown },
): Outcome & { type: 'end' } {
  return { type: 'end', status: { status: 'failed', statusMessage, error } };
}
