// The sources that a query reads, under their names, as its connection sees them: all their facts, or those that were known
// by a time.

import type { DuckDBConnection } from '@duckdb/node-api';
import type { Micros } from '../../../core/index.ts';
import { quoteName } from '../../../storage/index.ts';
import type { Facts } from '../../facts/facts.ts';

export interface OverSource {
  readonly facts: Pick<Facts, 'source' | 'relation'>;
  /** Its rows hold at all times. */
  readonly isStatic: boolean;
}

/** `knownBy` left out: whatever is known by now. Of rows that match nothing a query knows nothing. */
export async function showSources(
  connection: DuckDBConnection,
  over: readonly OverSource[],
  knownBy?: Micros,
): Promise<void> {
  for (const { facts, isStatic } of over) {
    const { source, relation } = facts;
    const columns = [...source.columns, ...source.derive].map(({ name }) => quoteName(name)).join(', ');
    const known = knownBy === undefined ? '__hr_known IS NOT NULL' : `__hr_known <= ${knownBy}`;
    const where = isStatic ? '' : ` WHERE ${known}`;
    await connection.run(
      `CREATE OR REPLACE TEMP VIEW ${quoteName(source.name)} AS SELECT ${columns} FROM ${relation}${where}`,
    );
  }
}
