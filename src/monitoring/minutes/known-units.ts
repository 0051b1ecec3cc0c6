// Which units a series has met, by their hashes, within bytes that all series of a server share. Where they are too many the lowest
// hashes stay, as a minute's sample keeps those: the others are told again each minute, and readers count them once.

/** Of all series of a server. */
const MOST_BYTES = 64 * 1024 ** 2;
/** Of one set: 65,536 hashes, with as much room again. */
const MOST_SLOTS = 131_072;
/** One that has met anybody takes so many, whatever the others take. */
const LEAST_SLOTS = 64;
const BYTES_A_SLOT = 4;
const HIGHEST = 2 ** 32 - 1;

export interface KnownBudget {
  /** That all sets take now. */
  bytes(): number;
  /** Whether `set` may take so many more, after others gave theirs where it must be. */
  take(set: KnownUnits, bytes: number): boolean;
  gave(set: KnownUnits, bytes: number): void;
}

export interface KnownUnits {
  /** Whether the unit was met before and is remembered. It is from now on, unless there is no room for its hash. 0 is no unit's. */
  met(hash: number): boolean;
  /** Forgets all of them, and gives its bytes back. */
  clear(): void;
  bytes(): number;
  /** Remembers the lower half alone. Whether that gave any bytes. */
  halve(): boolean;
}

export function createKnownBudget(mostBytes: number = MOST_BYTES): KnownBudget {
  const sets = new Set<KnownUnits>();
  let taken = 0;
  const largest = (): KnownUnits | undefined => {
    let found: KnownUnits | undefined;
    for (const set of sets) if (found === undefined || set.bytes() > found.bytes()) found = set;
    return found;
  };
  return {
    bytes: () => taken,
    take(set, bytes) {
      sets.add(set);
      const isFirst = set.bytes() === 0;
      while (!isFirst && taken + bytes > mostBytes) {
        const other = largest();
        // Nobody has more than it: it is its own that are halved.
        if (other === undefined || other.bytes() <= set.bytes() || !other.halve()) return false;
      }
      taken += bytes;
      return true;
    },
    gave(set, bytes) {
      taken -= bytes;
      if (set.bytes() === 0) sets.delete(set);
    },
  };
}

export function createKnownUnits(budget: KnownBudget): KnownUnits {
  /** Open addressing; 0 is an empty slot. Half of them at most are taken. */
  let slots = new Uint32Array(0);
  let size = 0;
  /** Hashes over it are not remembered. */
  let bound = HIGHEST;

  const slotOf = (hash: number): number => {
    const mask = slots.length - 1;
    let at = (Math.imul(hash, 0x9e3779b1) >>> 8) & mask;
    while (slots[at] !== 0 && slots[at] !== hash) at = (at + 1) & mask;
    return at;
  };
  const refill = (hashes: Uint32Array, length: number): void => {
    const before = slots.length * BYTES_A_SLOT;
    slots = new Uint32Array(length);
    size = hashes.length;
    for (const hash of hashes) slots[slotOf(hash)] = hash;
    const after = length * BYTES_A_SLOT;
    if (after < before) budget.gave(set, before - after);
  };
  const held = (): Uint32Array => slots.filter((hash) => hash !== 0);
  /** Makes room for one more, by more slots or by fewer hashes. */
  const grow = (): void => {
    const wanted = slots.length === 0 ? LEAST_SLOTS : slots.length * 2;
    const hasRoom = wanted <= MOST_SLOTS && budget.take(set, (wanted - slots.length) * BYTES_A_SLOT);
    if (hasRoom) refill(held(), wanted);
    else keepLowest(slots.length);
  };
  const keepLowest = (length: number): void => {
    const lowest = held()
      .sort()
      .slice(0, size >> 1);
    bound = lowest.at(-1) ?? 0;
    refill(lowest, length);
  };

  const set: KnownUnits = {
    met(hash) {
      if (hash > bound) return false;
      if (slots.length > 0 && slots[slotOf(hash)] === hash) return true;
      if (2 * (size + 1) > slots.length) {
        grow();
        if (hash > bound) return false;
      }
      slots[slotOf(hash)] = hash;
      size++;
      return false;
    },
    clear() {
      const bytes = slots.length * BYTES_A_SLOT;
      slots = new Uint32Array(0);
      size = 0;
      bound = HIGHEST;
      if (bytes > 0) budget.gave(set, bytes);
    },
    bytes: () => slots.length * BYTES_A_SLOT,
    halve() {
      if (slots.length <= LEAST_SLOTS) return false;
      keepLowest(slots.length / 2);
      return true;
    },
  };
  return set;
}
