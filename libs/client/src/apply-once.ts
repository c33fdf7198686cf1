/**
 * Effects that happen once, although events come at least once: the effect and the cursor are committed together.
 *
 * Invariants: an effect runs only for an event above the cursor that its own transaction has read; the cursor is saved
 * in the same transaction.
 */
import type { TaskEvent } from '@taskstream/protocol';

/** The cursor of one task inside a transaction. */
export interface TransactionCursor {
  load(): number | undefined | Promise<number | undefined>;
  save(seq: number): void | Promise<void>;
}

/**
 * Cursors in the same database as the effects. `transaction` keeps all that `work` did, the cursor included, or nothing,
 * and lets no other transaction of the same task in between (a row lock, or serializable isolation).
 *
 * Hand it to a follow as its `cursorStore`: the follow only loads, `applyOnce` saves.
 */
export interface TransactionalCursorStore<Tx> {
  load(taskId: string): number | undefined | Promise<number | undefined>;
  transaction(taskId: string, work: (tx: Tx, cursor: TransactionCursor) => Promise<void>): Promise<void>;
}

/** Runs `effect` unless it was committed for this event before. Resolves with whether it ran, after the commit. */
export async function applyOnce<Tx>(
  store: TransactionalCursorStore<Tx>,
  event: Pick<TaskEvent, 'taskId' | 'seq'>,
  effect: (tx: Tx) => void | Promise<void>,
): Promise<boolean> {
  let ran = false;
  await store.transaction(event.taskId, async (tx, cursor) => {
    ran = false;
    const last = await cursor.load();
    if (last !== undefined && last >= event.seq) return;
    await effect(tx);
    await cursor.save(event.seq);
    ran = true;
  });
  return ran;
}
