/**
 * Says when a JavaScript module below a folder has changed.
 *
 * Invariants: calls never overlap, and a change during a call brings another one; packages and hidden folders are left
 * out; a file that is written in pieces is one change.
 */
import { readdirSync, watch, type FSWatcher } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** Silence after which a change is complete. */
const SETTLE_MS = 150;
/** Folders that are watched at most. */
const FOLDERS_MAX = 500;
const MODULE = /\.[cm]?js$/;

/** Watches until the signal aborts. Resolves when nothing is watched and no call is under way. */
export async function watchModules(root: string, onChange: () => Promise<void>, signal: AbortSignal): Promise<void> {
  const watchers = new Map<string, FSWatcher>();
  let changes = 0;
  let wake: () => void = () => undefined;
  const changed = (): void => {
    changes += 1;
    wake();
  };
  const refresh = (): void => {
    const folders = new Set(foldersBelow(root));
    for (const [folder, watcher] of watchers) {
      if (folders.has(folder)) continue;
      watcher.close();
      watchers.delete(folder);
    }
    for (const folder of folders) {
      if (watchers.has(folder)) continue;
      const watcher = watch(folder, (_type, name) => {
        if (name === null || MODULE.test(name)) changed();
        else if (!name.includes('.')) refresh();
      });
      // A folder that goes away: the next refresh forgets it.
      watcher.on('error', () => watcher.close());
      watchers.set(folder, watcher);
    }
  };
  const onAbort = (): void => wake();
  signal.addEventListener('abort', onAbort, { once: true });
  refresh();
  try {
    let seen = 0;
    while (!signal.aborted) {
      if (changes === seen) await new Promise<void>((resolve) => (wake = resolve));
      while (changes !== seen && !signal.aborted) {
        seen = changes;
        await sleep(SETTLE_MS, undefined, { signal }).catch(() => undefined);
        if (changes !== seen || signal.aborted) continue;
        refresh();
        await onChange();
      }
    }
  } finally {
    for (const watcher of watchers.values()) watcher.close();
  }
}

function foldersBelow(root: string): string[] {
  const folders = [root];
  for (let n = 0; n < folders.length && folders.length < FOLDERS_MAX; n += 1) {
    const folder = folders[n] ?? root;
    let entries;
    try {
      entries = readdirSync(folder, { withFileTypes: true });
    } catch {
      // Gone meanwhile.
      continue;
    }
    for (const entry of entries) {
      const left = entry.name === 'node_modules' || entry.name.startsWith('.');
      if (entry.isDirectory() && !left && folders.length < FOLDERS_MAX) folders.push(path.join(folder, entry.name));
    }
  }
  return folders;
}
