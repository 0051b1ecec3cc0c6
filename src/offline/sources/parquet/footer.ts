// What a Parquet file says of itself: enough to plan a read, and to see that none is needed.

import type { EventRange } from '../event-range.ts';

export interface Footer {
  /** DuckDB's types of its columns, by their names in lower case, as DuckDB compares them. */
  readonly types: ReadonlyMap<string, string>;
  /**
   * Of columns of times without a null whose least and greatest each part of the file tells; by name in lower case. A little
   * wider than what it tells, as it may be rounded.
   */
  readonly ranges: ReadonlyMap<string, EventRange>;
}
