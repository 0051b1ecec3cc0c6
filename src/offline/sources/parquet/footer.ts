// What a Parquet file says of itself: enough to plan a read, and to see that none is needed.

import type { EventRange } from '../event-range.ts';

export interface Footer {
  /** DuckDB's types of its columns, by their names in lower case, as DuckDB compares them. */
  readonly types: ReadonlyMap<string, string>;
  /**
   * Of columns of times whose least and greatest each part of the file tells; by name in lower case. A little wider than what it
   * tells, as it may be rounded.
   */
  readonly ranges: ReadonlyMap<string, FooterRange>;
}

/** Of the times that are not null. */
export interface FooterRange extends EventRange {
  /** Whether there may be nulls too: rows without an event time are asked for, whatever the range. */
  readonly hasNulls: boolean;
}
