// Holds what was used last, and no more than so many: what a long life meets is not all kept.

export interface LastUsed<K, V> {
  /** Counts as a use. */
  get(key: K): V | undefined;
  set(key: K, value: V): void;
  delete(key: K): void;
}

export function createLastUsed<K, V>(most: number): LastUsed<K, V> {
  // A Map gives its keys in the order in which they came: the first is the one not used for longest.
  const all = new Map<K, V>();
  const put = (key: K, value: V): void => {
    all.delete(key);
    all.set(key, value);
    const [oldest] = all.keys();
    if (all.size > most && oldest !== undefined) all.delete(oldest);
  };
  return {
    get(key) {
      const value = all.get(key);
      if (value !== undefined) put(key, value);
      return value;
    },
    set: put,
    delete: (key) => all.delete(key),
  };
}
