// Pins a query over other sources: runs it over their facts of now, lands its rows, and checks that none tells of a time
// what was known only later.

import type { DuckDBConnection } from '@duckdb/node-api';
import { HeadraceError } from '../../../core/index.ts';
import type { SourceSpec } from '../../../definitions/index.ts';
import { withReleases } from '../../checks/with-releases.ts';
import { castColumn, columnsOf } from '../../facts/raw-rows.ts';
import { openCurrentFacts, type SourceFacts } from '../../facts/current-facts.ts';
import { readableCoverage } from '../../facts/log-rows.ts';
import { ALL_EVENTS } from '../event-range.ts';
import { landQuery } from '../landed/land-query.ts';
import type { PinnedSnapshot } from '../pinned-snapshot.ts';
import type { SourceDeps } from '../source-deps.ts';
import { checkLeaks } from './check-leaks.ts';
import { passedCheck } from './checked-before.ts';
import { checkQuery } from './check-query.ts';
import { type OverSource, showSources } from './over-sources.ts';

/**
 * `pin` pins the files of a source that it reads. Errors: HR_QUERY, HR_QUERY_LEAKS, HR_SOURCE_UNREADABLE, HR_SOURCE_CHANGED
 * and what else reading the sources gives.
 */
export async function pinQuery(
  source: SourceSpec,
  deps: SourceDeps,
  pin: (over: SourceSpec) => Promise<PinnedSnapshot>,
): Promise<PinnedSnapshot> {
  const sql = source.location['query'] as string;
  const connection = await deps.duckdb.connect();
  const pinned: PinnedSnapshot[] = [];
  const verify = async () => {
    for (const snapshot of pinned) await snapshot.verify();
  };
  try {
    const over = await openOver(connection, source, deps, async (one) => {
      const snapshot = await pin(one);
      pinned.push(snapshot);
      return snapshot;
    });
    const columns = over.flatMap(({ facts }) => [...facts.source.columns, ...facts.source.derive]);
    await checkQuery(connection, source, sql, new Set(columns.map(({ name }) => name.toLowerCase())));
    await showSources(connection, over);
    const declared = await declaredRows(connection, source, sql);
    return await landQuery(connection, source, declared, deps, async (path, etag) => {
      const check = await passedCheck(source, etag, over, deps);
      const isPassed = await check.isKnown();
      if (!isPassed) await checkLeaks(connection, source, deps.definitions, { sql: declared, path, over });
      await verify();
      if (!isPassed) await check.remember();
    });
  } catch (error) {
    // What was overwritten under the query explains best why it can't be run.
    await verify();
    throw error;
  } finally {
    for (const snapshot of pinned) await snapshot.close();
    connection.closeSync();
  }
}

/** `pin` is asked once for each source; what it gives is its caller's to close. */
export async function openOver(
  connection: DuckDBConnection,
  { over = [] }: SourceSpec,
  given: SourceDeps,
  pin: (over: SourceSpec) => Promise<PinnedSnapshot>,
): Promise<(OverSource & SourceFacts)[]> {
  const { sources } = given.definitions.manifest;
  // The manifest was validated: what it names is in it.
  const named = over.map(({ source: name }) => sources[name] as SourceSpec);
  const deps = await withReleases(given, named);
  const readable = await readableCoverage(deps.log);
  const opened: (OverSource & SourceFacts)[] = [];
  for (const [i, { isStatic }] of over.entries()) {
    const one = named[i] as SourceSpec;
    const opening = openCurrentFacts(connection, one, deps, readable, ALL_EVENTS, () => pin(one));
    opened.push({ ...(await opening), isStatic, releasedUpTo: deps.released?.last });
  }
  return opened;
}

/** The query's rows by the declared columns, in the declared types. */
async function declaredRows(connection: DuckDBConnection, source: SourceSpec, sql: string): Promise<string> {
  const from = `(${sql}\n)`;
  const types = await columnsOf(connection, source, from, 'its query').catch((error: unknown) => {
    if (!(error instanceof HeadraceError) || error.code !== 'HR_SOURCE_UNREADABLE') throw error;
    throw new HeadraceError('HR_QUERY', error.message, { cause: error });
  });
  const columns = source.columns.map((column) =>
    castColumn(source, column, types.get(column.name.toLowerCase()) ?? ''),
  );
  return `SELECT ${columns.join(', ')} FROM ${from}`;
}
