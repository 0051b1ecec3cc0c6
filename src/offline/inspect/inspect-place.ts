// A look at a place where a source could lie, by its kind: the one table to extend for another kind.

import { HeadraceError } from '../../core/index.ts';
import type { SourceKind, SourceSpec } from '../../definitions/index.ts';
import { DATABASES } from '../sources/databases/databases.ts';
import type { PlaceDeps } from '../sources/source-deps.ts';
import { inspectDatabase, tablesOf } from './inspect-database.ts';
import { inspectFiles, type InspectedFiles } from './inspect-files.ts';
import { inspectLake } from './inspect-lake.ts';
import type { InspectedPlace } from './inspected.ts';

/** Looks at what a source of such a location would read; relative paths start at `directory`. */
type Inspector = (
  location: SourceSpec['location'],
  directory: string,
  deps: PlaceDeps,
) => Promise<Pick<InspectedPlace, 'columns' | 'notes' | 'partitions'>>;

const files =
  (format: 'parquet' | 'csv'): Inspector =>
  (location, directory, deps): Promise<InspectedFiles> =>
    // A location of files has a path.
    inspectFiles(format, location['path'] as string, directory, deps);

const database =
  (kind: keyof typeof DATABASES): Inspector =>
  async (location, _, deps) => ({ columns: await inspectDatabase(DATABASES[kind], location, deps), notes: [] });

const lake =
  (kind: 'iceberg' | 'delta'): Inspector =>
  async (location, directory, deps) => ({ columns: await inspectLake(kind, location, directory, deps), notes: [] });

const INSPECTORS: Readonly<Partial<Record<SourceKind, Inspector>>> = {
  parquet: files('parquet'),
  csv: files('csv'),
  iceberg: lake('iceberg'),
  delta: lake('delta'),
  postgres: database('postgres'),
  mysql: database('mysql'),
  snowflake: database('snowflake'),
};

/** Errors: HR_UNSUPPORTED for a kind that can't be looked at; else as the reading of such a source. */
export async function inspectPlace(
  { kind, location }: Pick<SourceSpec, 'kind' | 'location'>,
  directory: string,
  deps: PlaceDeps,
): Promise<InspectedPlace> {
  const inspect = INSPECTORS[kind];
  if (inspect === undefined)
    throw new HeadraceError(
      'HR_UNSUPPORTED',
      `sources of kind ${kind} have no columns to look at: they are what is declared.`,
    );
  return { kind, location, ...(await inspect(location, directory, deps)) };
}

/** The source that would lie in the place whose URL a variable holds. Throws HR_CONFIG, HR_USAGE. */
export function sourceInVariable(
  connection: string,
  { table, query }: { readonly table?: string | undefined; readonly query?: string | undefined },
  deps: PlaceDeps,
): Pick<SourceSpec, 'kind' | 'location'> {
  if (isCatalog(connection, deps)) {
    if (table !== undefined && query === undefined)
      return { kind: 'iceberg', location: { catalog: connection, table } };
    throw new HeadraceError(
      'HR_USAGE',
      `${connection} holds the URL of an Iceberg catalog: name one of its tables with --table.`,
    );
  }
  const location = { connection, ...(table === undefined ? { query: query ?? '' } : { table }) };
  return { kind: databaseKind(connection, deps), location };
}

const urlOf = (connection: string, { remote }: PlaceDeps): string =>
  remote?.variable?.(connection.replace(/^env:/, ''))?.trim() ?? '';

/** Whether it is the URL of an Iceberg catalog, rather than a database's. */
const isCatalog = (connection: string, deps: PlaceDeps): boolean => /^https?:\/\//i.test(urlOf(connection, deps));

/** Which kind of database a variable's URL is of, or HR_CONFIG. */
function databaseKind(connection: string, deps: PlaceDeps): keyof typeof DATABASES {
  const name = connection.replace(/^env:/, '');
  const url = urlOf(connection, deps);
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(url)?.[1]?.toLowerCase() ?? '';
  const kinds = Object.keys(DATABASES) as (keyof typeof DATABASES)[];
  const kind = kinds.find((one) => DATABASES[one].schemes.includes(scheme));
  if (kind !== undefined) return kind;
  const examples = kinds.map((one) => DATABASES[one].example).join(' or ');
  throw new HeadraceError(
    'HR_CONFIG',
    `the environment variable ${name} ${url === '' ? 'is not set' : 'holds no URL of a database'}. Set it to ${examples}`,
  );
}

/** The tables of a database, as users write them. Throws HR_USAGE for an Iceberg catalog, HR_CONFIG. */
export async function inspectTables(connection: string, deps: PlaceDeps): Promise<readonly string[]> {
  if (isCatalog(connection, deps)) sourceInVariable(connection, {}, deps);
  return tablesOf(DATABASES[databaseKind(connection, deps)], connection, deps);
}
