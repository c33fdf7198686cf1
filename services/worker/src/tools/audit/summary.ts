/**
 * Adds up the outcomes of an audit.
 *
 * Invariants: memory does not grow with the number of files; the summary of the same outcomes in the same order is
 * always the same.
 */
import type { Listing } from './list-files.js';
import type { SkipReason } from './listed-file.js';
import type { FileOutcome, ScannedFile } from './read-file.js';
import { shownPath, sum, type Summary } from './result.js';
import type { SecretKind } from './secrets.js';
import type { TodoTag } from './todos.js';

export const TOP_MAX = 10;
export const TODOS_LISTED_MAX = 50;
export const SECRETS_LISTED_MAX = 50;
export const SKIPPED_LISTED_MAX = 25;
export const LICENCES_LISTED_MAX = 50;
const OTHER_LICENCES = 'other';

export interface Totals {
  add(outcome: FileOutcome): void;
  finish(path: string, listing: Pick<Listing, 'method' | 'reason' | 'truncated'>): Summary;
}

export function createTotals(): Totals {
  const files = { scanned: 0, skipped: 0 };
  let bytes = 0;
  let lines = 0;
  const languages = new Map<string, { files: number; bytes: number; lines: number }>();
  const todosByTag: Record<TodoTag, number> = { TODO: 0, FIXME: 0, HACK: 0, XXX: 0 };
  const todos: Summary['todos']['first'] = [];
  const secretsByKind: Partial<Record<SecretKind, number>> = {};
  const secrets: Summary['secrets']['first'] = [];
  const licences = new Map<string, number>();
  let sourceFilesWithout = 0;
  const largest = createTop<Summary['largestFiles'][number]>((f) => f.bytes);
  const longest = createTop<Summary['longestLines'][number]>((l) => l.length);
  const skippedByReason: Partial<Record<SkipReason, number>> = {};
  const skipped: Summary['skipped']['first'] = [];

  const addScanned = ({ path, bytes: size, analysis }: ScannedFile): void => {
    const shown = shownPath(path);
    files.scanned += 1;
    bytes += size;
    lines += analysis.lines;
    const language = languages.get(analysis.language.name) ?? { files: 0, bytes: 0, lines: 0 };
    languages.set(analysis.language.name, {
      files: language.files + 1,
      bytes: language.bytes + size,
      lines: language.lines + analysis.lines,
    });
    addCounts(todosByTag, analysis.todos.byTag);
    for (const todo of analysis.todos.first) if (todos.length < TODOS_LISTED_MAX) todos.push({ path: shown, ...todo });
    addCounts(secretsByKind, analysis.secrets.byKind);
    for (const s of analysis.secrets.first)
      if (secrets.length < SECRETS_LISTED_MAX) secrets.push({ path: shown, ...s });
    if (analysis.licence !== null) addLicence(licences, analysis.licence.id);
    else if (analysis.language.category === 'code') sourceFilesWithout += 1;
    largest.add({ path: shown, bytes: size });
    if (analysis.longestLine !== null) longest.add({ path: shown, ...analysis.longestLine });
  };

  return {
    add(outcome) {
      if (outcome.status === 'scanned') {
        addScanned(outcome);
        return;
      }
      files.skipped += 1;
      skippedByReason[outcome.reason] = (skippedByReason[outcome.reason] ?? 0) + 1;
      const { reason, detail } = outcome;
      const path = shownPath(outcome.path);
      if (skipped.length < SKIPPED_LISTED_MAX) skipped.push({ path, reason, ...(detail !== undefined && { detail }) });
      if (outcome.bytes !== undefined) largest.add({ path, bytes: outcome.bytes });
    },
    finish: (path, listing) => ({
      path: shownPath(path),
      listing: { method: listing.method, ...(listing.reason !== undefined && { reason: listing.reason }) },
      files: { ...files, truncated: listing.truncated },
      bytes,
      lines,
      languages: [...languages]
        .map(([language, n]) => ({ language, ...n }))
        .toSorted((a, b) => b.lines - a.lines || b.files - a.files || compare(a.language, b.language)),
      todos: { count: sum(todosByTag), byTag: todosByTag, first: todos },
      secrets: { count: sum(secretsByKind), byKind: secretsByKind, first: secrets },
      licences: {
        byId: [...licences]
          .map(([id, n]) => ({ id, files: n }))
          .toSorted((a, b) => b.files - a.files || compare(a.id, b.id)),
        sourceFilesWithout,
      },
      largestFiles: largest.items(),
      longestLines: longest.items(),
      skipped: { byReason: skippedByReason, first: skipped },
    }),
  };
}

function addCounts<K extends string>(
  to: Partial<Record<K, number>>,
  counts: Readonly<Partial<Record<K, number>>>,
): void {
  for (const key of Object.keys(counts) as K[]) {
    const n: number = (to[key] ?? 0) + (counts[key] ?? 0);
    to[key] = n;
  }
}

/** Files state what they like: beyond the bound an identifier counts as `other`. */
function addLicence(licences: Map<string, number>, id: string): void {
  const key = licences.has(id) || licences.size < LICENCES_LISTED_MAX ? id : OTHER_LICENCES;
  licences.set(key, (licences.get(key) ?? 0) + 1);
}

/** The largest `TOP_MAX` items, largest first; of equals the one that came first. */
function createTop<T>(sizeOf: (item: T) => number): { add(item: T): void; items(): T[] } {
  const top: T[] = [];
  return {
    add(item) {
      const at = top.findIndex((other) => sizeOf(other) < sizeOf(item));
      if (at < 0 && top.length >= TOP_MAX) return;
      top.splice(at < 0 ? top.length : at, 0, item);
      if (top.length > TOP_MAX) top.pop();
    },
    items: () => top,
  };
}

function compare(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
