// What is known of a file without another look at its rows: what a Parquet file says of itself, enough to plan a read and to see that
// none is needed, and what an earlier reading of its rows found.

import type { EventRange } from '../event-range.ts';

export interface Footer {
  /** DuckDB's types of its columns, by their names in lower case, as DuckDB compares them. */
  readonly types: ReadonlyMap<string, string>;
  /**
   * Of columns of times whose least and greatest each part of the file tells; by name in lower case. A little wider than what it
   * tells, as it may be rounded.
   */
  readonly ranges: ReadonlyMap<string, FooterRange>;
  /** Between which event times its rows lie, where they were read for that: by `timeOrigin`; NO_EVENTS where no row has one. */
  readonly times?: ReadonlyMap<string, EventRange>;
}

/** Of a file that says nothing of itself, as CSV does not. */
export const NO_FOOTER: Footer = { types: new Map(), ranges: new Map() };

/** Of the times that are not null. */
export interface FooterRange extends EventRange {
  /** Whether there may be nulls too: rows without an event time are asked for, whatever the range. */
  readonly hasNulls: boolean;
}
