/**
 * Finds and replaces items in the tree.
 *
 * Invariants: an item is never moved, so the tree has no cycle; a change copies the items from the root to the changed
 * one and the lists they lie in, and shares everything else.
 */
import type { Place, Transcript, TranscriptItem } from './types.js';

/** The positions from the roots down to `place`. */
function pathTo(transcript: Transcript, place: Place): readonly number[] {
  const path = [place.at];
  for (let id = place.parentId; id !== undefined;) {
    const above = transcript.places.get(id);
    if (above === undefined) return [];
    path.unshift(above.at);
    id = above.parentId;
  }
  return path;
}

export function findItem(transcript: Transcript, id: string): TranscriptItem | undefined {
  const place = transcript.places.get(id);
  if (place === undefined) return undefined;
  let level = transcript.roots;
  let found: TranscriptItem | undefined;
  for (const at of pathTo(transcript, place)) {
    found = level[at];
    level = found?.children ?? [];
  }
  return found;
}

export function replaceItem(transcript: Transcript, item: TranscriptItem): Transcript {
  const place = transcript.places.get(item.id);
  if (place === undefined) return transcript;
  return { ...transcript, roots: replaceAt(transcript.roots, pathTo(transcript, place), item) };
}

/** Puts a new item at the end of its parent's children, or of the roots. */
export function addItem(transcript: Transcript, item: TranscriptItem, parent: TranscriptItem | undefined): Transcript {
  const itemCount = transcript.itemCount + 1;
  if (parent === undefined) {
    const place = { parentId: undefined, at: transcript.roots.length, depth: 0 };
    const roots = [...transcript.roots, item];
    return { ...transcript, itemCount, roots, places: transcript.places.with(item.id, place) };
  }
  const depth = (transcript.places.get(parent.id)?.depth ?? 0) + 1;
  const places = transcript.places.with(item.id, { parentId: parent.id, at: parent.children.length, depth });
  return replaceItem({ ...transcript, itemCount, places }, { ...parent, children: [...parent.children, item] });
}

/** Applies `change` to every item below; shares what does not change. */
export function changeAll(
  items: readonly TranscriptItem[],
  change: (item: TranscriptItem) => TranscriptItem,
): readonly TranscriptItem[] {
  const changed = items.map((item) => {
    const children = changeAll(item.children, change);
    return change(children === item.children ? item : { ...item, children });
  });
  return changed.some((item, at) => item !== items[at]) ? changed : items;
}

function replaceAt(
  items: readonly TranscriptItem[],
  [at, ...rest]: readonly number[],
  item: TranscriptItem,
): readonly TranscriptItem[] {
  const here = at === undefined ? undefined : items[at];
  if (at === undefined || here === undefined) return items;
  return items.with(at, rest.length === 0 ? item : { ...here, children: replaceAt(here.children, rest, item) });
}
