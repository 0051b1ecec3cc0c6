// The parts of one cut that a writer holds in memory until the cut is sealed: its own copies, from which the store's are
// written whole.

import type { EncodedKey, Micros } from '../core/index.ts';
import type { PartId, RecordRef } from '../online/index.ts';

/** One part with the fold so far. */
export interface Part extends RecordRef, PartId {
  fold: Uint8Array | undefined;
  /** When the last of its events is known; −Infinity for none. */
  lastKnown: Micros;
  /** Number under which it was written last; 0 before. */
  n: number;
}

export interface PartTable {
  readonly cut: number;
  /** The parts of one view version past one boundary. */
  shelf(entity: string, version: string, boundary: Micros): PartShelf;
  /** Takes note of a part's new fold. */
  put(part: Part, fold: Uint8Array): void;
  all(): IterableIterator<Part>;
  readonly size: number;
  /** Bytes held, roughly. */
  readonly bytes: number;
}

/** Parts by the text of their key: a lookup encodes nothing. */
export interface PartShelf {
  find(keyText: string): Part | undefined;
  /** Makes an empty one. */
  add(keyText: string, key: EncodedKey): Part;
}

/** What a part costs beside its fold, as measured: its object, its map entry and text, its key, and what arrays take. */
const PART_BYTES = 700;

export function createPartTable(writer: number, cut: number): PartTable {
  const shelves = new Map<string, { readonly shelf: PartShelf; readonly parts: Map<string, Part> }>();
  let size = 0;
  let bytes = 0;

  const createShelf = (entity: string, version: string, boundary: Micros) => {
    const parts = new Map<string, Part>();
    const shelf: PartShelf = {
      find: (keyText) => parts.get(keyText),
      add(keyText, key) {
        const part: Part = { entity, key, version, writer, cut, boundary, fold: undefined, lastKnown: -Infinity, n: 0 };
        parts.set(keyText, part);
        size++;
        bytes += PART_BYTES + 2 * key.length;
        return part;
      },
    };
    return { shelf, parts };
  };

  return {
    cut,
    shelf(entity, version, boundary) {
      const name = `${version}|${boundary}`;
      let found = shelves.get(name);
      if (found === undefined) shelves.set(name, (found = createShelf(entity, version, boundary)));
      return found.shelf;
    },
    put(part, fold) {
      bytes += fold.length - (part.fold?.length ?? 0);
      part.fold = fold;
    },
    *all() {
      for (const { parts } of shelves.values()) yield* parts.values();
    },
    get size() {
      return size;
    },
    get bytes() {
      return bytes;
    },
  };
}
