/**
 * Keeps cursors in IndexedDB: for pages that share them with workers, or that outgrow `localStorage`.
 *
 * Invariant: a save has been committed when its promise resolves.
 */
import type { CursorStore } from './cursor-store.js';

const STORE = 'cursors';

export interface IndexedDbCursorStoreOptions {
  /** Name of the database. Default: `taskstream`. */
  readonly name?: string;
  /** Default: the global one. */
  readonly factory?: IDBFactory;
}

/** The database is opened with the first use. Errors end the follow with `cursor_store_failed`. */
export function indexedDbCursorStore(options: IndexedDbCursorStoreOptions = {}): CursorStore {
  let opening: Promise<IDBDatabase> | undefined;
  const forget = (): void => {
    opening = undefined;
  };
  const database = (): Promise<IDBDatabase> => {
    opening ??= open(options, forget).catch((error: unknown) => {
      forget();
      throw error;
    });
    return opening;
  };
  return {
    load: async (taskId) => {
      const request = (await database()).transaction(STORE, 'readonly').objectStore(STORE).get(taskId);
      return (await settled(request)) as number | undefined;
    },
    save: async (taskId, seq) => {
      const transaction = (await database()).transaction(STORE, 'readwrite');
      transaction.objectStore(STORE).put(seq, taskId);
      await new Promise<void>((resolve, reject) => {
        transaction.addEventListener('complete', () => resolve());
        const fail = (): void => reject(transaction.error ?? new Error('The transaction was aborted'));
        transaction.addEventListener('abort', fail);
        transaction.addEventListener('error', fail);
      });
    },
  };
}

async function open(
  { name = 'taskstream', factory = globalThis.indexedDB }: IndexedDbCursorStoreOptions,
  onClosed: () => void,
): Promise<IDBDatabase> {
  const request = factory.open(name, 1);
  request.addEventListener('upgradeneeded', () => request.result.createObjectStore(STORE));
  const database = await settled(request);
  // Another page may want to upgrade or delete it; the browser may close it, for example when data of the site is cleared.
  database.addEventListener('versionchange', () => {
    database.close();
    onClosed();
  });
  database.addEventListener('close', onClosed);
  return database;
}

function settled<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.addEventListener('success', () => resolve(request.result));
    request.addEventListener('error', () => reject(request.error ?? new Error('The request failed')));
  });
}
