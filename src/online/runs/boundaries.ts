// The boundaries that writers split their parts at: whatever run comes of the rows there are, its base finds each pushed
// event on the right side of its own boundary.

import type { Micros } from '../../core/index.ts';
import type { RunRow } from './run-row.ts';

/**
 * Of one version's rows: the last finished run's (−Infinity before the first) and every later row's, its boundary or,
 * until it has one, the proposed. An abandoned run's too: it may have written bases. Ascending, each once.
 */
export function boundariesInForce(
  rows: readonly Pick<RunRow, 'number' | 'state' | 'proposed' | 'boundary'>[],
): readonly Micros[] {
  const finished = rows
    .filter(({ state }) => state === 'finished')
    .reduce<(typeof rows)[number] | undefined>(
      (last, row) => (last && last.number > row.number ? last : row),
      undefined,
    );
  const later = rows.filter(({ number }) => finished === undefined || number > finished.number);
  const found = new Set([
    finished?.boundary ?? -Infinity,
    ...later.map(({ boundary, proposed }) => boundary ?? proposed),
  ]);
  return [...found].toSorted((a, b) => (a < b ? -1 : 1));
}
