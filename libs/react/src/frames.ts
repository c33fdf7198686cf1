/**
 * When the next render may come: once a frame, and soon enough in a tab that is not shown, where there are no frames.
 */

/** A hidden tab renders this often. */
const HIDDEN_FRAME_MS = 100;

/** Runs `work` once, before the next frame; the returned function calls it off. */
export function beforeNextFrame(work: () => void): () => void {
  const hasFrames = typeof requestAnimationFrame === 'function';
  let frame = 0;
  const timer = setTimeout(
    () => {
      if (hasFrames) cancelAnimationFrame(frame);
      work();
    },
    hasFrames ? HIDDEN_FRAME_MS : 0,
  );
  if (hasFrames) {
    frame = requestAnimationFrame(() => {
      clearTimeout(timer);
      work();
    });
  }
  return () => {
    clearTimeout(timer);
    if (hasFrames) cancelAnimationFrame(frame);
  };
}
