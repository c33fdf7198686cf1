/**
 * An append from a tail that somebody else has moved: the tail is read again, and what to do is decided anew.
 *
 * Invariant: nothing has been written when it is thrown.
 */
import { isTaskstreamError } from '@taskstream/core';

/** Another writer was faster; nothing has been written. */
export class LostRace extends Error {
  constructor(cause: unknown) {
    super('another attempt was faster', { cause });
    this.name = 'LostRace';
  }
}

/** @throws LostRace when the append was fenced; whatever else it throws */
export async function orLostRace<T>(append: Promise<T>): Promise<T> {
  try {
    return await append;
  } catch (error) {
    throw isTaskstreamError(error, 'fenced') ? new LostRace(error) : error;
  }
}
