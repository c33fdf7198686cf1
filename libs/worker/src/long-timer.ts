/**
 * Timers of any length.
 *
 * Invariant: a wait longer than the runtime's timers can hold is not cut short.
 */

/** The longest delay that the runtime's timers take; longer ones would fire at once. */
const DELAY_MS_MAX = 2 ** 31 - 1;

/** Calls back after `ms`. Returns a function that prevents it. */
export function afterMs(ms: number, callback: () => void): () => void {
  const dueAt = performance.now() + ms;
  let timer: NodeJS.Timeout;
  const arm = () => {
    const leftMs = dueAt - performance.now();
    timer = leftMs > DELAY_MS_MAX ? setTimeout(arm, DELAY_MS_MAX) : setTimeout(callback, Math.max(0, leftMs));
  };
  arm();
  return () => clearTimeout(timer);
}
