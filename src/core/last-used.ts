// Holds what was used last, and no more than so many: what a long life meets is not all kept. In two halves: a look-up is one
// of a Map, and nothing is moved while the newer half has room.

export interface LastUsed<K, V> {
  /** Counts as a use. */
  get(key: K): V | undefined;
  set(key: K, value: V): void;
  delete(key: K): void;
}

/** Keeps at least the last `most` / 2 that were set or got, and never more than `most` (2 or more). */
export function createLastUsed<K, V>(most: number): LastUsed<K, V> {
  const half = Math.max(1, Math.floor(most / 2));
  let newer = new Map<K, V>();
  let older = new Map<K, V>();
  const set = (key: K, value: V): void => {
    if (newer.size >= half && !newer.has(key)) [older, newer] = [newer, new Map()];
    newer.set(key, value);
  };
  return {
    get(key) {
      const value = newer.get(key);
      if (value !== undefined) return value;
      const former = older.get(key);
      if (former !== undefined) set(key, former);
      return former;
    },
    set,
    delete(key) {
      newer.delete(key);
      older.delete(key);
    },
  };
}
