// The spine: the rows that a training set is made for. Checked against the plan, then loaded with a row number.

import type { DuckDBConnection } from '@duckdb/node-api';
import { absentValueOf, didYouMean, type Field, HeadraceError, isKeyType, typeName } from '../../core/index.ts';
import { RESERVED_PREFIX } from '../../definitions/index.ts';
import { quoteName, quoteText, startPathsAt } from '../../storage/index.ts';
import type { TrainingSetPlan } from '../plan.ts';
import { queryWork } from '../sources/source-errors.ts';
import type { FileHashes } from '../sources/file-hashes.ts';
import { hashFiles, type SourceFile } from '../sources/file-identity.ts';
import { pinFiles } from '../sources/files/pin-files.ts';
import type { EventRange } from '../sources/event-range.ts';
import { pinPath } from '../sources/pin-path.ts';
import { readPinned } from '../sources/pinned-snapshot.ts';
import type { SourceDeps } from '../sources/source-deps.ts';
import { castSql, literalSql } from '../sources/sql-text.ts';
import { findBadValue } from './bad-spine-value.ts';

/** Table of the spine's columns and `__hr_spine` (BIGINT from 0, in order) and `__hr_at` (T in BIGINT micros). */
export const SPINE_TABLE = '__hr_spine_rows';

export interface Spine {
  /** All of the spine's columns in order, with DuckDB's types. */
  readonly columns: readonly { readonly name: string; readonly type: string }[];
  readonly rows: number;
  /** The files it was read from; none for a query. */
  readonly files: readonly SourceFile[];
  /** SQL of each column that the plan needs, over SPINE_TABLE, in the type that the plan needs; a key's default for null. */
  readonly sql: ReadonlyMap<string, string>;
}

/**
 * Relative file names, a query's too, start at `directory`. `hashes`: where the SHA-256 of its files are looked up; the caller saves
 * what was added. Throws HR_SPINE that names a missing, mistyped, reserved or colliding column;
 * HR_SOURCE_UNREADABLE for a bad file, HR_SOURCE_CHANGED for one that changed meanwhile.
 */
export async function loadSpine(
  connection: DuckDBConnection,
  spine: string,
  plan: TrainingSetPlan,
  directory: string,
  deps: SourceDeps,
  hashes: FileHashes,
): Promise<Spine> {
  const isQuery = /^\s*(SELECT|FROM|WITH)\s/i.test(spine);
  const owner = 'the spine';
  // Read by their names, which tell how they are compressed; it is one load, and a check of it.
  const pinned = isQuery
    ? await pinFiles([], owner)
    : await pinPath({ path: spine, directory, format: 'parquet', owner, isHeld: false }, deps);
  return readPinned([pinned], `the spine ${spine} cannot be read`, async () => {
    const query = isQuery ? await startPathsAt(connection, spine, directory) : undefined;
    const loaded = await load(connection, spine, plan, pinned.paths, query);
    return { ...loaded, files: await hashFiles(pinned, hashes.hashOf) };
  });
}

/** From the spine's first to its last time; without any, from Infinity to −Infinity. */
export async function spineTimes(connection: DuckDBConnection): Promise<EventRange> {
  const range = await connection.runAndReadAll(
    `SELECT CAST(min(__hr_at) AS DOUBLE), CAST(max(__hr_at) AS DOUBLE) FROM ${SPINE_TABLE}`,
  );
  const [first, last] = range.getRows()[0] as [number | null, number | null];
  return { from: first ?? Infinity, to: last ?? -Infinity };
}

async function load(
  connection: DuckDBConnection,
  spine: string,
  plan: TrainingSetPlan,
  files: readonly string[],
  query: string | undefined,
): Promise<Omit<Spine, 'files'>> {
  const from = query === undefined ? await spineFiles(connection, files, plan) : `(${query}\n)`;
  const read = <T>(work: () => Promise<T>) =>
    queryWork(`the spine ${spine} cannot be read`, query === undefined ? 'HR_SOURCE_UNREADABLE' : 'HR_SPINE', work);
  const described = await read(() => connection.runAndReadAll(`DESCRIBE SELECT * FROM ${from}`));
  const columns = described.getRows().map(([name, type]) => ({ name: String(name), type: String(type) }));
  const sql = checkColumns(columns, plan);
  const at = sql.get(plan.timestamp) as string;
  const types = new Map(columns.map(({ name, type }) => [name.toLowerCase(), type]));
  const needed = neededColumns(plan);
  try {
    await read(() =>
      connection.run(
        `CREATE TEMP TABLE ${SPINE_TABLE} AS SELECT *, row_number() OVER () - 1 AS __hr_spine, epoch_us(${at}) AS __hr_at FROM ${from}`,
      ),
    );
  } catch (thrown) {
    // DuckDB's own words on a value are many lines; where one is at fault, it is named.
    const bad = isCsv(files)
      ? await findBadValue(connection, csvAsText(files), allText(columns), needed).catch(() => undefined)
      : await findBadValue(connection, from, types, needed).catch(() => undefined);
    throw bad ?? thrown;
  }
  // The other columns are cast where they are used.
  const bad = await findBadValue(connection, SPINE_TABLE, types, needed);
  if (bad !== undefined) throw bad;
  const counted = await connection.runAndReadAll(`SELECT count(*) FROM ${SPINE_TABLE}`);
  return { columns, rows: Number(counted.getRows()[0]?.[0]), sql: withDefaults(sql, plan) };
}

// Those of keys, which are joined by: of other request columns they stand in where the transform is called.
export function withDefaults(sql: ReadonlyMap<string, string>, { spineColumns }: TrainingSetPlan): Spine['sql'] {
  const filled = new Map(sql);
  for (const column of spineColumns) {
    const absent = absentValueOf(column);
    if (absent === undefined || !isKeyType(column.type)) continue;
    filled.set(column.name, `coalesce(${sql.get(column.name)}, ${literalSql(column.type, absent())})`);
  }
  return filled;
}

/** What the plan needs, its timestamp among them. */
export function neededColumns(plan: TrainingSetPlan): Field[] {
  const isColumn = plan.spineColumns.some(({ name }) => name === plan.timestamp);
  const at: Field = { name: plan.timestamp, type: { kind: 'timestamp' } };
  return isColumn ? [...plan.spineColumns] : [...plan.spineColumns, at];
}

export const isCsv = (files: readonly string[]): boolean =>
  files.length > 0 && files.every((file) => /\.(csv|tsv)(\.gz|\.zst)?$/i.test(file));

const csvAsText = (files: readonly string[]): string =>
  `read_csv([${files.map(quoteText).join(', ')}], header = true, all_varchar = true)`;

const allText = (columns: Spine['columns']): Map<string, string> =>
  new Map(columns.map(({ name }) => [name.toLowerCase(), 'VARCHAR']));

/** Kinds whose text a training set shows as it came: what is made of it stands beside it. */
const KEPT_AS_TEXT: ReadonlySet<string> = new Set(['string', 'list', 'vector', 'bytes']);

async function spineFiles(
  connection: DuckDBConnection,
  files: readonly string[],
  plan: TrainingSetPlan,
): Promise<string> {
  const list = `[${files.map(quoteText).join(', ')}]`;
  if (!isCsv(files)) return `read_parquet(${list}, union_by_name = true)`;
  // What a key means is declared: '007' of a string key must not be sniffed as 7.
  const scan = `read_csv(${list}, header = true)`;
  const found = await queryWork(`the spine ${files.join(', ')} cannot be read`, 'HR_SOURCE_UNREADABLE', () =>
    connection.runAndReadAll(`DESCRIBE SELECT * FROM ${scan}`),
  );
  const present = new Set(found.getRows().map(([name]) => String(name).toLowerCase()));
  const declared = neededColumns(plan).filter(({ name }) => present.has(name.toLowerCase()));
  if (declared.length === 0) return scan;
  // As text: the CSV reader guesses what a time's day and month are, leaves out a zone that comes late, and rounds a fraction.
  const types = declared.map(({ name }) => `${quoteText(name)}: 'VARCHAR'`);
  const texts = `read_csv(${list}, header = true, types = {${types.join(', ')}})`;
  const casts = declared.flatMap(({ name, type }) => {
    const cast = KEPT_AS_TEXT.has(type.kind) ? undefined : castSql(quoteName(name), 'VARCHAR', type);
    return cast === undefined ? [] : [`${cast} AS ${quoteName(name)}`];
  });
  return casts.length === 0 ? texts : `(SELECT * REPLACE (${casts.join(', ')}) FROM ${texts})`;
}

/** SQL of each column that the plan needs, over a relation that has those columns. Throws HR_SPINE, which speaks of `owner`. */
export function checkColumns(
  columns: Spine['columns'],
  plan: TrainingSetPlan,
  owner: 'the spine' | 'the input' = 'the spine',
): Map<string, string> {
  const byName = new Map(columns.map(({ name, type }) => [name.toLowerCase(), type]));
  const names = columns.map(({ name }) => name);
  const find = (name: string, neededBy: string): string => {
    const type = byName.get(name.toLowerCase());
    if (type !== undefined) return type;
    throw new HeadraceError(
      'HR_SPINE',
      `${owner} has no column "${name}", which is ${neededBy}.${didYouMean(name, names)} It has: ${names.join(', ')}.`,
    );
  };
  const sql = new Map<string, string>();
  const need = (name: string, type: TrainingSetPlan['spineColumns'][number]['type'], neededBy: string) => {
    const from = find(name, neededBy);
    const cast = castSql(quoteName(name), from, type);
    if (cast === undefined) {
      throw new HeadraceError(
        'HR_SPINE',
        `${owner}'s column "${name}" is ${from}; ${neededBy}, it must be ${typeName(type)}.`,
      );
    }
    sql.set(name, cast);
  };
  for (const { name, type, neededBy } of plan.spineColumns) need(name, type, neededBy);
  if (!sql.has(plan.timestamp)) need(plan.timestamp, { kind: 'timestamp' }, 'the timestamp');
  const timestampType = plan.spineColumns.find(({ name }) => name === plan.timestamp)?.type.kind ?? 'timestamp';
  if (timestampType !== 'timestamp') {
    throw new HeadraceError(
      'HR_SPINE',
      `the timestamp "${plan.timestamp}" is also a ${timestampType} column of the service.`,
    );
  }
  for (const label of plan.labels) find(label, 'a label');
  const features = new Set(plan.features.map(({ name }) => name.toLowerCase()));
  for (const name of names) {
    if (name.toLowerCase().startsWith(RESERVED_PREFIX)) {
      throw new HeadraceError(
        'HR_SPINE',
        `${owner}'s column "${name}" begins with ${RESERVED_PREFIX}, which is reserved. Rename it.`,
      );
    }
    if (features.has(name.toLowerCase())) {
      throw new HeadraceError('HR_SPINE', `${owner}'s column "${name}" has the name of a feature. Rename it.`);
    }
  }
  return sql;
}
