// What a server is asked to materialize, and by whom it is done.

import type { Micros } from '../../core/index.ts';

export interface AskedMaterialize {
  /** All that are kept when left out. */
  readonly views?: readonly string[];
  /** Only keys whose facts have changed since the last run. */
  readonly incremental: boolean;
  /** Not incremental: keys with rows known at it or later; every key when left out. */
  readonly from?: Micros;
  /** As known at it; now when left out. */
  readonly to?: Micros;
}

/** Given by the composition root. Resolves once it is done, and goes on where nobody waits any more. */
export type Materialize = (request: AskedMaterialize) => Promise<void>;
