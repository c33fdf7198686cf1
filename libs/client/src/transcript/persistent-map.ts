/**
 * A map that is never changed: `with` gives a new one that shares all but the path to the new entry.
 *
 * Invariants: keys are strings from others, so that any string is a key; a lookup and a change cost the depth of the
 * trie (at most 7 steps) and the keys that share a hash.
 */
type Node<V> = Bucket<V> | Branch<V>;
interface Bucket<V> {
  readonly hash: number;
  readonly entries: readonly (readonly [string, V])[];
}
interface Branch<V> {
  readonly branches: readonly (Node<V> | undefined)[];
}

const BITS = 5;
const WIDTH = 1 << BITS;

export class PersistentMap<V> {
  readonly size: number;
  readonly #root: Node<V> | undefined;

  constructor(size = 0, root?: Node<V>) {
    this.size = size;
    this.#root = root;
  }

  get(key: string): V | undefined {
    const hash = hashOf(key);
    let node = this.#root;
    for (let shift = 0; node !== undefined && 'branches' in node; shift += BITS) {
      node = node.branches[(hash >>> shift) % WIDTH];
    }
    return node?.entries.find(([k]) => k === key)?.[1];
  }

  with(key: string, value: V): PersistentMap<V> {
    const size = this.get(key) === undefined ? this.size + 1 : this.size;
    return new PersistentMap(size, put(this.#root, hashOf(key), key, value, 0));
  }
}

function put<V>(node: Node<V> | undefined, hash: number, key: string, value: V, shift: number): Node<V> {
  if (node === undefined) return { hash, entries: [[key, value]] };
  if ('branches' in node) {
    const at = (hash >>> shift) % WIDTH;
    return { branches: node.branches.with(at, put(node.branches[at], hash, key, value, shift + BITS)) };
  }
  if (node.hash === hash) return { hash, entries: [...node.entries.filter(([k]) => k !== key), [key, value]] };
  const branches = Array.from<undefined, Node<V> | undefined>({ length: WIDTH }, () => undefined);
  branches[(node.hash >>> shift) % WIDTH] = node;
  return put({ branches }, hash, key, value, shift);
}

/** FNV-1a, 32 bits. */
function hashOf(key: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < key.length; i += 1) hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}
