// The rows of a batch, loaded as a spine. Rows that no server would take are set apart with the reason, and keep their place.

import type { DuckDBConnection } from '@duckdb/node-api';
import { type Field, HeadraceError } from '../../core/index.ts';
import { mayLack } from '../../definitions/index.ts';
import { quoteName, quoteText } from '../../storage/index.ts';
import type { OfflineDeps } from '../offline-deps.ts';
import type { TrainingSetPlan } from '../plan.ts';
import { type FileHashes, openFileHashes } from '../sources/file-hashes.ts';
import { hashFiles, type SourceFile } from '../sources/file-identity.ts';
import { pinPath } from '../sources/pin-path.ts';
import { type PinnedSnapshot, readPinned } from '../sources/pinned-snapshot.ts';
import type { SourceDeps } from '../sources/source-deps.ts';
import { queryWork } from '../sources/source-errors.ts';
import { type BadValue, badValueSql, castSql, duckType, valueWhere } from '../sources/sql-text.ts';
import {
  checkColumns,
  isCsv,
  neededColumns,
  type Spine,
  SPINE_TABLE,
  withDefaults,
} from '../training-sets/load-spine.ts';
import { BAD_ROW_ADVICE, ERROR_COLUMN } from './error-column.ts';
import { checkOneSchema } from './one-schema.ts';

/** Table of the rows that are set apart: the input's columns, `__hr_spine` and ERROR_COLUMN. */
export const BAD_TABLE = '__hr_bad_rows';

export interface InputPlace {
  /** A Parquet or CSV file or glob, or an address in S3. */
  readonly path: string;
  /** Where a relative path starts. */
  readonly directory: string;
  /** Only these of its rows, by their numbers from 0; left out: all. */
  readonly slice?: { readonly index: number; readonly of: number };
}

export interface Input extends Spine {
  /** Rows in all, those among them that are set apart. */
  readonly total: number;
  readonly bad: number;
}

/**
 * Fills SPINE_TABLE, whose `__hr_spine` counts the rows that are set apart too, and BAD_TABLE. `hashes`: where the SHA-256 of its
 * files are looked up, as each slice of a step reads the same files; the caller saves what was added. Throws HR_SPINE for a column
 * that is missing or of another type than in another file, HR_SOURCE_UNREADABLE, HR_SOURCE_CHANGED.
 */
export async function loadInput(
  connection: DuckDBConnection,
  place: InputPlace,
  plan: TrainingSetPlan,
  deps: SourceDeps,
  hashes: FileHashes,
): Promise<Input> {
  const what = unreadable(place);
  const pinned = await pinInput(place, deps);
  return readPinned([pinned], what, async () => {
    const names = pinned.files.map(({ path }) => path);
    const read = <T>(work: () => Promise<T>): Promise<T> => queryWork(what, 'HR_SOURCE_UNREADABLE', work);
    const isText = isCsv(pinned.paths);
    const scan = isText ? csvNames : (path: string): string => parquetFiles([path]);
    await read(() => checkOneSchema(connection, pinned.paths, names, scan));
    const from = isText ? await csvFiles(connection, pinned.paths, plan, read) : parquetFiles(pinned.paths);
    const loaded = await load(connection, from, place, plan, read);
    return { ...loaded, files: await hashFiles(pinned, hashes.hashOf) };
  });
}

/** The files as they are now: what they hold, by their identities. Throws as `loadInput`. */
export async function inputFiles(place: InputPlace, deps: OfflineDeps): Promise<readonly SourceFile[]> {
  const pinned = await pinInput(place, deps);
  const hashes = openFileHashes(deps.dataDirectory, deps.clock);
  const files = await readPinned([pinned], unreadable(place), () => hashFiles(pinned, hashes.hashOf));
  await hashes.save();
  return files;
}

const pinInput = (place: InputPlace, deps: SourceDeps): Promise<PinnedSnapshot> =>
  pinPath({ ...place, format: 'parquet', owner: 'the input', isHeld: false }, deps);

const unreadable = ({ path }: InputPlace): string => `the input ${path} cannot be read`;

type Read = <T>(work: () => Promise<T>) => Promise<T>;

async function load(
  connection: DuckDBConnection,
  from: string,
  { slice }: InputPlace,
  plan: TrainingSetPlan,
  read: Read,
): Promise<Omit<Input, 'files'>> {
  const columnsOf = async (query: string): Promise<Input['columns']> => {
    const described = await read(() => connection.runAndReadAll(`DESCRIBE ${query}`));
    return described.getRows().map(([name, type]) => ({ name: String(name), type: String(type) }));
  };
  const found = await columnsOf(`SELECT * FROM ${from}`);
  checkColumns(found, plan, 'the input');
  const types = new Map(found.map(({ name, type }) => [name.toLowerCase(), type]));
  const errors: string[] = [];
  const texts: string[] = [];
  const replaced: string[] = [];
  for (const field of neededColumns(plan)) {
    const type = types.get(field.name.toLowerCase()) ?? '';
    const bad = badValueSql(quoteName(field.name), type, field.type);
    errors.push(...errorsOf(field, plan, bad));
    // A text is what its column is declared to be from here on; one that can't be is told of in the error.
    const cast = castSql(quoteName(field.name), type, field.type);
    if (type !== 'VARCHAR' || type === duckType(field.type) || cast === undefined) continue;
    const name = found.find((column) => column.name.toLowerCase() === field.name.toLowerCase())?.name ?? field.name;
    texts.push(`NULL::VARCHAR AS ${quoteName(name)}`);
    replaced.push(`${valueWhere(`NOT ${bad?.isBad ?? 'false'}`, cast, field.type)} AS ${quoteName(name)}`);
  }
  const part = slice === undefined ? from : `(FROM ${from} ${await rangeOf(connection, from, slice, read)})`;
  const error = errors.length === 0 ? 'NULL' : `CASE ${errors.join(' ')} END`;
  const columns = replaced.length === 0 ? '*' : `* REPLACE (${replaced.join(', ')})`;
  // Of the texts alone: to look at a CSV once more is to read it whole.
  const castColumns =
    texts.length === 0 ? [] : await columnsOf(`SELECT ${replaced.join(', ')} FROM (SELECT ${texts.join(', ')})`);
  const castTypes = new Map(castColumns.map(({ name, type }) => [name, type]));
  const own = found.map(({ name, type }) => ({ name, type: castTypes.get(name) ?? type }));
  const sql = checkColumns(own, plan, 'the input');
  await read(() =>
    connection.run(
      `CREATE OR REPLACE TEMP TABLE ${SPINE_TABLE} AS SELECT *, epoch_us(${sql.get(plan.timestamp)}) AS __hr_at FROM ` +
        `(SELECT ${columns}, row_number() OVER () - 1 AS __hr_spine, CAST(${error} AS VARCHAR) AS ${ERROR_COLUMN} FROM ${part})`,
    ),
  );
  await connection.run(
    `CREATE OR REPLACE TEMP TABLE ${BAD_TABLE} AS SELECT * EXCLUDE (__hr_at) FROM ${SPINE_TABLE} WHERE ${ERROR_COLUMN} IS NOT NULL`,
  );
  const bad = await countOf(connection, BAD_TABLE);
  // What the plan makes of a value that can't be what it should is an error.
  if (bad > 0) await connection.run(`DELETE FROM ${SPINE_TABLE} WHERE ${ERROR_COLUMN} IS NOT NULL`);
  const rows = await countOf(connection, SPINE_TABLE);
  return { columns: own, rows, total: rows + bad, bad, sql: withDefaults(sql, plan) };
}

/** `WHEN … THEN` of what a server would refuse a row for, and of a row that has no time. */
function errorsOf(field: Field, plan: TrainingSetPlan, bad: BadValue | undefined): string[] {
  const { name } = field;
  const column = quoteName(name);
  const isTime = name === plan.timestamp;
  const needed = plan.spineColumns.find((one) => one.name === name);
  const isRequired = isTime || (needed !== undefined && !mayLack(needed));
  const text = (sentence: string): string => quoteText(`HR_SPINE: column "${name}" ${sentence}`);
  const came = `left(CAST(${column} AS VARCHAR), 100)`;
  return [
    ...(bad === undefined
      ? []
      : [`WHEN ${column} IS NOT NULL AND ${bad.isBad} THEN ${text('holds ')} || ${came} || ', which' || ${bad.why}`]),
    ...(isRequired
      ? [
          `WHEN ${column} IS NULL THEN ${text(isTime ? 'is null: the row has no time' : `is null, and the endpoint requires it (${needed?.neededBy})`)}`,
        ]
      : []),
  ];
}

async function rangeOf(
  connection: DuckDBConnection,
  from: string,
  { index, of }: NonNullable<InputPlace['slice']>,
  read: Read,
): Promise<string> {
  const rows = await read(() => countOf(connection, from));
  const first = Math.floor((rows * index) / of);
  return `LIMIT ${Math.floor((rows * (index + 1)) / of) - first} OFFSET ${first}`;
}

async function countOf(connection: DuckDBConnection, from: string): Promise<number> {
  const counted = await connection.runAndReadAll(`SELECT count(*) FROM ${from}`);
  return Number(counted.getRows()[0]?.[0]);
}

const listOf = (paths: readonly string[]): string => `[${paths.map(quoteText).join(', ')}]`;

const parquetFiles = (paths: readonly string[]): string => `read_parquet(${listOf(paths)}, union_by_name = true)`;

/** Of a CSV file its columns' names: what their values are is found over all files. */
const csvNames = (path: string): string => `read_csv(${listOf([path])}, header = true, all_varchar = true)`;

// What the plan needs is read as text, so that one value that can't be its column's type is its row's mistake. The other
// columns have the type that all of their values are of: a file's beginning may promise what its end doesn't hold.
async function csvFiles(
  connection: DuckDBConnection,
  paths: readonly string[],
  plan: TrainingSetPlan,
  read: Read,
): Promise<string> {
  const scan = `read_csv(${listOf(paths)}, header = true, sample_size = -1`;
  const found = await read(() => connection.runAndReadAll(`DESCRIBE SELECT * FROM ${scan})`));
  const names = found.getRows().map(([name]) => String(name));
  const [only = ''] = names;
  // Where lines are not all of one number of values, no separator fits, and the reader takes each for one value.
  if (names.length === 1 && /[,;|\t]/.test(only)) {
    const sentence = `the input's lines are not all of as many values as its header ${JSON.stringify(only)} names. Correct those that have more or fewer.`;
    throw new HeadraceError('HR_SPINE', sentence);
  }
  const present = new Set(names.map((name) => name.toLowerCase()));
  const texts = neededColumns(plan).filter(({ name }) => present.has(name.toLowerCase()));
  if (texts.length === 0) return `${scan})`;
  return `${scan}, types = {${texts.map(({ name }) => `${quoteText(name)}: 'VARCHAR'`).join(', ')}})`;
}

/** The first row that is set apart: its number from 1, and why. */
export async function firstBadRow(connection: DuckDBConnection): Promise<HeadraceError | undefined> {
  const read = await connection.runAndReadAll(
    `SELECT __hr_spine + 1, ${ERROR_COLUMN} FROM ${BAD_TABLE} ORDER BY __hr_spine LIMIT 1`,
  );
  const [row] = read.getRows();
  if (row === undefined) return undefined;
  const sentence = String(row[1]).replace(/^HR_SPINE: /, '');
  return new HeadraceError('HR_SPINE', `the input's row ${String(row[0])}: ${sentence}. ${BAD_ROW_ADVICE}`);
}
