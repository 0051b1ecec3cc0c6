// What a server counted of each prediction's outcome, so that one that is told again counts nothing, and one that is corrected counts
// in place of what it was. Bounded: of what was told too long ago nothing is known, and it counts as new.

import { createLastUsed } from '../../core/index.ts';

export interface ToldOutcomes {
  /** Remembers `value`, undefined: one that is no number. Gives what was counted until now; undefined where nothing is known. */
  tell(endpoint: string, predictionId: string, value: number | undefined): number | undefined;
}

/** Some 200 bytes each. */
const MOST_TOLD = 200_000;

/** Remembers at least the last `most` / 2 predictions that were told of, and never more than `most`. */
export function createToldOutcomes(most = MOST_TOLD): ToldOutcomes {
  const told = createLastUsed<string, number>(most);
  return {
    tell(endpoint, predictionId, value) {
      // Names have no line break.
      const key = `${endpoint}\n${predictionId}`;
      const before = told.get(key);
      if (value === undefined) told.delete(key);
      else if (value !== before) told.set(key, value);
      return before;
    },
  };
}
