// A source as a relation of SQL: declared columns in their declared types, derived ones, and the internal ones that
// every replay needs. One place where files, tables and pushed events become the same thing.

import type { DuckDBConnection } from '@duckdb/node-api';
import { HeadraceError } from '../../core/index.ts';
import type { Definitions, SourceSpec } from '../../definitions/index.ts';
import { registerDerive } from '../duckdb/user-functions.ts';
import { loadPushedRows } from './pushed-rows.ts';
import type { RawScan } from './raw-scan.ts';
import { scanCsv } from './scan-csv.ts';
import { scanParquet } from './scan-parquet.ts';
import { findFiles } from './source-files.ts';
import { duckType, quoteName } from './sql-text.ts';

export interface ScanDeps {
  readonly definitions: Definitions;
  readonly pushLogDirectory: string;
}

export interface ScannedSource {
  readonly source: SourceSpec;
  /**
   * To stand after FROM, on the connection it was made for. Columns: the declared and derived ones, and
   * `__hr_event`, `__hr_known` (BIGINT micros, known ≥ event; null when the row matches nothing),
   * `__hr_row` (BIGINT below 2^53: the same file gives the same row the same number),
   * `__hr_arrival` (BIGINT: order of arrival of pushed rows; null in files).
   */
  readonly relation: string;
  /** Paths of the files that it reads. */
  readonly files: readonly string[];
  /** The pushed events among its rows; null when there are none. */
  readonly pushed: { readonly rows: number; readonly sha256: string } | null;
}

/**
 * Throws HR_SOURCE_UNREADABLE naming file and column when a file is missing or corrupt, or a column is missing or
 * cannot have its declared type; HR_UNSUPPORTED for kinds that this build cannot read. `files` stands in for those that
 * the source's path finds now.
 */
export async function scanSource(
  connection: DuckDBConnection,
  source: SourceSpec,
  deps: ScanDeps,
  files?: readonly string[],
): Promise<ScannedSource> {
  const raw = await scanRaw(connection, source, deps, files);
  const pushed =
    source.pushes === 'keep'
      ? await loadPushedRows(connection, source, deps.pushLogDirectory, raw.files.length)
      : undefined;
  const parts = [raw.relation, pushed?.relation ?? ''].filter((part) => part !== '');
  const all = [...source.columns.map(({ name }) => quoteName(name)), '__hr_row', '__hr_arrival', '__hr_arrived'].join(
    ', ',
  );
  const rows =
    parts.length === 1 ? `${parts[0]}` : `(${parts.map((part) => `SELECT ${all} FROM ${part}`).join(' UNION ALL ')})`;
  const derived = deriveColumns(connection, source, deps.definitions);
  const withDerived = derived.length === 0 ? rows : `(SELECT *, ${derived.join(', ')} FROM ${rows})`;
  return {
    source,
    relation: `(SELECT *, ${timeColumns(source)} FROM ${withDerived})`,
    files: raw.files,
    pushed: pushed === undefined || pushed.rows === 0 ? null : { rows: pushed.rows, sha256: pushed.sha256 },
  };
}

async function scanRaw(
  connection: DuckDBConnection,
  source: SourceSpec,
  { definitions }: ScanDeps,
  given: readonly string[] | undefined,
): Promise<RawScan> {
  const find = () => findFiles(source.location['path'] as string, definitions.directory, `source "${source.name}"`);
  switch (source.kind) {
    case 'parquet':
      return scanParquet(connection, source, given ?? (await find()));
    case 'csv':
      return scanCsv(connection, source, given ?? (await find()));
    case 'pushed':
      return { relation: '', files: [] };
    default:
      throw new HeadraceError(
        'HR_UNSUPPORTED',
        `source "${source.name}" is of kind ${source.kind}, which this build cannot read yet. ` +
          'Export it to Parquet and declare it with parquet(…).',
      );
  }
}

function deriveColumns(connection: DuckDBConnection, source: SourceSpec, definitions: Definitions): string[] {
  const arguments_ = source.columns.map(({ name }) => quoteName(name)).join(', ');
  return source.derive.map((spec) => {
    if (spec.by.kind === 'sql') return `CAST((${spec.by.sql}) AS ${duckType(spec.type)}) AS ${quoteName(spec.name)}`;
    const { id } = spec.by.function;
    const userFunction = definitions.functions.get(id);
    if (userFunction === undefined)
      throw new HeadraceError('HR_CODE_CHANGED', `the repository has no function ${id} any more.`);
    return `${registerDerive(connection, source.columns, spec, userFunction)}(${arguments_}) AS ${quoteName(spec.name)}`;
  });
}

// A row known before it happened is known when it happens, so that everything downstream may trust known ≥ event.
// A pushed row was known when the log says, whatever its columns hold.
function timeColumns(source: SourceSpec): string {
  const event = `epoch_us(${quoteName(source.eventTime)})`;
  const stated =
    source.knownTime.kind === 'after'
      ? `${event} + ${source.knownTime.micros}`
      : `epoch_us(${quoteName(source.knownTime.column)})`;
  const known = source.pushes === 'keep' ? `coalesce(__hr_arrived, ${stated})` : stated;
  // greatest() passes over nulls: an unknown time must stay unknown.
  const isTimed = `${event} IS NOT NULL AND ${known} IS NOT NULL`;
  return `${event} AS __hr_event, CASE WHEN ${isTimed} THEN greatest(${known}, ${event}) END AS __hr_known`;
}
