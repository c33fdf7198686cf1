/**
 * Lets domain errors leave a handler as JSON-RPC errors.
 */
import { isTaskstreamError } from '@taskstream/core';
import { protocolError, wireErrorOf } from '../wire-errors.js';

export async function asProtocolErrors<T>(taskId: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (isTaskstreamError(error)) throw protocolError(wireErrorOf(error, taskId));
    throw error;
  }
}
