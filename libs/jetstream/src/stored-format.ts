/**
 * Whether this release can read what lies in a stream.
 *
 * Invariant: a message of a format that only a later release knows is never passed over and never written over: whoever
 * meets it stops with the name of what it does not know, and leaves it to nodes of that release.
 */
import { TaskstreamError } from '@taskstream/core';
import { FORMAT_VERSION } from './names.js';

const NUMBER = /^[1-9]\d{0,5}$/;

/**
 * `version` as a message states it; absent or no number: not a message of ours, which is the caller's to judge.
 * @throws TaskstreamError format_unknown
 */
export function assertFormat(version: string | undefined, subject: string, streamSeq: number): void {
  if (version === undefined || version === FORMAT_VERSION || !NUMBER.test(version)) return;
  throw new TaskstreamError(
    'format_unknown',
    `The message ${streamSeq} of ${subject} has the stored format ${version}; this release reads ${FORMAT_VERSION}`,
    { details: { version, known: FORMAT_VERSION } },
  );
}
