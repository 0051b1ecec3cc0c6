// What waits for a shadow: a ring of a fixed number of rows, the oldest first.

export interface ShadowRing<T> {
  readonly length: number;
  /** The oldest. */
  readonly first: T | undefined;
  /** False where it is full. */
  push(item: T): boolean;
  shift(): T | undefined;
}

export const RING_ROWS = 1024;

export function createRing<T>(size = RING_ROWS): ShadowRing<T> {
  const items = new Array<T | undefined>(size).fill(undefined);
  let from = 0;
  let length = 0;
  return {
    get length() {
      return length;
    },
    get first() {
      return length === 0 ? undefined : items[from];
    },
    push(item) {
      if (length === size) return false;
      items[(from + length) % size] = item;
      length++;
      return true;
    },
    shift() {
      if (length === 0) return undefined;
      const item = items[from];
      // The ring keeps nothing of it.
      items[from] = undefined;
      from = (from + 1) % size;
      length--;
      return item;
    },
  };
}
