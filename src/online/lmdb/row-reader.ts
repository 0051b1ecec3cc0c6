// Records of many rows that want the same versions: bases that stand alone are copied one behind the other into one piece of
// memory, and nothing is made of them.

import type { EncodedKey } from '../../core/index.ts';
import type { RecordRef, RecordTaker, StoredRecord, WantedVersion } from '../online-store.ts';
import type { Db } from './open-lmdb.ts';
import type { Records } from './records.ts';
import { flagsOf, HAS, HEAD } from './record-value.ts';
import type { StoreKeys } from './store-keys.ts';

/** Throws `TakerFailure`, and what LMDB throws. */
export type ReadRows = (
  wanted: readonly WantedVersion[],
  rows: readonly (readonly (EncodedKey | undefined)[])[],
  taker: RecordTaker,
) => void;

/** Around what a taker throws: whatever it is, it is no failure of the store. */
export class TakerFailure extends Error {
  readonly thrown: unknown;

  constructor(thrown: unknown) {
    super('the taker failed');
    this.thrown = thrown;
  }
}

type KeyOf = (key: EncodedKey) => Uint8Array;

/** Of a request's memory; what is longer has a piece of its own. */
const LARGEST_PIECE_BYTES = 256 * 1024;
const WORD = 4;

export function createRowReader(db: Db, keys: StoreKeys, records: Pick<Records, 'read'>): ReadRows {
  const compiled = new WeakMap<readonly WantedVersion[], readonly KeyOf[]>();
  const keysOf = (wanted: readonly WantedVersion[]): readonly KeyOf[] => {
    let found = compiled.get(wanted);
    if (found === undefined) {
      found = wanted.map(({ entity, version }) => keys.recordsOf(entity, version));
      compiled.set(wanted, found);
    }
    return found;
  };
  /** Reads it again at the same commit, with its parts; none of them where all else that lies there is its long key. */
  const tellOther = (row: number, place: number, ref: RecordRef, taker: RecordTaker): void => {
    const { base, parts } = records.read(ref) as StoredRecord;
    if (base !== undefined && parts.length === 0) return tellBase(row, place, base, 0, base.length, taker);
    try {
      taker.record(row, place, { base, parts });
    } catch (thrown) {
      throw new TakerFailure(thrown);
    }
  };

  /** What a record took, on average, of the last rows that were read. */
  let usualBytes = 256;

  return (wanted, rows, taker) => {
    const keyOf = keysOf(wanted);
    const width = wanted.length;
    let piece: Buffer | undefined;
    let used = 0;
    let bytes = 0;
    let bases = 0;
    for (let row = 0; row < rows.length; row++) {
      const own = rows[row] as (typeof rows)[number];
      for (let place = 0; place < width; place++) {
        const key = own[place];
        if (key === undefined) continue;
        // The library's buffer, which the next get overwrites.
        const shared = db.getBinaryFast((keyOf[place] as KeyOf)(key));
        if (shared === undefined) continue;
        if (flagsOf(shared) !== HAS.base) {
          tellOther(row, place, { ...(wanted[place] as WantedVersion), key }, taker);
          continue;
        }
        const size = shared.length - HEAD;
        const room = padded(size);
        if (piece === undefined || used + room > piece.length) {
          const left = (rows.length - row) * width - place;
          piece = Buffer.allocUnsafe(Math.max(room, Math.min(left * usualBytes, LARGEST_PIECE_BYTES)));
          used = 0;
        }
        shared.copy(piece, used, HEAD, HEAD + size);
        tellBase(row, place, piece, used, used + size, taker);
        used += room;
        bytes += room;
        bases++;
      }
    }
    if (bases > 0) usualBytes = padded(Math.ceil(bytes / bases) + WORD);
  };
}

function tellBase(row: number, place: number, memory: Uint8Array, from: number, to: number, taker: RecordTaker): void {
  try {
    taker.base(row, place, memory, from, to);
  } catch (thrown) {
    throw new TakerFailure(thrown);
  }
}

const padded = (size: number): number => (size + WORD - 1) & -WORD;
