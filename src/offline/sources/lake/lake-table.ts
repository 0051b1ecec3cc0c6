// A table of a lake at one of its snapshots: what every table format comes down to before it is pinned.

import type { TableSnapshot } from '../pinned-snapshot.ts';

export interface LakeTable {
  readonly snapshot: TableSnapshot;
  /** False of one that a record names. */
  readonly isCurrent: boolean;
  /** Its data files, as they are. */
  readonly files: readonly string[];
  /** What says of the data files' rows that some are no more. */
  readonly deleteFiles: readonly string[];
  /** Of them those that name values, whose rows are no more. */
  readonly valueDeletes?: readonly string[];
  /** To stand after FROM: the snapshot's rows, by the table's own columns. */
  readonly relation: string;
  /**
   * How its columns are found in its files. Null where what is in the files is not what the table says, or not all of it.
   */
  readonly inFiles: ColumnPlaces | null;
}

/** By the id that a column has in the files, which it keeps for ever, or by its name. */
export type ColumnPlaces =
  | { readonly by: 'name' }
  | {
      readonly by: 'id';
      /** By lower-case name. */
      readonly ids: ReadonlyMap<string, number>;
      /** Those that are not simply null in a file that lacks them. */
      readonly filledIn: ReadonlySet<number>;
    };
