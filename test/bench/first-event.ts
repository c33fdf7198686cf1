/**
 * From the connect of a new socket to the first event on it.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { NumberScanner, openSse, SEQ_MARK } from './sse-socket.js';

const FIRST_EVENT_MS_MAX = 10_000;

/** Milliseconds. @throws Error when no event comes, or another one than the cursor asks for */
export async function openToFirstEvent(endpoint: string, taskId: string, after: number | undefined): Promise<number> {
  const startedAt = performance.now();
  let first: number | undefined;
  let tookMs = 0;
  let came: () => void = () => undefined;
  const arrived = new Promise<void>((resolve) => (came = resolve));
  const scanner = new NumberScanner(SEQ_MARK, (seq) => {
    if (first !== undefined) return;
    first = seq;
    tookMs = performance.now() - startedAt;
    came();
  });
  const socket = await openSse(endpoint, taskId, after, (chunk) => scanner.feed(chunk));
  const timeout = delay(FIRST_EVENT_MS_MAX, undefined, { ref: false });
  await Promise.race([arrived, socket.closed, timeout]);
  socket.destroy();
  await socket.closed;
  const wanted = after === undefined ? 0 : after + 1;
  if (first !== wanted) throw new Error(`after ${after} came ${first ?? 'nothing'}, expected ${wanted}`);
  return tookMs;
}
