// A set of units kept by their hashes: exact while small, then the units of the lowest hashes, which are a fair sample
// of all and the same sample on every server (bottom-k; Cohen and Kaplan 2007, "Summarizing data using bottom-k sketches").

/** Up to so many hashes a sample is the set itself. */
export const EXACT_HASHES = 4_096;

const HASHES = 2 ** 32;

export interface HashSample {
  /** Adds a unit's 32-bit hash (unsigned). Whether it is new here: false too where it is past the threshold. */
  add(hash: number): boolean;
  /** The same as if everything that was added there had been added here. */
  merge(other: HashSample): void;
  /** How many hashes are held: all, or the limit. */
  size(): number;
  /** The greatest hash that is surely held if it was added: 2³² − 1 while exact. Samples compare up to the least of theirs. */
  threshold(): number;
  isExact(): boolean;
  /** How many different hashes were added: exact, or (k − 1) 2³² / k-th hash, with a relative error of about 1/√k. */
  estimate(): number;
  /** Held hashes up to the bound, ascending. */
  hashes(upTo?: number): Uint32Array;
}

/** What a sample holds when it begins. */
export interface HeldHashes {
  /** Ascending. */
  readonly hashes: readonly number[];
  /** Whether more were added than are held: past the last one nothing is known. */
  readonly isFull: boolean;
}

const NONE: HeldHashes = { hashes: [], isFull: false };

/** A sample of the lowest `limit` hashes, empty unless it goes on from held ones. */
export function createHashSample(limit: number = EXACT_HASHES, from: HeldHashes = NONE): HashSample {
  // Up to twice the limit before it is cut back, so that cutting costs a fixed number of steps an addition.
  let held = new Set(from.hashes);
  let isFull = from.isFull;
  let bound = isFull ? (from.hashes.at(-1) ?? 0) : HASHES - 1;
  // The held ones in order, while nothing has changed: a minute's sample is merged into many.
  let sorted: Uint32Array | undefined = Uint32Array.from(from.hashes);

  const inOrder = (): Uint32Array => (sorted ??= Uint32Array.from(held).sort());
  const cut = (): void => {
    if (held.size <= limit) return;
    const lowest = inOrder().slice(0, limit);
    sorted = lowest;
    held = new Set(lowest);
    bound = lowest[limit - 1] as number;
    isFull = true;
  };
  const add = (hash: number): boolean => {
    if (hash > bound || held.has(hash)) return false;
    held.add(hash);
    sorted = undefined;
    if (held.size > 2 * limit) cut();
    return true;
  };
  return {
    add,
    merge(other) {
      const others = other.hashes();
      for (const hash of others) {
        if (hash > bound) break;
        add(hash);
      }
      if (!other.isExact()) lower(other.threshold());
      cut();
    },
    size() {
      cut();
      return held.size;
    },
    threshold() {
      cut();
      return bound;
    },
    isExact() {
      cut();
      return !isFull;
    },
    estimate() {
      cut();
      return isFull ? Math.round(((held.size - 1) * HASHES) / (bound + 1)) : held.size;
    },
    hashes(upTo = HASHES - 1) {
      cut();
      const all = inOrder();
      return upTo >= bound ? all.slice() : all.filter((hash) => hash <= upTo);
    },
  };

  /** What the other one cut is unknown: hashes past its threshold are no fair sample any more. */
  function lower(threshold: number): void {
    isFull = true;
    if (threshold >= bound) return;
    bound = threshold;
    sorted = undefined;
    for (const hash of held) if (hash > threshold) held.delete(hash);
  }
}
