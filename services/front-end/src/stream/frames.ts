/**
 * Packs → SSE frames, without parsing.
 *
 * Invariant: the frames of a pack that several streams share are built once.
 */
import { forEachLine, type Pack } from '@taskstream/core';
import { EVENT_FRAME_HEAD, EVENT_FRAME_TAIL } from '@taskstream/protocol';

const HEAD = Buffer.from(EVENT_FRAME_HEAD);
const TAIL = Buffer.from(EVENT_FRAME_TAIL);

const built = new WeakMap<Pack, Buffer>();

/** One `notifications/tasks/event` frame per event of the pack. @throws RangeError when the pack's count is wrong */
export function eventFrames(pack: Pack): Buffer {
  const known = built.get(pack);
  if (known !== undefined) return known;
  const frames = Buffer.allocUnsafe(pack.data.byteLength + pack.count * (HEAD.length + TAIL.length - 1));
  let at = 0;
  forEachLine(pack, (start, end) => {
    at += HEAD.copy(frames, at);
    frames.set(pack.data.subarray(start, end), at);
    at += end - start;
    at += TAIL.copy(frames, at);
  });
  built.set(pack, frames);
  return frames;
}
