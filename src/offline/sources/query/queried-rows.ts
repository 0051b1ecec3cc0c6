// Rows of a query that belongs to no source, as a table of the connection: what a metric of an experiment measures. It may tell
// of the past what was known later: nobody trains by it.

import type { DuckDBConnection } from '@duckdb/node-api';
import { HeadraceError, messageOf } from '../../../core/index.ts';
import type { QueriedSource, SourceSpec } from '../../../definitions/index.ts';
import { quoteName } from '../../../storage/index.ts';
import type { PinnedSnapshot } from '../pinned-snapshot.ts';
import { pinSource } from '../pin-source.ts';
import { ALL_EVENTS } from '../event-range.ts';
import type { SourceDeps } from '../source-deps.ts';
import { checkQuery } from './check-query.ts';
import { showSources } from './over-sources.ts';
import { openOver } from './pin-query.ts';

export interface RowsQuery {
  /** Who asks, as errors begin: `metric "paid"`. */
  readonly owner: string;
  readonly sql: string;
  readonly over: readonly QueriedSource[];
  /** Columns that it has to give; others are left out. */
  readonly columns: readonly string[];
  /** The table that is made, a temporary one. */
  readonly table: string;
}

/**
 * Reads the sources' facts of now, all of one moment each. Throws HR_QUERY for what is no such SELECT, HR_SOURCE_UNREADABLE,
 * HR_SOURCE_CHANGED.
 */
export async function openQueriedRows(connection: DuckDBConnection, query: RowsQuery, deps: SourceDeps): Promise<void> {
  const { owner, sql, columns, table } = query;
  const pinned: PinnedSnapshot[] = [];
  // Only its name and what it reads are looked at.
  const asSource = { name: owner, over: query.over } as Pick<SourceSpec, 'name' | 'over'> as SourceSpec;
  try {
    const over = await openOver(connection, asSource, deps, async (one) => {
      const snapshot = await pinSource(one, ALL_EVENTS, deps);
      pinned.push(snapshot);
      return snapshot;
    });
    const known = over.flatMap(({ facts }) => [...facts.source.columns, ...facts.source.derive]);
    await checkQuery(connection, asSource, sql, new Set(known.map(({ name }) => name.toLowerCase())));
    await showSources(connection, over);
    const described = await connection.runAndReadAll(`DESCRIBE (${sql}\n)`);
    const given = described.getRows().map(([name]) => String(name).toLowerCase());
    const missing = columns.filter((name) => !given.includes(name));
    if (missing.length > 0)
      throw new HeadraceError(
        'HR_QUERY',
        `its query gives ${given.join(', ')}, and not ${missing.join(', ')}. Name them with AS.`,
      );
    await connection.run(
      `CREATE OR REPLACE TEMP TABLE ${table} AS SELECT ${columns.map(quoteName).join(', ')} FROM (${sql}\n)`,
    );
    for (const snapshot of pinned) await snapshot.verify();
  } catch (error) {
    for (const snapshot of pinned) await snapshot.verify();
    if (error instanceof HeadraceError && error.code !== 'HR_QUERY') throw error;
    const words =
      messageOf(error)
        .replace(`source "${owner}": `, '')
        .split(/\n\s*\n?LINE \d+:/)[0] ?? '';
    throw new HeadraceError('HR_QUERY', `${owner}: ${words}`, { cause: error });
  } finally {
    for (const snapshot of pinned) await snapshot.close();
  }
}
