/**
 * Where the cursor of a followed task is kept between runs, for memory and browsers. The file store is in `node.ts`.
 *
 * Invariants: a store holds the seq of the last processed event; what it returns is checked by the caller, because
 * storage is shared with others.
 */

/**
 * Keeps one number a task: the seq of the last event that the application processed. `load` of an unknown task gives
 * undefined. Errors end the follow with `cursor_store_failed`.
 */
export interface CursorStore {
  load(taskId: string): number | undefined | Promise<number | undefined>;
  save(taskId: string, seq: number): void | Promise<void>;
}

/** Lasts as long as the process. */
export function memoryCursorStore(): CursorStore {
  const cursors = new Map<string, number>();
  return {
    load: (taskId) => cursors.get(taskId),
    save: (taskId, seq) => {
      cursors.set(taskId, seq);
    },
  };
}

/** Keeps cursors in `localStorage` (or `sessionStorage`) under `<prefix><taskId>`. */
export function localStorageCursorStore(
  options: { readonly storage?: Pick<Storage, 'getItem' | 'setItem'>; readonly prefix?: string } = {},
): CursorStore {
  const prefix = options.prefix ?? 'taskstream.cursor.';
  const storage = (): Pick<Storage, 'getItem' | 'setItem'> => options.storage ?? globalThis.localStorage;
  return {
    load: (taskId) => {
      const value = storage().getItem(prefix + taskId);
      // A number that is not a cursor is left to the caller's check, which names it.
      return value === null ? undefined : value.trim() === '' ? Number.NaN : Number(value);
    },
    save: (taskId, seq) => storage().setItem(prefix + taskId, String(seq)),
  };
}
