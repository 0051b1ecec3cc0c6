// What came lately, by text, in two halves: a look-up is one of a Map, and nothing is moved while the newer half has room.

export interface Recent<V> {
  get(key: string): V | undefined;
  set(key: string, value: V): void;
}

/** Keeps at least the last `most` / 2 that were set or found, at most `most`. */
export function createRecent<V>(most: number): Recent<V> {
  const half = Math.max(1, Math.floor(most / 2));
  let newer = new Map<string, V>();
  let older = new Map<string, V>();
  const set = (key: string, value: V): void => {
    if (newer.size >= half) [older, newer] = [newer, new Map()];
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
  };
}
