// A look at a place where a source could lie, by its kind: the one table to extend for another kind.

import { HeadraceError } from '../../core/index.ts';
import type { SourceKind, SourceSpec } from '../../definitions/index.ts';
import { withoutPassword } from '../../storage/index.ts';
import { DATABASES } from '../sources/databases/databases.ts';
import { isMetadataFile } from '../sources/iceberg/find-metadata.ts';
import { describeTable } from '../sources/lake/describe-table.ts';
import { namesIn, placeOf } from '../sources/lake/table-place.ts';
import type { PlaceDeps } from '../sources/source-deps.ts';
import { inspectDatabase, tablesOf } from './inspect-database.ts';
import { inspectFiles, type InspectedFiles, typeOfDuck } from './inspect-files.ts';
import type { InspectedPlace } from './inspected.ts';

/** Looks at what a source of such a location would read; relative paths start at `directory`. */
type Inspector = (
  location: SourceSpec['location'],
  directory: string,
  deps: PlaceDeps,
) => Promise<Pick<InspectedPlace, 'columns' | 'notes'>>;

const files =
  (format: 'parquet' | 'csv'): Inspector =>
  (location, directory, deps): Promise<InspectedFiles> =>
    // A location of files has a path.
    inspectFiles(format, location['path'] as string, directory, deps);

const database =
  (kind: keyof typeof DATABASES): Inspector =>
  async (location, _, deps) => ({ columns: await inspectDatabase(DATABASES[kind], location, deps), notes: [] });

const lakeTable =
  (kind: 'iceberg' | 'delta'): Inspector =>
  async (location, directory, deps) => {
    const owner = location['path'] ?? `${location['catalog']}, table ${location['table']}`;
    const { columns } = await describeTable({ kind, location }, directory, owner, deps);
    return { columns: columns.map(({ name, type }) => ({ name, type, suggested: typeOfDuck(type) })), notes: [] };
  };

const INSPECTORS: Readonly<Partial<Record<SourceKind, Inspector>>> = {
  parquet: files('parquet'),
  csv: files('csv'),
  iceberg: lakeTable('iceberg'),
  delta: lakeTable('delta'),
  postgres: database('postgres'),
  mysql: database('mysql'),
  snowflake: database('snowflake'),
};

/** Which kind a path is of, by how it is written; the first that fits. */
const PATHS: readonly (readonly [RegExp, SourceKind])[] = [
  [/\.(csv|tsv)(\.gz|\.zst)?$/i, 'csv'],
  [/\.(parquet|pq)$/i, 'parquet'],
];

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

/**
 * The source that would lie at a path that a user typed, relative to `directory`. Throws HR_UNSUPPORTED where no one can tell
 * which kind, and what S3 says.
 */
export async function sourceAtPath(
  path: string,
  directory: string,
  deps: PlaceDeps,
): Promise<Pick<SourceSpec, 'kind' | 'location'>> {
  const kind = PATHS.find(([pattern]) => pattern.test(path))?.[1] ?? (await lakeKind(path, directory, deps));
  if (kind !== undefined) return { kind, location: { path } };
  throw new HeadraceError(
    'HR_UNSUPPORTED',
    `"${shown(path)}" is of no kind that is known by its name. Give a path that ends with .parquet or .csv (a pattern such as s3://bucket/events/*.parquet, too), the folder of an Iceberg or Delta table, env:NAME for a database, or the name of a source.`,
  );
}

async function lakeKind(path: string, directory: string, deps: PlaceDeps): Promise<'iceberg' | 'delta' | undefined> {
  if (isMetadataFile(path)) return 'iceberg';
  if (/[*?[{]/.test(path)) return undefined;
  const place = placeOf(path, directory);
  if ((await namesIn(`${place}/_delta_log`, path, deps)).length > 0) return 'delta';
  return (await namesIn(`${place}/metadata`, path, deps)).some(isMetadataFile) ? 'iceberg' : undefined;
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

/** A URL that was typed may hold a password. */
const shown = (path: string): string => (/^[a-z][a-z0-9+.-]*:\/\//i.test(path) ? withoutPassword(path) : path);
