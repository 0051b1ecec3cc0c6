// Rows of files that are set apart, as they lie there now: how many, which and why, and what tells each from others. Nothing
// is copied: a file's row stays in its file.

import type { DuckDBConnection } from '@duckdb/node-api';
import type { NewRelease } from '../../checks/index.ts';
import { type Field, type Row, stringifyJson, toJson, type Value } from '../../core/index.ts';
import { isLogAlone, own, settingApart, showRule, type SourceSpec } from '../../definitions/index.ts';
import { quoteName } from '../../storage/index.ts';
import { readAhead } from '../duckdb/read-ahead.ts';
import { createRowAppender } from '../duckdb/row-appender.ts';
import { readerOf } from '../duckdb/vector-values.ts';
import type { ApartRows } from '../facts/facts.ts';
import type { OfflineDeps } from '../offline-deps.ts';
import { duckType } from '../sources/sql-text.ts';
import { openSourcesFacts } from '../training-sets/source-facts.ts';
import { rowHashSql } from './row-hash.ts';

export interface QuarantinedInFiles {
  readonly source: string;
  readonly rows: number;
  /** By rule; a row that breaks several is counted at each. */
  readonly rules: readonly { readonly rule: string; readonly rows: number }[];
}

export interface QuarantinedFileRow {
  /** Of what the row holds: equal rows have one. */
  readonly id: string;
  readonly file: string;
  readonly rules: readonly string[];
  /** JSON. */
  readonly row: string;
}

/** Of each source whose files have such rows. Throws as reading the sources does. */
export async function surveyQuarantined(deps: OfflineDeps, sources: readonly string[]): Promise<QuarantinedInFiles[]> {
  const found: QuarantinedInFiles[] = [];
  for (const source of sources) {
    const one = await withApart(deps, source, async (connection, apart) => {
      const counts = apart.rules.map((_, i) => `count(*) FILTER (WHERE list_contains(__hr_broken, ${i}))`);
      const asked = ['count(*)', ...counts].map((sql) => `CAST(${sql} AS DOUBLE)`);
      const read = await connection.runAndReadAll(`SELECT ${asked.join(', ')} FROM ${apart.relation}`);
      const [rows = 0, ...byRule] = read.getRows()[0] as number[];
      return { source, rows, rules: apart.rules.map((rule, i) => ({ rule: showRule(rule), rows: byRule[i] ?? 0 })) };
    });
    if (one !== undefined && one.rows > 0) found.push(one);
  }
  return found;
}

/** In the files' order. */
export async function quarantinedFileRows(
  deps: OfflineDeps,
  source: SourceSpec,
  limit: number,
): Promise<readonly QuarantinedFileRow[]> {
  const rows = await withApart(deps, source.name, async (connection, apart, files) => {
    const found: QuarantinedFileRow[] = [];
    const order = `ORDER BY __hr_row LIMIT ${limit}`;
    for await (const { id, row, more } of readRows(
      connection,
      source.columns,
      apart,
      ['__hr_file', '__hr_broken'],
      order,
    )) {
      const [file, broken] = more as unknown as [number, { readonly items: readonly number[] }];
      const rules = broken.items.flatMap((i) => (apart.rules[i] === undefined ? [] : [showRule(apart.rules[i])]));
      found.push({ id, file: files[file] ?? '', rules, row: jsonOf(source.columns, row) });
    }
    return found;
  });
  return rows ?? [];
}

/** What a release of rows of files keeps of them: of those of `ids`, or of all. */
export async function releasesOf(
  deps: OfflineDeps,
  source: SourceSpec,
  ids: readonly string[] | undefined,
): Promise<readonly NewRelease[]> {
  const wanted = ids === undefined ? undefined : new Set(ids);
  const found = await withApart(deps, source.name, async (connection, apart) => {
    const releases = new Map<string, NewRelease>();
    for await (const { id, row } of readRows(connection, source.columns, apart, [], '')) {
      if (wanted !== undefined && !wanted.has(id)) continue;
      if (!releases.has(id)) releases.set(id, { hash: id, row: jsonOf(source.columns, row) });
    }
    return [...releases.values()];
  });
  return found ?? [];
}

/** The same of rows that were pushed: the files may come to hold them. */
export async function releasesOfPushed(
  deps: Pick<OfflineDeps, 'duckdb'>,
  { columns }: SourceSpec,
  rows: readonly Row[],
): Promise<readonly NewRelease[]> {
  if (rows.length === 0) return [];
  const connection = await deps.duckdb.connect();
  try {
    const table = '__hr_put_back';
    await connection.run(
      `CREATE TEMP TABLE ${table} (${columns.map(({ name, type }) => `${quoteName(name)} ${duckType(type)}`).join(', ')})`,
    );
    const appender = await createRowAppender(
      connection,
      table,
      columns.map(({ type }) => type),
    );
    for (const row of rows) appender.add(columns.map(({ name }) => row[name] ?? null));
    appender.close();
    const read = await connection.runAndReadAll(`SELECT ${rowHashSql(columns)} FROM ${table}`);
    // One batch lies in the order in which it was appended.
    return read.getRows().map(([hash], i) => ({ hash: String(hash), row: jsonOf(columns, rows[i] as Row) }));
  } finally {
    connection.closeSync();
  }
}

/** Undefined for a source that sets no rows of files apart. */
async function withApart<T>(
  deps: OfflineDeps,
  name: string,
  work: (connection: DuckDBConnection, apart: ApartRows, files: readonly string[]) => Promise<T>,
): Promise<T | undefined> {
  const source = own(deps.definitions.manifest.sources, name);
  if (source === undefined || isLogAlone(source) || settingApart(source).length === 0) return undefined;
  const connection = await deps.duckdb.connect();
  try {
    const opened = await openSourcesFacts(connection, [name], deps);
    try {
      const facts = opened.bySource.get(name)?.facts;
      if (facts?.apart === undefined) return undefined;
      const found = await work(
        connection,
        facts.apart,
        facts.files.map(({ path }) => path),
      );
      for (const snapshot of opened.snapshots) await snapshot.verify();
      return found;
    } finally {
      await opened.close();
    }
  } finally {
    connection.closeSync();
  }
}

interface ReadRow {
  readonly id: string;
  readonly row: Row;
  readonly more: readonly unknown[];
}

async function* readRows(
  connection: DuckDBConnection,
  columns: readonly Field[],
  { relation }: ApartRows,
  more: readonly string[],
  order: string,
): AsyncGenerator<ReadRow> {
  const selected = [rowHashSql(columns), ...columns.map(({ name }) => quoteName(name)), ...more];
  const stream = await connection.stream(`SELECT ${selected.join(', ')} FROM ${relation} ${order}`);
  for await (const chunk of readAhead(stream)) {
    const readers = columns.map(({ type }, i) => readerOf(chunk.getColumnVector(i + 1), type));
    for (let at = 0; at < chunk.rowCount; at++) {
      const row = Object.fromEntries(columns.map(({ name }, i): [string, Value] => [name, readers[i]?.(at) ?? null]));
      const others = more.map((_, i) => chunk.getColumnVector(1 + columns.length + i).getItem(at));
      yield { id: String(chunk.getColumnVector(0).getItem(at)), row, more: others };
    }
  }
}

function jsonOf(columns: readonly Field[], row: Row): string {
  return stringifyJson(Object.fromEntries(columns.map(({ name, type }) => [name, toJson(type, row[name] ?? null)])));
}
