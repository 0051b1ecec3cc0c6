// A set of units' hashes over another one, which stays as it is: what the minutes that may still change add is thrown away at the
// next look, and what was counted before is not copied for it.

export interface LayeredHashes {
  has(hash: number): boolean;
  /** Whether it was new. */
  add(hash: number): boolean;
  /** Of those up to the last cut. */
  size(): number;
  /** How many are at most `bound`. */
  sizeTo(bound: number): number;
  /** Forgets those past `bound`: they are not asked for any more. */
  cut(bound: number): void;
}

export function layerOver(under: LayeredHashes | undefined): LayeredHashes {
  const own = new Set<number>();
  let below = under?.size() ?? 0;
  const has = (hash: number): boolean => own.has(hash) || under?.has(hash) === true;
  return {
    has,
    add(hash) {
      if (has(hash)) return false;
      own.add(hash);
      return true;
    },
    size: () => own.size + below,
    sizeTo(bound) {
      let count = under?.sizeTo(bound) ?? 0;
      for (const hash of own) if (hash <= bound) count++;
      return count;
    },
    cut(bound) {
      for (const hash of own) if (hash > bound) own.delete(hash);
      below = under?.sizeTo(bound) ?? 0;
    },
  };
}
