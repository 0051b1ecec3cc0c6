// Which of a turn's keys are there already: open addressing over the keys' bytes, whose memory is used turn after turn. A
// Map would want a text of every key.

export interface HashTable {
  /**
   * The place of a key that is there (`isSame` is asked of places whose hash is the same), else `next`, and from then on it
   * is there at `next`.
   */
  place(key: Uint8Array, next: number, isSame: (place: number) => boolean): number;
  clear(): void;
}

const SMALLEST = 256;

export function createHashTable(): HashTable {
  /** By slot: 1 + place, 0 for none. */
  let slots = new Int32Array(SMALLEST);
  /** By place. */
  let hashes = new Int32Array(SMALLEST >> 1);
  let size = 0;

  const insert = (hash: number, place: number): void => {
    const mask = slots.length - 1;
    let slot = hash & mask;
    while (slots[slot] !== 0) slot = (slot + 1) & mask;
    slots[slot] = place + 1;
  };

  const grow = (): void => {
    const known = hashes;
    slots = new Int32Array(slots.length * 2);
    hashes = new Int32Array(slots.length >> 1);
    hashes.set(known);
    for (let place = 0; place < size; place++) insert(known[place] as number, place);
  };

  return {
    place(key, next, isSame) {
      const hash = hashOf(key);
      const mask = slots.length - 1;
      for (let slot = hash & mask; slots[slot] !== 0; slot = (slot + 1) & mask) {
        const place = (slots[slot] as number) - 1;
        if (hashes[place] === hash && isSame(place)) return place;
      }
      if (next >= hashes.length) grow();
      hashes[next] = hash;
      size = next + 1;
      insert(hash, next);
      return next;
    },
    clear() {
      if (size === 0) return;
      size = 0;
      slots.fill(0);
    },
  };
}

// FNV-1a: http://www.isthe.com/chongo/tech/comp/fnv/, its bits mixed once more, since the low ones choose the slot.
function hashOf(key: Uint8Array): number {
  let hash = 0x811c9dc5 | 0;
  for (let i = 0; i < key.length; i++) hash = Math.imul(hash ^ (key[i] as number), 0x01000193);
  return hash ^ (hash >>> 15);
}
