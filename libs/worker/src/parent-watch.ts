/**
 * A child's eye on its parent: for the children whose parent could not end them itself, because its worker died.
 *
 * Invariant: a child whose parent is over is not begun, and ends within `parentCheckMs` when it runs, unless it was
 * spawned to go on alone.
 */
import type { AttemptStore, TaskSpec } from '@taskstream/core';
import { isTerminal } from '@taskstream/protocol';

/** Whether the task is a child whose parent is over, or gone. */
export async function parentIsOver(store: AttemptStore, { parent }: TaskSpec): Promise<boolean> {
  if (parent === undefined || parent.abandoned) return false;
  const tail = await store.readTail(parent.taskId);
  return tail === undefined || isTerminal(tail.status);
}

/** Looks every `checkMs` until the signal aborts. A look that fails is told, and the next one follows. */
export function watchParent(
  store: AttemptStore,
  spec: TaskSpec,
  checkMs: number,
  over: AbortSignal,
  on: { readonly end: () => void; readonly error: (error: unknown) => void },
): void {
  if (spec.parent === undefined || spec.parent.abandoned) return;
  const timer = setInterval(() => {
    parentIsOver(store, spec).then((isOver) => {
      if (isOver) on.end();
    }, on.error);
  }, checkMs);
  over.addEventListener('abort', () => clearInterval(timer));
}
