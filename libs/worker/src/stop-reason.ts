/**
 * Why a running attempt is told to stop, and what its signal then says.
 *
 * Invariant: pure.
 */
import type { StatusPayload } from '@taskstream/protocol';
import { AttemptSuspended } from './tool-errors.js';

export type StopReason =
  | { readonly type: 'cancel'; readonly reason: string | undefined }
  | { readonly type: 'hand_over' }
  | { readonly type: 'expired'; readonly status: StatusPayload }
  | { readonly type: 'suspend' };

/** The reason of the attempt's signal. */
export function stopError(reason: StopReason): Error {
  switch (reason.type) {
    case 'cancel':
      return new Error(reason.reason ?? 'the task was cancelled');
    case 'hand_over':
      return new Error('the worker is shutting down');
    case 'expired':
      return new Error('the task has expired');
    case 'suspend':
      return new AttemptSuspended();
  }
}
